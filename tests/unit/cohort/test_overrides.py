"""The override sheet: every wrong row is told, every right one is a decision in plain data."""

import json

import pytest

from cimlnk.cohort.overrides import excluded_samples, names_of, read_overrides, thresholds_of
from cimlnk.common.errors import Problems

HEAD = "what\tkey\tmarker\tvalue\taction\twhy\n"


def read(tmp_path, *rows):
    (tmp_path / "o.tsv").write_text(HEAD + "".join("\t".join(r) + "\n" for r in rows))
    problems = Problems()
    return read_overrides({"cohort": {"overrides": "o.tsv"}}, tmp_path, problems), [str(e) for e in problems.errors]


def test_all_kinds_are_read(tmp_path):
    (tmp_path / "cells.txt").write_text("s1:4\n")
    rows, problems = read(
        tmp_path,
        ("cluster", "cytof:3", "", "my_cells", "rename", "dim for CD16"),
        ("population", "CD56dim_KIR", "", "CD56dim", "merge", ""),
        ("cluster", "7", "CD57", "2.5 CD56dim_CD57", "split", ""),
        ("cells", "cells.txt", "", "", "exclude", "doublets"),
        ("threshold", "run1", "CD159a", "1.8", "set", ""),
        ("sample", "s9", "", "", "exclude", "clotted"),
    )
    assert problems == [] and len(rows) == 6 and json.loads(json.dumps(rows)) == rows
    assert [r["row"] for r in names_of(rows, "cytof")] == [2, 3, 4, 5]
    assert [r["row"] for r in names_of(rows, "rna")] == [3, 4, 5]
    assert rows[2]["number"] == 2.5 and rows[2]["name"] == "CD56dim_CD57" and len(rows[3]["sha256"]) == 64
    assert [(t["marker"], t["number"], t["key"]) for t in thresholds_of(rows)] == [("NKG2A", 1.8, "run1")]
    assert excluded_samples(rows) == ["s9"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("cluster", "x", "", "n", "rename", ""), "the number of a cluster"),
        (("cluster", "3", "", "", "rename", ""), "a name of letters"),
        (("cluster", "3", "", "b", "set", ""), "rename or merge or split or exclude"),
        (("cluster", "3", "CD57", "high", "split", ""), "a number and a name"),
        (("cluster", "3", "", "2 x", "split", ""), "the marker"),
        (("threshold", "run1", "CD57", "two", "set", ""), "a number on the analysis scale"),
        (("cells", "none.txt", "", "x", "rename", ""), "no such file"),
        (("clutser", "3", "", "x", "rename", ""), "did you mean 'cluster'"),
    ],
)
def test_each_mistake_is_one_message_with_its_row(tmp_path, row, words):
    rows, problems = read(tmp_path, row)
    assert rows == [] and len(problems) == 1 and words in problems[0] and "row 2, column" in problems[0]


def test_a_cohort_without_the_sheet_has_none(tmp_path):
    assert read_overrides({"cohort": {"overrides": None}}, tmp_path, Problems()) == []


def test_a_selection_saved_by_the_explorer_is_one_decision(tmp_path):
    from cimlnk.cohort.overrides import cell_ids

    picked = [("cells", f"s1:{i}", "", "mine", "rename", "odd") for i in range(5)]
    rows, problems = read(tmp_path, *picked, ("cells", "s1:9", "", "", "exclude", ""))
    assert problems == [] and [(r["lines"], r["action"]) for r in rows] == [([2, 6], "rename"), ([7, 7], "exclude")]
    assert rows[0]["key"] == "s1:0 and 4 more" and rows[0]["modality"] is None
    assert cell_ids(rows[0], tmp_path, "o.tsv") == [f"s1:{i}" for i in range(5)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [("threshold", "all", "NKG2Z", "3", "set")],
            "row 2, column marker: found 'NKG2Z', expected a marker of the panel",
        ),
        ([("cluster", "3", "CD17", "2 x", "split")], "did you mean 'CD16'"),
        ([("threshold", "all", "NCAM", "3", "set")], None),  # CD56 by another name
        ([("sample", s, "", "", "exclude") for s in ("a_pre", "a_d7", "b_pre", "b_d7")], "every sample excluded"),
        ([("sample", "a_d7", "", "", "exclude")], None),
    ],
)
def test_markers_and_exclusions_are_checked_against_the_other_sheets(folder, rows, words):
    """Without RNA, whose genes only the data tell."""
    folder.replace("samples", "a_rna\ta\t7\tD7\tCIML\tblood\trna\trna/a_d7.h5\t1\n", "")
    folder.config["cohort"]["overrides"] = "o.tsv"
    folder.write("o", HEAD + "".join("\t".join(r) + "\t\n" for r in rows))
    if words is None:
        assert len(folder.load().overrides) == 1
    else:
        told = folder.told()
        assert len(told) == 1 and words in told[0]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (("cluster", "3", "", "a", "rename", ""), ("cluster", "cytof:3", "", "b", "rename", ""), "rename a"),
        (("cluster", "rna:3", "", "a", "merge", ""), ("cluster", "rna:3", "", "", "exclude", ""), "merge a"),
        (("population", "NK1", "", "", "exclude", ""), ("population", "NK1", "", "b", "merge", ""), "exclude"),
        (("threshold", "all", "CD159a", "1.8", "set", ""), ("threshold", "all", "NKG2A", "2", "set", ""), "set 1.8"),
        (("cluster", "rna:3", "", "a", "rename", ""), ("cluster", "cytof:3", "", "b", "rename", ""), None),
        (("cluster", "3", "CD57", "2 a", "split", ""), ("cluster", "3", "CD16", "2 b", "split", ""), None),
        (("threshold", "all", "NKG2A", "1", "set", ""), ("threshold", "run1", "NKG2A", "2", "set", ""), None),
        (("cells", "s1:4", "", "a", "rename", ""), ("cells", "s1:4", "", "b", "rename", ""), None),
    ],
)
def test_two_rows_that_decide_the_same_cells_contradict_each_other(tmp_path, one, other, told):
    rows, problems = read(tmp_path, one, other)
    assert len(rows) == 2 and len(problems) == (told is not None)
    assert told is None or (f"({told})" in problems[0] and problems[0].startswith("o.tsv: row 3, column key"))
