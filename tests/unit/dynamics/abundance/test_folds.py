import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.folds import make_folds
from cimlnk.dynamics.abundance.shares import make_abundance


@pytest.fixture
def folds(cohort):
    table = make_folds(make_abundance(**cohort), "pre")
    return table.set_index(["patient", "population", "day"])


def test_the_denominator_is_pre_infusion_blood_never_the_product(folds):
    nk = folds.loc[("A", "NK")]
    assert nk["fold_change"].tolist() == [1.0, 20.0, 5.0] and (nk["baseline_day"] == -7).all()
    assert folds.at[("A", "bright", 7), "fold_change"] == pytest.approx(160 / 2)
    assert 0 not in folds.index.get_level_values("day")


def test_fold_limits_carry_both_days_errors(folds):
    nk = folds.loc[("A", "NK", 7)]
    half = 1.96 * 0.1492 * np.sqrt(2)  # two counts with a CV of 15 %
    assert np.log(nk["fold_high"] / 20) == pytest.approx(half, rel=1e-3)
    assert np.log(20 / nk["fold_low"]) == pytest.approx(half, rel=1e-3)


def test_a_population_absent_at_baseline_has_no_fold_but_a_lower_limit(folds):
    late = folds.loc[("A", "late", 7)]
    assert np.isnan(late["fold_change"]) and late["reason"] == "no cells of the population at baseline"
    assert late["fold_low"] > 1.0 and np.isnan(late["fold_high"])


def test_count_only_days_have_folds_of_all_nk(folds):
    # B: 60 lymphocytes/uL x 1000 / 2000 at baseline, 50 NK/uL on day 7
    assert folds.at[("B", "NK", 7), "fold_change"] == pytest.approx(50 / 30)


def test_a_time_point_nobody_has_is_nobodys_baseline(cohort):
    table = make_folds(make_abundance(**cohort), "Pre")
    assert (
        table["fold_change"].isna().all() and (table["reason"] == "no blood of this cohort at time point 'Pre'").all()
    )


def test_where_all_files_are_of_one_later_time_point_counts_before_infusion_give_folds_of_all_nk(cohort):
    cohort["samples"] = cohort["samples"].query("sample == 'A_d28'")
    table = make_folds(make_abundance(**cohort), "pre").set_index(["patient", "population", "day"])
    assert table.at[("A", "NK", 28), "fold_change"] == pytest.approx(100 / 20)
    assert table.at[("A", "NK", 28), "baseline_day"] == -7
    assert table.drop("NK", level="population")["fold_change"].isna().all()
    assert table.loc[("B", "NK"), "reason"].str.startswith("baseline not measured: no NK count").all()


def test_a_patient_without_the_baseline_time_point_gets_the_last_value_before_infusion(cohort):
    cohort["samples"].loc[cohort["samples"]["patient"] == "B", "timepoint"] = "screening"
    table = make_folds(make_abundance(**cohort), "pre").set_index(["patient", "population", "day"])
    assert table.at[("B", "NK", 7), "baseline_day"] == -6


def test_no_baseline_is_told_for_each_row(cohort):
    cohort["counts"] = cohort["counts"].query("day > 0")
    table = make_folds(make_abundance(**cohort), "pre")
    assert table["fold_change"].isna().all()
    assert table["reason"].str.contains("baseline not measured").any()


def test_a_handful_at_baseline_gives_a_lower_limit_and_no_fold(cohort):
    cells = cohort["populations"]["cytof"]
    few = (cells["sample"] == "A_pre") & (cells["population"] == "bright")
    cohort["populations"]["cytof"] = pd.concat([cells[~few], cells[few].head(4)])
    table = make_folds(make_abundance(**cohort), "pre").set_index(["patient", "population", "day"])
    bright = table.loc[("A", "bright", 7)]
    assert np.isnan(bright["fold_change"]) and np.isnan(bright["fold_high"])
    assert bright["reason"].startswith("too few cells of the population at baseline for a fold: 4,")
    # 0.4 of 400 against 4 / 904 of 20: 1,808-fold
    assert 100 < bright["fold_low"] < 1808
    assert np.isfinite(table.at[("A", "NK", 7), "fold_change"])  # the sheet's own count rests on no cell of the file
    assert (
        np.isfinite(make_folds(make_abundance(**cohort), "pre", min_baseline=4)["fold_change"]).sum()
        > np.isfinite(table["fold_change"]).sum()
    )


def test_a_file_with_a_handful_of_cells_gives_no_cells_per_ul_and_no_fold(cohort):
    cells = cohort["populations"]["cytof"]
    of_day = cells["sample"] == "A_d7"
    cohort["populations"]["cytof"] = pd.concat([cells[~of_day], cells[of_day].sample(12, random_state=1)])
    abundance = make_abundance(**cohort)
    day = abundance[(abundance["sample"] == "A_d7") & (abundance["population"] != "NK")]
    assert day["fraction"].notna().all() and day["cells_per_ul"].isna().all()
    assert day["reason"].str.startswith("too few NK cells in the file for cells per uL: 12,").all()
    table = make_folds(abundance, "pre").set_index(["patient", "population", "day"])
    assert np.isnan(table.at[("A", "bright", 7), "fold_change"])
    assert "too few NK cells" in table.at[("A", "bright", 7), "reason"]
    assert table.at[("A", "NK", 7), "fold_change"] == pytest.approx(20.0)


def test_twelve_events_decide_nothing(cohort):
    """5 NK cells of 6 lymphocytes once gave 1,071 NK/uL and a 17.7-fold rise."""
    cohort["counts"].loc[cohort["counts"]["patient"] == "A", ["nk_per_ul", "lymphocytes_per_ul"]] = [np.nan, 1286.0]
    summary = cohort["summaries"]["cytof"]
    summary.loc[summary["sample"] == "A_d7", ["n_nk", "n_lymphocytes"]] = [5, 6.0]
    table = make_folds(make_abundance(**cohort), "pre").set_index(["patient", "population", "day"])
    row = table.loc[("A", "NK", 7)]
    assert np.isnan(row["fold_change"]) and "5 NK cells of 6 lymphocytes" in row["reason"]
    assert table.at[("A", "NK", 28), "fold_change"] == pytest.approx(1.0)
