import numpy as np
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


def test_a_patient_without_the_baseline_time_point_gets_the_last_value_before_infusion(cohort):
    cohort["samples"].loc[cohort["samples"]["patient"] == "B", "timepoint"] = "screening"
    table = make_folds(make_abundance(**cohort), "pre").set_index(["patient", "population", "day"])
    assert table.at[("B", "NK", 7), "baseline_day"] == -6


def test_no_baseline_is_told_for_each_row(cohort):
    cohort["counts"] = cohort["counts"].query("day > 0")
    table = make_folds(make_abundance(**cohort), "pre")
    assert table["fold_change"].isna().all()
    assert table["reason"].str.contains("baseline not measured").any()
