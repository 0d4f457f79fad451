import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.folds import make_folds
from cimlnk.dynamics.abundance.shares import make_abundance
from cimlnk.dynamics.kinetics.summary import censoring_days, make_kinetics, peak_from

SETTINGS = {"min_days": 4, "censor_events": ["boost"], "pooling": True, "draws": 500}


def run(cohort, **settings):
    table = make_abundance(**cohort)
    folds = make_folds(table, "pre")
    return make_kinetics(
        table, folds, cohort["counts"], baseline_timepoint="pre", settings={**SETTINGS, **settings}, seed=1
    )


def test_measured_summary_of_a_hand_made_series(cohort):
    table, _ = run(cohort)
    nk = table.set_index(["patient", "population"]).loc[("A", "NK")]
    assert nk[["peak_day", "peak_fold", "first_day_10fold", "last_day", "last_fold"]].tolist() == [7, 20, 7, 28, 5]
    # log2 folds 0, log2 20, log2 5 at days 0, 7, 28
    assert nk["auc_log2"] == pytest.approx(7 * np.log2(20) / 2 + 21 * (np.log2(20) + np.log2(5)) / 2)
    assert nk["days_above_2fold"] == pytest.approx(28 - 7 / np.log2(20))
    assert nk["baseline_per_ul"] == 20.0


def days_of(values, ratio):
    value = pd.Series(values, dtype=float)
    return pd.DataFrame({"day": value.index, "cells_per_ul": value.to_numpy(), "cells_per_ul_low": value / ratio,
                         "cells_per_ul_high": value * ratio})  # fmt: skip


def test_a_peak_is_dated_by_what_its_error_tells_apart():
    course = {-7: 30.0, 3: 40.0, 7: 60.0, 10: 215.0, 14: 217.0, 28: 142.0, 100: 220.0, 180: np.nan}
    assert peak_from(days_of(course, 1.35)) == 10
    assert peak_from(days_of(course, 1.001)) == 100, "counts without error have their order"
    assert peak_from(days_of(course, 5.0)) == 3, "counts of 5 and 200 that may be fivefold off tell no day"
    assert peak_from(days_of({-7: 300.0, 7: 5.0}, 1.3)) == 7, "days before infusion are no peak after it"
    assert np.isnan(peak_from(days_of({-7: 30.0}, 1.3))) and np.isnan(peak_from(days_of({-7: 30.0, 7: 0.0}, 1.3)))


def test_the_share_of_courses_whose_true_peak_is_later_than_told_is_that_of_the_interval():
    rng = np.random.default_rng(5)
    late = 0
    for _ in range(
        400
    ):  # a true peak on day 10, twice what it is on day 7; counts with a coefficient of variation of .15
        sd = np.sqrt(np.log(1 + 0.15**2))
        true = pd.Series({3: 30.0, 7: 110.0, 10: 220.0, 14: 160.0, 28: 80.0})
        seen = true * np.exp(rng.normal(0, sd, len(true)))
        late += peak_from(days_of(seen, np.exp(1.96 * sd))) > 10
    assert late / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_too_few_days_give_a_reason_instead_of_a_fit(cohort):
    table, curves = run(cohort)
    assert table["doubling_time_days"].isna().all() and table["model_reason"].str.contains("the fit needs 4").all()
    assert len(curves) == 0


def test_a_population_without_cells_at_baseline_says_so(cohort):
    table, _ = run(cohort)
    late = table.set_index(["patient", "population"]).loc[("A", "late")]
    assert np.isnan(late["peak_fold"]) and late["reason"] == "no cells of the population at baseline"


def test_censoring_takes_the_first_event_of_the_named_kind():
    counts = pd.DataFrame(
        {
            "patient": ["A", "A", "A", "B"],
            "day": [7, 35, 42, 7],
            "event": ["tocilizumab", "stem_cell_Boost", "boost", None],
        }
    )
    assert censoring_days(counts, ["boost"]) == {"A": 35.0}
    assert censoring_days(counts, []) == {}


@pytest.fixture
def counted(cohort):
    """Ten counts of one patient on a known curve (doubling 2 d, half-life 7 d), jump by a boost after day 35."""
    days = np.array([-7, 3, 7, 10, 14, 21, 28, 60, 100])
    start, top = 10.0, 10.0 * 2 ** (10 / 2)
    fall = 60.0 + (top - 60.0) * 2.0 ** (-(days - 10) / 7)
    value = np.where(days < 0, 20.0, np.where(days <= 10, start * 2.0 ** (days / 2), fall))
    value = np.where(days > 35, value * 5, value)
    cohort["counts"] = pd.DataFrame({"patient": "A", "day": days, "nk_per_ul": value, "il2_dose": np.nan}).assign(
        lymphocytes_per_ul=np.nan, event=None
    )
    cohort["samples"] = cohort["samples"].query("sample == 'A_pre'")
    cohort["summaries"]["cytof"] = cohort["summaries"]["cytof"].query("sample == 'A_pre'")
    cells = cohort["populations"]["cytof"]
    cohort["populations"]["cytof"] = cells[cells["sample"] == "A_pre"]
    cohort["uncertainty"] = {**cohort["uncertainty"], "count_cv": 0.03}
    return cohort


def test_exact_counts_give_back_doubling_time_and_half_life(counted):
    counted["counts"].loc[counted["counts"]["day"] == 28, "event"] = "stem-cell boost"
    table, curves = run(counted)
    nk = table[table["population"] == "NK"].iloc[0]
    assert nk["n_days"] == 7 and nk["censored_day"] == 28
    # 3 % counts: the doubling time rests on three points over seven days
    assert nk["doubling_time_days"] == pytest.approx(2.0, rel=0.06)
    assert nk["doubling_low"] < 2.0 < nk["doubling_high"] and nk["half_life_low"] < 7.0 < nk["half_life_high"]
    assert nk["model_peak_day"] == pytest.approx(10, abs=1)
    assert curves["day"].max() == 28 and (curves["low"] <= curves["fitted"]).all()


def test_an_uncensored_boost_spoils_the_plateau(counted):
    table, _ = run(counted)
    nk = table[table["population"] == "NK"].iloc[0]
    assert nk["plateau_fold"] > 8  # true 3: the reason why boosts censor


def test_the_same_seed_gives_the_same_numbers(counted):
    first, second = run(counted)[0], run(counted)[0]
    assert first.equals(second)
