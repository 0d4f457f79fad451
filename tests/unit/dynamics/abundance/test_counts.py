import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.counts import gate_log_sd, nk_per_ul, population_counts

UNCERTAINTY = {"count_cv": 0.15, "fraction_overdispersion": 0.0005}


def derived(cohort, n_nk, n_lymphocytes, count_cv=0.15, min_lymphocytes=50, **limits):
    """The row of B at baseline (60 lymphocytes/uL), its file with these events."""
    summary = cohort["summaries"]["cytof"].assign(n_nk=n_nk, n_lymphocytes=float(n_lymphocytes), **limits)
    uncertainty = UNCERTAINTY | {"count_cv": count_cv}
    table = nk_per_ul(
        cohort["counts"],
        cohort["samples"],
        {"cytof": summary},
        uncertainty=uncertainty,
        min_lymphocytes=min_lymphocytes,
    )
    return table.set_index(["patient", "day"]).loc[("B", -6)]


def test_every_sample_has_a_row_for_every_population_even_without_cells(cohort):
    table = population_counts(cohort["populations"]["cytof"])
    assert len(table) == 5 * 3
    late = table[(table["sample"] == "A_pre") & (table["population"] == "late")]
    assert late["n_cells"].tolist() == [0.0]


def test_given_counts_win_and_missing_ones_come_from_lymphocytes_of_the_same_day(cohort):
    summary = cohort["summaries"]["cytof"].assign(n_nk=500, n_lymphocytes=2000.0)
    table = nk_per_ul(
        cohort["counts"], cohort["samples"], {"cytof": summary}, uncertainty=UNCERTAINTY, min_lymphocytes=50
    ).set_index(["patient", "day"])
    assert table.loc[("A", 7), ["nk_per_ul", "source"]].tolist() == [400.0, "counts"]
    # 60 lymphocytes/uL x 500 / 2000; never 500 / 5000 events
    assert table.at[("B", -6), "nk_per_ul"] == pytest.approx(15.0)
    assert "B_pre" in table.at[("B", -6), "source"]
    given, derived = table.loc[("A", 7)], table.loc[("B", -6)]
    assert derived["nk_per_ul_high"] / derived["nk_per_ul"] > given["nk_per_ul_high"] / given["nk_per_ul"]
    assert derived["nk_per_ul"] / derived["nk_per_ul_low"] > given["nk_per_ul"] / given["nk_per_ul_low"]
    assert np.isnan(table.at[("B", 30), "nk_per_ul"]) and "no mass cytometry file" in table.at[("B", 30), "reason"]


def test_without_a_file_lymphocytes_are_not_turned_into_nk(cohort):
    table = nk_per_ul(cohort["counts"], cohort["samples"], {}, uncertainty=UNCERTAINTY, min_lymphocytes=50).set_index(
        ["patient", "day"]
    )
    assert np.isnan(table.at[("B", -6), "nk_per_ul"])


def test_left_out_files_and_files_without_a_lymphocyte_gate_are_not_used(cohort):
    for change in ({"left_out": True}, {"n_lymphocytes": np.nan}):
        summary = cohort["summaries"]["cytof"].assign(**change)
        table = nk_per_ul(
            cohort["counts"], cohort["samples"], {"cytof": summary}, uncertainty=UNCERTAINTY, min_lymphocytes=50
        ).set_index(["patient", "day"])
        assert np.isnan(table.at[("B", -6), "nk_per_ul"])


def test_gate_limits_are_read_as_a_95_percent_interval():
    summary = pd.DataFrame({"sample": ["a", "b"], "n_nk_low": [900.0, np.nan], "n_nk_high": [1100.0, np.nan]})
    sd = gate_log_sd(summary)
    assert sd["a"] == pytest.approx(np.log(1100 / 900) / 3.92, rel=1e-3) and sd["b"] == 0.0


def test_a_handful_of_events_gives_no_nk_per_ul(cohort):
    row = derived(cohort, 5, 6)
    assert np.isnan(row[["nk_per_ul", "nk_per_ul_low", "nk_per_ul_high"]].astype(float)).all()
    assert row["source"] is None and "in B_pre for a share of them: 5 NK cells of 6 lymphocytes" in row["reason"]
    assert derived(cohort, 42, 50)["nk_per_ul"] == pytest.approx(60 * 42 / 50)


@pytest.mark.parametrize(("n_nk", "n_lymphocytes"), [(5, 6), (45, 50), (50, 50), (950, 1000)])
def test_never_more_nk_than_lymphocytes_counted_give(cohort, n_nk, n_lymphocytes):
    """Without an error of the blood count the upper limit stays at the count; with one, within that error of it."""
    certain = derived(cohort, n_nk, n_lymphocytes, count_cv=0.0, min_lymphocytes=1)
    share, rounding = n_nk / n_lymphocytes, 1 + 1e-9
    assert certain["nk_per_ul_low"] < 60 * share <= certain["nk_per_ul_high"] * rounding
    assert certain["nk_per_ul_high"] <= 60.0 * rounding
    gated = {"n_nk_low": 0.5 * n_nk, "n_nk_high": 2.0 * n_nk}
    assert derived(cohort, n_nk, n_lymphocytes, 0.0, 1, **gated)["nk_per_ul_high"] <= 60.0 * (1 + 1e-9)
    counted = derived(cohort, n_nk, n_lymphocytes, min_lymphocytes=1)
    assert counted["nk_per_ul_high"] <= 60.0 * np.exp(1.96 * 0.1492) * (1 + 1e-4)


def test_no_nk_among_many_lymphocytes_has_an_upper_limit(cohort):
    row = derived(cohort, 0, 500)
    assert row["nk_per_ul"] == 0 and row["nk_per_ul_low"] == 0
    # Jeffreys' upper limit of 0 of 500 is 0.5 %; 60 lymphocytes/uL
    assert 0.2 < row["nk_per_ul_high"] < 0.6


def test_limits_of_a_derived_count_hold_as_often_as_they_say(cohort):
    """Also where nearly all lymphocytes are NK cells: there a cap at the day's own count would cut the error of it."""
    random = np.random.default_rng(3)
    for share in (0.05, 0.9):
        held = []
        for _ in range(300):
            lymphocytes = 60.0 / random.lognormal(0.0, 0.1492)  # the true ones of a day on which 60 were counted
            row = derived(cohort, random.binomial(200, share), 200)
            held.append(row["nk_per_ul_low"] <= share * lymphocytes <= row["nk_per_ul_high"])
        # binomial error of 300: 3.5 points at two sd
        assert np.mean(held) > 0.915, share


def sequenced(cohort, shares: dict[str, float], suspension="auto"):
    """NK/µL of the cohort with RNA alone; `shares`: NK cells among the 1,000 lymphocytes of each sample."""
    samples = cohort["samples"].assign(modality="rna")
    counts = cohort["counts"].assign(nk_per_ul=np.nan, lymphocytes_per_ul=[1000.0, 800.0, 900.0, 60.0, 700.0, 80.0])
    summary = cohort["summaries"]["cytof"].assign(n_lymphocytes=1000.0)
    summary["n_nk"] = [round(1000 * shares.get(s, 0.1)) for s in summary["sample"]]
    table = nk_per_ul(
        counts, samples, {"rna": summary}, uncertainty=UNCERTAINTY, min_lymphocytes=50, rna_suspension=suspension
    )
    return table.set_index(["patient", "day"])


def test_rna_of_unsorted_cells_gives_nk_per_ul_without_cytometry(cohort):
    # after infusion most lymphocytes may be NK cells: that alone is no enrichment
    table = sequenced(cohort, {"A_pre": 0.12, "A_d7": 0.7})
    assert table.at[("A", -7), "nk_per_ul"] == pytest.approx(120.0)
    assert table.at[("A", 7), "nk_per_ul"] == pytest.approx(560.0)
    row = table.loc[("A", 7)]
    assert row["source"] == "lymphocytes_per_ul x NK/lymphocytes of rna sample A_d7" and row["reason"] is None
    assert row["nk_per_ul_low"] < 560 < row["nk_per_ul_high"]
    assert "no RNA file of that day" in table.at[("B", 7), "reason"]


def test_rna_of_enriched_cells_is_no_share_of_the_blood(cohort):
    every = dict.fromkeys(["A_pre", "A_d7", "A_d28", "B_pre"], 0.9) | {"A_d28": 0.4}
    table = sequenced(cohort, every)
    assert table["nk_per_ul"].isna().all()
    assert "enriched for NK cells (400 of 1000 lymphocytes)" in table.at[("A", 28), "reason"]
    # one patient's suspension: the other's is taken
    table = sequenced(cohort, {"A_pre": 0.1, "B_pre": 0.8})
    assert (
        table.at[("A", -7), "nk_per_ul"] == pytest.approx(100.0)
        and "B_pre is of cells" in table.at[("B", -6), "reason"]
    )
    # the user knows
    assert sequenced(cohort, every, "unsorted").at[("A", -7), "nk_per_ul"] == pytest.approx(900.0)
    assert sequenced(cohort, {}, "enriched")["nk_per_ul"].isna().all()


def test_mass_cytometry_comes_before_rna_and_rna_fills_its_gaps(cohort):
    samples = pd.concat(
        [cohort["samples"], cohort["samples"].assign(modality="rna", sample=cohort["samples"]["sample"] + "_rna")]
    )
    counts = cohort["counts"].assign(nk_per_ul=np.nan, lymphocytes_per_ul=1000.0)
    cytof = cohort["summaries"]["cytof"].assign(n_nk=200, n_lymphocytes=[1000.0, 1000.0, 1000.0, 30.0, np.nan])
    rna = cytof.assign(sample=cytof["sample"] + "_rna", n_nk=100, n_lymphocytes=1000.0)
    table = nk_per_ul(counts, samples, {"cytof": cytof, "rna": rna}, uncertainty=UNCERTAINTY, min_lymphocytes=50)
    found = table.set_index(["patient", "day"])["nk_per_ul"]
    assert found[("A", 7)] == pytest.approx(200.0)  # both have it
    assert found[("A", 28)] == pytest.approx(100.0) and found[("B", -6)] == pytest.approx(100.0)


def test_no_nk_cell_of_many_lymphocytes_is_none_per_ul_with_an_upper_limit(cohort):
    row = derived(cohort, 0, 2000)
    assert row["nk_per_ul"] == row["nk_per_ul_low"] == 0 and row["source"].endswith("sample B_pre")
    # the exact upper limit of none in 2,000 (Clopper & Pearson) is 0.00184
    assert 0 < row["nk_per_ul_high"] < 2 * 60 * 0.00184
    # 40 events that may be NK cells after all are a share of .02
    doubtful = derived(cohort, 0, 2000, n_nk_low=0.0, n_nk_high=40.0)
    assert 60 * 0.02 < doubtful["nk_per_ul_high"] < 1.5 * 60 * 0.02
    assert "too few lymphocytes" in derived(cohort, 0, 49)["reason"]
