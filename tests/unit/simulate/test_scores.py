import numpy as np
import pandas as pd
import pytest

from cimlnk.simulate.scores import (
    fold_cases,
    nk_fraction_cases,
    nk_gate,
    score,
    score_names,
    subset_cases,
)
from cimlnk.simulate.truth import abundance


def cells(*classes, population="adaptive"):
    ids = [f"S:{i}" for i in range(len(classes))]
    names = [population if c == "NK" else "" for c in classes]
    return pd.DataFrame({"cell": ids, "sample": "S", "class": classes, "population": names, "also": ""})


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


def names(text):
    return np.array(text.split(), dtype=object)


def test_unassigned_cells_cost():
    truth = names("CD56bright " * 4 + "adaptive " * 4)
    nothing = np.full(8, "", dtype=object)
    assert score_names(truth, nothing, truth)["ari"] == 1.0
    found = truth.copy()
    found[[0, 4]] = "unassigned"
    marks = score_names(truth, nothing, found)
    assert np.isnan(score_names(truth[:1], nothing[:1], truth[:1])["ari"])  # of one cell nothing can be said
    assert marks["ari"] < 0.8 and marks["unnamed"] == 0.25 and marks["wrong"] == 0 and marks["right"] == 0.75


def test_a_cell_between_two_populations_is_right_with_either_name():
    truth = names("CD56bright CD56bright CD56dim_NKG2A CD56dim_NKG2A CD56dim_KIR CD56dim_KIR")
    also = np.array(["", "CD56dim_NKG2A", "CD56bright", "", "", ""], dtype=object)
    found = names("CD56bright CD56dim_NKG2A CD56bright CD56dim_NKG2A CD56dim_KIR CD56dim_KIR")
    marks = score_names(truth, also, found)
    assert marks["ari"] == marks["exact"] == 1.0 and marks["ari_strict"] < 1
    # … but not with a third one, and a second name is not taken from a cell that has none.
    assert score_names(truth, also, names("adaptive " * 6))["exact"] == 0
    assert score_names(truth, np.full(6, "", dtype=object), found)["exact"] == pytest.approx(4 / 6)


def test_less_specific_names_are_right_but_not_exact_and_synonyms_are_the_same():
    truth = names("CD56dim_KIR adaptive CD56bright memory_like CIML_activated")
    nothing = np.full(5, "", dtype=object)
    marks = score_names(truth, nothing, names("CD56dim CD56dim CD56dim NKG2A_high activated"))
    assert marks["right"] == pytest.approx(0.8) and marks["exact"] == pytest.approx(0.4)
    assert marks["wrong"] == pytest.approx(0.2)


def test_a_share_is_a_range_where_cells_lie_between():
    table = pd.DataFrame({"modality": "cytof", "sample": "S", "population": ["adaptive", "CD56dim_CD57"],
                          "fraction": [0.5, 0.5]})  # fmt: skip
    known = cells(*["NK"] * 10)
    known.loc[5:, "population"] = "CD56dim_CD57"
    known.loc[[0, 1], "also"] = "CD56dim_CD57"
    known.loc[[9], "also"] = "adaptive"
    # adaptive can claim 3 to 6 of ten cells, CD57+ 4 to 7
    for share, error in ((0.3, 0), (0.6, 0), (0.25, -0.05), (0.7, 0.1)):
        found = pd.DataFrame({"modality": "cytof", "sample": "S", "population": ["adaptive"], "fraction": [share]})
        case = subset_cases(table, found, "cytof", cells=known).set_index("case").loc["S adaptive"]
        assert case["error"] == pytest.approx(error) and case["within"] == (abs(error) <= 0.02)


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
    known = pd.DataFrame({"cell": ids, "sample": "S", "class": "NK", "population": names, "also": ""})
    tables = {"summaries": {"cytof": perfect["summary"]}, "abundance": perfect["abundance"], "folds": perfect["folds"]}
    marks, cases = score({"cytof": known}, truth, {"cytof": known}, **tables)
    assert marks["passed"].all() and len(cases) > 50
    found = known.iloc[:190].copy()  # ten lost cells: recall 0.95
    marks, _ = score({"cytof": known}, truth, {"cytof": found}, **tables)
    assert marks.loc[~marks["passed"], "measure"].tolist() == ["NK gate recall"]
