import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.differential import abundance_tests
from cimlnk.dynamics.abundance.scales import compare_scales
from cimlnk.dynamics.abundance.tables import ABUNDANCE

DAYS = ((-7, "pre"), (7, "D7"), (28, "D28"))


def abundance(growth: dict[str, float], per_ul: float, patients: int = 6, seed: int = 0, cells: int = 2000):
    """ABUNDANCE of one arm: `growth` multiplies a population's weight on day 7, `per_ul` all NK cells."""
    rng = np.random.default_rng(seed)
    weights = {"a": 0.2, "b": 0.3, "c": 0.5}
    rows = []
    for patient in range(patients):
        own = {k: w * np.exp(rng.normal(0, 0.3)) for k, w in weights.items()}
        for day, label in DAYS:
            w = {k: v * (growth.get(k, 1.0) if day == 7 else 1.0) * np.exp(rng.normal(0, 0.12)) for k, v in own.items()}
            counts = rng.multinomial(cells, np.array(list(w.values())) / sum(w.values()))
            nk = 20 * np.exp(rng.normal(0, 0.15)) * (per_ul if day == 7 else 1.0)
            for name, n in (*zip(w, counts, strict=True), ("NK", cells)):
                rows.append((f"P{patient}_{label}", f"P{patient}", day, label, name, float(n), nk))
    table = pd.DataFrame(rows, columns=["sample", "patient", "day", "timepoint", "population", "n_cells", "nk_per_ul"])
    table = table.assign(modality="cytof", arm="CIML", tissue_or_product="blood", n_nk=float(cells), reason=None)
    table["fraction"] = table["n_cells"] / table["n_nk"]
    table["cells_per_ul"] = table["fraction"] * table["nk_per_ul"]
    for column in ABUNDANCE.columns:
        if column not in table:
            table[column] = None if column == "nk_per_ul_source" else np.nan
    return ABUNDANCE.check(table)


def sheets(table):
    facts = ["sample", "patient", "day", "timepoint", "arm", "tissue_or_product", "modality"]
    samples = table[facts].drop_duplicates("sample")
    return samples, pd.DataFrame({"patient": sorted(set(table["patient"])), "arm": "CIML", "cmv": "no"})


def run(table, **settings):
    return abundance_tests(table, *sheets(table), baseline="pre", **settings)


def pick(tests, test, population, contrast="CIML: D7 vs pre"):
    found = tests[(tests["test"] == test) & (tests["population"] == population) & (tests["contrast"] == contrast)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_pure_expansion_of_all_nk_is_absolute_only():
    tests = run(abundance({}, per_ul=8.0))
    assert pick(tests, "absolute", "a")["effect"] == pytest.approx(3.0, abs=0.4)
    scales = compare_scales(tests).set_index(["population", "contrast"])["verdict"]
    assert (scales.xs("CIML: D7 vs pre", level=1) == "absolute only").all()
    assert pick(tests, "absolute", "NK")["p"] < 1e-6


def test_a_rise_that_is_only_compositional_is_told_apart():
    # b and c lose, a keeps its cells: its share doubles, its cells per microlitre do not move
    table = abundance({"b": 0.375, "c": 0.375}, per_ul=0.5)
    tests = run(table)
    scales = compare_scales(tests).set_index(["population", "contrast"])
    a = scales.loc[("a", "CIML: D7 vs pre")]
    assert a["verdict"] == "relative only" and a["fraction_log2"] > 1.0 and abs(a["absolute_log2"]) < 0.4


def test_effects_are_in_log2_and_intervals_hold_the_planted_one():
    row = pick(run(abundance({"a": 2.0}, per_ul=1.0)), "abundance", "a")
    # odds of a rise by 2 against the rest, which stays: 1 log2
    assert row["effect_low"] < 1.0 < row["effect_high"] and row["effect"] == pytest.approx(1.0, abs=0.3)
    # six differences have 5, the model of all days 18 - 6 - 2
    assert 5 <= row["df"] <= 10 and row["n_patients"] == 6 and row["converged"]


def test_exact_tests_state_their_floor():
    tests = run(abundance({"a": 2.0}, per_ul=1.0))
    row = pick(tests, "abundance_signflip", "a")
    assert row["p_floor"] == pytest.approx(2 / 64) and row["p"] >= row["p_floor"]
    assert pick(tests, "abundance_signedrank", "a")["p_floor"] == pytest.approx(2 / 64)


def test_separated_population_has_no_number_but_a_reason_on_every_scale():
    table = abundance({"a": 1.0}, per_ul=1.0)
    gone = (table["population"] == "a") & (table["timepoint"] == "pre")
    table.loc[gone, ["n_cells", "fraction", "cells_per_ul"]] = 0.0
    tests = run(table)
    for test in ("abundance", "absolute", "clr", "abundance_paired"):
        row = pick(tests, test, "a")
        assert row["separated"] and np.isnan(row["effect"]) and "separated" in row["reason"]
    assert np.isfinite(pick(tests, "abundance", "a", "CIML: D28 vs pre")["n_patients"])
    assert np.isfinite(pick(tests, "abundance", "b")["effect"])


def test_two_patients_are_told_to_be_too_few_in_every_test():
    tests = run(abundance({}, per_ul=1.0, patients=2))
    assert tests["p"].isna().all() and tests["reason"].str.contains("2 patients have both").all()


def test_every_nan_effect_has_a_reason():
    table = abundance({"a": 2.0}, per_ul=4.0)
    table.loc[table["patient"].isin(["P0", "P1", "P2", "P3"]) & (table["day"] == 28), "nk_per_ul"] = np.nan
    tests = run(table)
    assert tests.loc[tests["effect"].isna(), "reason"].notna().all()


def test_fdr_is_benjamini_hochberg_within_test_and_contrast():
    from scipy.stats import false_discovery_control

    tests = run(abundance({"a": 2.0}, per_ul=4.0))
    part = tests[(tests["test"] == "abundance") & (tests["contrast"] == "CIML: D7 vs pre")]
    np.testing.assert_allclose(part["fdr"], false_discovery_control(part["p"]))


def test_unassigned_cells_stay_in_the_denominator_and_are_not_tested():
    table = abundance({}, per_ul=1.0)
    table["population"] = table["population"].replace("c", "unassigned")
    tests = run(table)
    assert "unassigned" not in set(tests["population"])
    full = run(abundance({}, per_ul=1.0))
    assert pick(tests, "abundance", "a")["effect"] == pytest.approx(pick(full, "abundance", "a")["effect"], abs=1e-3)


def test_opposite_moves_of_share_and_count_are_named():
    scales = compare_scales(run(abundance({"b": 6.0, "c": 6.0}, per_ul=16.0))).set_index(["population", "contrast"])
    assert scales.loc[("a", "CIML: D7 vs pre"), "verdict"] == "opposite"


def test_paired_differences_agree_with_the_model_where_noise_is_even():
    tests = run(abundance({"a": 2.0}, per_ul=1.0))
    model, paired = (pick(tests, t, "a") for t in ("abundance", "abundance_paired"))
    assert paired["effect"] == pytest.approx(model["effect"], abs=0.15) and paired["p"] < 0.05
    assert paired["method"] == "paired_moderated_t" and model["primary"] and not paired["primary"]
