import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from cimlnk.simulate.scores import (
    adjusted_rand,
    fold_cases,
    nk_fraction_cases,
    nk_gate,
    population_ari,
    score,
    subset_cases,
)
from cimlnk.simulate.truth import abundance


def cells(*classes, population="adaptive"):
    ids = [f"S:{i}" for i in range(len(classes))]
    names = [population if c == "NK" else "" for c in classes]
    return pd.DataFrame({"cell": ids, "sample": "S", "class": classes, "population": names})


def test_precision_and_recall_by_hand():
    truth = cells("NK", "NK", "NK", "NK", "T", "doublet", "dead")
    kept = pd.Series(["S:0", "S:1", "S:2", "S:4", "S:5"])
    # 3 of 5 kept are NK, 3 of 4 NK are kept, 3 of the 4 whole cells among the kept are NK.
    assert nk_gate(truth, kept) == {"precision": 0.6, "recall": 0.75, "precision_lineage": 0.75}


def test_cells_from_nowhere_or_twice_are_a_fault():
    truth = cells("NK", "T")
    with pytest.raises(ValueError, match="1 cells are not in the truth, the first is 'S:7'"):
        nk_gate(truth, pd.Series(["S:0", "S:7"]))
    with pytest.raises(ValueError, match="1 cells are kept twice"):
        nk_gate(truth, pd.Series(["S:0", "S:0"]))


def test_nothing_kept_has_no_precision_and_no_recall():
    marks = nk_gate(cells("NK", "T"), pd.Series([], dtype=object))
    assert np.isnan(marks["precision"]) and marks["recall"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_rand_equals_scikit_learn(seed):
    random = np.random.default_rng(seed)
    a = pd.Series(random.integers(0, 6, 500))
    b = a.where(pd.Series(random.random(500) < 0.7), random.integers(0, 4))
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)


def test_ari_of_a_single_group_and_of_nothing():
    same = pd.Series(["x"] * 4)
    assert adjusted_rand(same, same) == 1.0
    assert np.isnan(adjusted_rand(same[:1], same[:1]))


def test_contaminants_do_not_count_in_the_ari_but_unassigned_cells_do():
    truth = cells(*["NK"] * 8, "T", "T")
    truth.loc[:3, "population"] = "CD56bright"
    found = truth[["cell", "population"]].copy()
    found.loc[8:, "population"] = "adaptive"
    assert population_ari(truth, found) == 1.0
    found.loc[[0, 4], "population"] = "unassigned"
    assert population_ari(truth, found) < 0.8


@pytest.fixture(scope="module")
def truth():
    return abundance("tiny", 1)


@pytest.fixture
def perfect(truth):
    """The tables a perfect pipeline would write."""
    cytof = truth[(truth["modality"] == "cytof") & (truth["population"] == "NK")]
    found = truth[truth["modality"] != "counts"]
    nk = truth[(truth["population"] == "NK") & (truth["tissue_or_product"] == "blood")]
    folds = nk.assign(modality="cytof", fold_change=nk["fold"]).drop_duplicates(["patient", "day"])
    return {
        "summary": cytof[["sample", "n_nk", "n_lymphocytes"]].copy(),
        "abundance": found[["modality", "sample", "population", "fraction"]].copy(),
        "folds": folds[["modality", "patient", "population", "day", "fold_change"]].copy(),
    }


def test_a_perfect_pipeline_gets_full_marks(truth, perfect):
    for cases in (
        nk_fraction_cases(truth, perfect["summary"]),
        fold_cases(truth, perfect["folds"]),
        subset_cases(truth, perfect["abundance"], "cytof"),
        subset_cases(truth, perfect["abundance"], "rna"),
    ):
        assert len(cases) > 5 and cases["within"].all() and (cases["error"].abs() < 1e-12).all()


def test_errors_beyond_the_tolerance_are_counted_once_each(truth, perfect):
    perfect["summary"].loc[perfect["summary"]["sample"] == "P1_pre_cytof", "n_nk"] *= 1.5  # 8 % to 11 %
    perfect["summary"].loc[perfect["summary"]["sample"] == "P2_pre_cytof", "n_nk"] *= 1.1  # 15 % to 17 %: within
    cases = nk_fraction_cases(truth, perfect["summary"]).set_index("case")["within"]
    assert not cases["P1_pre_cytof"] and cases["P2_pre_cytof"] and (~cases).sum() == 1
    at = (perfect["folds"]["patient"] == "P2") & (perfect["folds"]["day"] == 10)
    perfect["folds"].loc[at, "fold_change"] *= 1.11
    assert fold_cases(truth, perfect["folds"]).query("not within")["case"].tolist() == ["P2 day 10"]


def test_missing_answers_are_not_within(truth, perfect):
    folds = perfect["folds"][perfect["folds"]["day"] != 100]
    missed = fold_cases(truth, folds).query("not within")
    assert set(missed["case"]) == {f"{p} day 100" for p in ("P1", "P2", "P3", "C1", "C2")}
    assert missed["found"].isna().all()


def test_a_population_not_found_has_share_zero_but_a_lost_sample_none(truth, perfect):
    table = perfect["abundance"]
    without = table[~((table["population"] == "memory_like") | (table["sample"] == "P1_D7_cytof"))]
    cases = subset_cases(truth, without, "cytof")
    found = cases.set_index("case")["found"]
    assert found["P2_D28_cytof memory_like"] == 0
    assert np.isnan(found["P1_D7_cytof proliferating"])


def test_marks_and_thresholds(truth, perfect):
    ids = [f"P1_pre_cytof:{i}" for i in range(200)]
    names = ["CD56bright", "adaptive"] * 100
    known = pd.DataFrame({"cell": ids, "sample": "P1_pre_cytof", "class": "NK", "population": names})
    tables = {"summaries": {"cytof": perfect["summary"]}, "abundance": perfect["abundance"], "folds": perfect["folds"]}
    marks, cases = score({"cytof": known}, truth, {"cytof": known}, **tables)
    assert marks["passed"].all() and len(cases) > 50
    found = known.iloc[:190].copy()  # ten lost cells: recall 0.95
    marks, _ = score({"cytof": known}, truth, {"cytof": found}, **tables)
    assert marks.loc[~marks["passed"], "measure"].tolist() == ["NK gate recall"]
