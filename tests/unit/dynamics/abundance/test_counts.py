import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.counts import gate_log_sd, nk_per_ul, population_counts


def test_every_sample_has_a_row_for_every_population_even_without_cells(cohort):
    table = population_counts(cohort["populations"]["cytof"])
    assert len(table) == 5 * 3
    late = table[(table["sample"] == "A_pre") & (table["population"] == "late")]
    assert late["n_cells"].tolist() == [0.0]


def test_given_counts_win_and_missing_ones_come_from_lymphocytes_of_the_same_day(cohort):
    summary = cohort["summaries"]["cytof"].assign(n_nk=500, n_lymphocytes=2000.0)
    table = nk_per_ul(cohort["counts"], cohort["samples"], summary, count_cv=0.15).set_index(["patient", "day"])
    assert table.loc[("A", 7), ["nk_per_ul", "source"]].tolist() == [400.0, "counts"]
    # 60 lymphocytes/uL x 500 / 2000; never 500 / 5000 events
    assert table.at[("B", -6), "nk_per_ul"] == pytest.approx(15.0)
    assert "B_pre" in table.at[("B", -6), "source"]
    assert table.at[("B", -6), "log_sd"] > table.at[("A", 7), "log_sd"]
    assert np.isnan(table.at[("B", 30), "nk_per_ul"]) and "no mass cytometry file" in table.at[("B", 30), "reason"]


def test_without_mass_cytometry_lymphocytes_are_not_turned_into_nk(cohort):
    table = nk_per_ul(cohort["counts"], cohort["samples"], None, count_cv=0.15).set_index(["patient", "day"])
    assert np.isnan(table.at[("B", -6), "nk_per_ul"])


def test_left_out_files_and_files_without_a_lymphocyte_gate_are_not_used(cohort):
    for change in ({"left_out": True}, {"n_lymphocytes": np.nan}):
        summary = cohort["summaries"]["cytof"].assign(**change)
        table = nk_per_ul(cohort["counts"], cohort["samples"], summary, count_cv=0.15).set_index(["patient", "day"])
        assert np.isnan(table.at[("B", -6), "nk_per_ul"])


def test_gate_limits_are_read_as_a_95_percent_interval():
    summary = pd.DataFrame({"sample": ["a", "b"], "n_nk_low": [900.0, np.nan], "n_nk_high": [1100.0, np.nan]})
    sd = gate_log_sd(summary)
    assert sd["a"] == pytest.approx(np.log(1100 / 900) / 3.92, rel=1e-3) and sd["b"] == 0.0
