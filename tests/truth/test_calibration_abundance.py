"""What the abundance tests, the folds and the kinetic model keep of their promises; the full study is a command."""

import pytest

from calibration.abundance import EFFECTS, NULLS, abundance_study, fold_study
from calibration.kinetics import kinetics_study

OURS = "beta-binomial mixed model"


@pytest.fixture(scope="module")
def study():
    return abundance_study((NULLS[0], NULLS[3], *EFFECTS), sets=300, seed=7).set_index(["scenario", "method"])


@pytest.mark.slow
def test_default_test_keeps_its_level(study):
    rates = study.xs(OURS, level="method")["type_1"]
    # 300 cohorts × 3 contrasts that share their baseline: standard error about 0.009; the shows' bounds are 0.03–0.07
    assert rates.between(0.02, 0.08).all(), rates


@pytest.mark.slow
def test_its_intervals_cover(study):
    coverage = study.xs(OURS, level="method")["coverage"]
    assert coverage.between(0.92, 0.98).all(), coverage  # 0.93–0.97 and the Monte Carlo error of 300 cohorts


@pytest.mark.slow
@pytest.mark.parametrize("method", ["per cell", "mixed, no overdispersion"])
def test_tests_that_take_cells_for_patients_fail_on_the_same_data(study, method):
    assert (study.xs(method, level="method")["type_1"] > 0.5).all()


@pytest.mark.slow
def test_power_is_not_below_the_paired_tests(study):
    for scenario in (s.name for s in EFFECTS):
        power = study.xs(scenario, level="scenario")["power"]
        assert power[OURS] >= max(power["paired t on log-ratios"], power["paired signed-rank"])


@pytest.mark.slow
def test_folds_and_absolute_effects_cover():
    result = fold_study(300, seed=7)
    assert 0.93 <= result["fold_interval_coverage"] <= 0.97
    assert 0.92 <= result["absolute_effect_coverage"] <= 0.98 and 0.02 <= result["absolute_type_1"] <= 0.085


@pytest.mark.slow
def test_kinetics_of_planted_curves():
    table = kinetics_study(8, seed=7).set_index("plan")
    assert (table[["doubling_coverage", "half_life_coverage"]] >= 0.85).all(axis=None)  # 0.9, 48 patients per plan
    assert (table["peak_day_within_interval"] >= 0.9).all()
    # Within 15 % of the true fold needs counts of 5 %: two counts of 15 % differ by more than that one time in two
    assert table.loc["NK counts, CV 5 %", "peak_fold_within_15"] >= 0.8
    assert (table["peak_fold_within_15"] >= table["naive_fold_within_15"]).all()
