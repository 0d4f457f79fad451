"""Designs that a hostile reviewer would hand in: each has the right answer, or none with a reason; never a silent p."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.differential import abundance_tests
from cimlnk.dynamics.expression.differential import expression_tests
from cimlnk.dynamics.repertoire.differential import patient_tests
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.stats.linear_mixed import NO_SCATTER, random_intercept

DAYS = ((-7, "pre"), (7, "D7"), (28, "D28"))
SIX = {f"P{i}": "CIML" for i in range(6)}
WEIGHTS = {"a": 0.2, "b": 0.3, "c": 0.5}


def cohort(patients, edit=lambda patient, arm, label, counts, nk: (counts, nk), seed=0):
    """ABUNDANCE without effect; `edit` changes the counts and NK/µL of a sample, or takes it away (None)."""
    random, rows = np.random.default_rng(seed), []
    for patient, arm in patients.items():
        own = {k: w * np.exp(random.normal(0, 0.3)) for k, w in WEIGHTS.items()}
        for day, label in DAYS:
            w = np.array([v * np.exp(random.normal(0, 0.12)) for v in own.values()])
            counts = dict(zip(WEIGHTS, random.multinomial(2000, w / w.sum()).astype(float), strict=True))
            told = edit(patient, arm, label, counts, 20 * np.exp(random.normal(0, 0.15)))
            for name, n in (*told[0].items(), ("NK", sum(told[0].values()))) if told else ():
                rows.append((f"{patient}_{label}", patient, arm, day, label, name, n, sum(told[0].values()), told[1]))
    columns = ["sample", "patient", "arm", "day", "timepoint", "population", "n_cells", "n_nk", "nk_per_ul"]
    table = pd.DataFrame(rows, columns=columns).assign(modality="cytof", tissue_or_product="blood")
    table["fraction"] = table["n_cells"] / table["n_nk"].where(table["n_nk"] > 0)
    return table.assign(cells_per_ul=table["fraction"] * table["nk_per_ul"])


def asked(table, reference_arm=None):
    facts = ["sample", "patient", "day", "timepoint", "arm", "tissue_or_product", "modality"]
    patients = table[["patient", "arm"]].drop_duplicates()
    samples = table[facts].drop_duplicates("sample")
    tests = abundance_tests(table, samples, patients, baseline="pre", reference_arm=reference_arm)
    silent = tests["p"].isna() & tests["reason"].isna()
    assert not silent.any() and not (tests["p"] == 0).any() and not np.isinf(tests["effect"]).any()
    return tests


def of(tests, test, population="a", contrast="CIML: D7 vs pre"):
    found = tests[(tests["test"] == test) & (tests["population"] == population) & (tests["contrast"] == contrast)]
    assert len(found) == 1
    return found.iloc[0]


def test_three_against_three_have_no_exact_p_below_their_floors():
    tests = asked(cohort({**{f"P{i}": "CIML" for i in range(3)}, **{f"Q{i}": "IL2" for i in range(3)}}), "IL2")
    for test, floor in (("signflip", 0.25), ("signedrank", 0.25), ("relabelling", 0.1)):
        found = tests[tests["test"].str.endswith(test)]
        assert len(found) and found["p"].min() >= floor - 1e-12


@pytest.mark.parametrize("levels", [0, 1])
def test_equal_changes_in_all_patients_are_no_p_of_zero(levels):
    """No scatter is left: neither a fold of two nor a fold of one has an error to be judged by."""

    def edit(patient, arm, label, counts, nk):
        own = 1.0 + levels * int(patient[1])
        grown = 2.0 if label == "D7" else 1.0
        return {"a": 100.0 * own, "b": 600.0, "c": 1300.0 - 100.0 * own}, 10.0 * own * grown

    tests = asked(cohort(SIX, edit))
    for test in ("absolute", "absolute_paired", "clr"):
        assert "is the same in every" in of(tests, test)["reason"] and np.isnan(of(tests, test)["p"])
    assert of(tests, "absolute_signflip")["p"] == pytest.approx(2 / 64)
    assert of(tests, "absolute_signflip", contrast="CIML: D28 vs pre")["p"] == 1
    # cells are drawn, so that counts have an error even where they agree
    assert of(tests, "abundance")["p"] > 0.9


def test_a_fit_without_scatter_is_refused_whatever_the_patients_levels():
    patient, time = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    design = np.column_stack([np.ones(18), time == 1, time == 2]).astype(float)
    fit = random_intercept(3.0 * patient + (time == 1) / 3, design, patient)
    assert not fit.converged and fit.reason == NO_SCATTER
    assert random_intercept(3.0 * patient + time + 0.001 * np.sin(np.arange(18)), design, patient).converged


def test_states_that_move_by_the_same_in_all_patients_have_no_model_p():
    table = cohort(SIX)
    samples = table[["sample", "patient", "day", "timepoint", "arm", "modality"]].drop_duplicates("sample")
    state = samples[["sample"]].assign(population="NK", feature="CD57", n_cells=500, fraction_positive=0.5)
    state["median"] = state["mean"] = samples["patient"].str[1].astype(float) + (samples["timepoint"] == "D7") / 3
    found = state_tests(state, samples, modality="cytof", baselines=["pre"], measures=["median"]).set_index("method")
    for method in ("paired_moderated_t", "linear_mixed"):
        assert found.loc[method, "p"].isna().all() and (found.loc[method, "reason"] == NO_SCATTER).all()


def test_a_population_without_cells_has_no_number_on_any_scale():
    tests = asked(cohort(SIX, lambda p, a, label, counts, nk: ({**counts, "a": 0.0}, nk)))
    for test in ("abundance", "abundance_paired", "absolute", "absolute_paired", "clr"):
        assert of(tests, test)["separated"] and np.isnan(of(tests, test)["effect"])
        assert np.isfinite(of(tests, test, "b")["p"])


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_counts_of_zero_are_taken_for_no_logarithm_and_shares_are_still_tested():
    tests = asked(cohort(SIX, lambda p, a, label, counts, nk: (counts, 0.0 if label == "D7" else nk)))
    assert np.isfinite(of(tests, "abundance")["p"])
    absolute = tests[tests["test"].str.startswith("absolute")]
    assert set(absolute["contrast"]) == {"CIML: D28 vs pre"}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_sample_without_any_nk_cell_is_left_out():
    def edit(patient, arm, label, counts, nk):
        return (dict.fromkeys(counts, 0.0) if (patient, label) == ("P0", "D7") else counts), nk

    assert of(asked(cohort(SIX, edit)), "abundance")["n_patients"] == 5


def test_one_huge_strange_sample_is_one_patient_among_six():
    def edit(patient, arm, label, counts, nk):
        return ({"a": 8e5, "b": 1e5, "c": 1e5} if (patient, label) == ("P0", "D7") else counts), nk

    tests = asked(cohort(SIX, edit))
    assert (tests.loc[tests["contrast"] == "CIML: D7 vs pre", "p"] > 0.05).all()  # per cell it is beyond any doubt


def test_patients_with_a_single_visit_tell_nothing_about_change():
    def edit(patient, arm, label, counts, nk):
        return None if patient in ("S", "T") and label != "D7" else (counts, nk)

    with_them, without = asked(cohort({**SIX, "S": "CIML", "T": "CIML"}, edit)), asked(cohort(SIX))
    for test in ("abundance_paired", "absolute_signflip"):
        assert of(with_them, test)["p"] == of(without, test)["p"] and of(with_them, test)["n_patients"] == 6
    assert of(with_them, "abundance")["n_patients"] == 6
    alone = {"P0": "pre", "P1": "D7", "P2": "D28", "P3": "pre", "P4": "D7", "P5": "D28"}
    assert asked(cohort(SIX, lambda p, a, label, c, nk: (c, nk) if alone[p] == label else None)).empty


def test_an_arm_without_baseline_is_neither_tested_nor_compared():
    patients = {**{f"P{i}": "CIML" for i in range(5)}, **{f"Q{i}": "IL2" for i in range(5)}}
    tests = asked(cohort(patients, lambda p, a, label, c, nk: None if (a, label) == ("IL2", "pre") else (c, nk)), "IL2")
    assert set(tests["contrast"]) == {"CIML: D7 vs pre", "CIML: D28 vs pre"}


def test_genes_with_the_same_counts_in_all_samples_have_not_changed():
    """Equal counts have no scatter; taken for their error, an effect of rounding had p = 1e-133."""
    table = cohort(SIX)
    samples = table[["sample", "patient", "day", "timepoint", "arm", "modality"]].drop_duplicates("sample")
    counts = np.tile(np.random.default_rng(0).integers(20, 400, (60, 1)), (1, len(samples)))
    found = expression_tests(
        pd.DataFrame(counts, columns=samples["sample"], index=[f"g{i}" for i in range(60)]),
        samples.assign(modality="rna", tissue_or_product="blood"), "NK", baselines=["pre"],
    )  # fmt: skip
    assert len(found) and found["p"].min() > 0.99


def test_samples_that_are_all_alike_have_no_nearest_neighbour():
    table = cohort(SIX)
    samples = table[["sample", "patient", "day", "timepoint", "arm"]].drop_duplicates("sample")
    found = patient_tests(np.zeros((len(samples),) * 2), samples, modality="cytof", what="composition", permutations=99)
    assert found["p"].isna().all() and found["reason"].notna().all()
