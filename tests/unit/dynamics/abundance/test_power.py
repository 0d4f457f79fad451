import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.power import detectable, power_table, t_power
from cimlnk.dynamics.tables import TESTS


def test_power_of_no_effect_is_the_level_and_grows():
    assert t_power(0.0, 1.0, 15) == pytest.approx(0.05)
    assert t_power(1.0, 0.5, 15) < t_power(2.0, 0.5, 15) < t_power(40.0, 0.5, 15) == pytest.approx(1.0)


def test_detectable_effect_reaches_the_asked_power_in_simulation():
    least = detectable(0.4, 15, 0.8)
    assert t_power(least, 0.4, 15) == pytest.approx(0.8, abs=1e-6)
    rng = np.random.default_rng(0)
    # a contrast with 15 df of error: estimate and independent chi-squared error
    estimate = least + 0.4 * rng.standard_normal(20000)
    error = 0.4 * np.sqrt(rng.chisquare(15, 20000) / 15)
    from scipy import stats

    found = np.abs(estimate / error) > stats.t.ppf(0.975, 15)
    assert found.mean() == pytest.approx(0.8, abs=0.012)  # four standard errors of 20,000 draws


def test_two_patients_worth_of_freedom_still_solves():
    assert detectable(1.0, 1.0) > detectable(1.0, 5.0) > detectable(1.0, 50.0)


def test_table_speaks_of_noise_only_and_gives_reasons():
    row = dict.fromkeys(TESTS.columns, np.nan) | {
        "test": "abundance", "modality": "cytof", "population": "a", "feature": None, "contrast": "x", "n_patients": 6,
        "effect_unit": "log2 odds ratio", "se": 0.3, "df": 15.0, "converged": True, "separated": False,
        "method": "linear_mixed", "fdr_family": "f", "primary": True, "reason": None,
    }  # fmt: skip
    bad = {**row, "population": "b", "se": np.nan, "reason": "separated"}
    tests = TESTS.check(pd.DataFrame([row, {**row, "effect": 9.0}, bad]))
    table = power_table(tests)
    assert table["detectable_log2"][0] == table["detectable_log2"][1] == pytest.approx(detectable(0.3, 15))
    assert table["detectable_fold"][0] == pytest.approx(2 ** table["detectable_log2"][0])
    assert np.isnan(table["detectable_log2"][2]) and table["reason"][2] == "separated"
