"""Overrides on cells: what a row names changes, nothing else does, and what it was is told."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.populations.override import annotation_by_hand, rename_cells, set_thresholds

CLUSTER = np.array([0, 0, 1, 1, 2, 2])
NAMES = np.array(["A", "A", "B", "B", "B", "B"], dtype=object)
CELLS = np.array([f"s:{i}" for i in range(6)], dtype=object)
CD57 = np.array([0.0, 3.0, 0.0, 3.0, 0.0, 3.0])


def row(what, key, action, name=None, **more):
    return {"row": 2, "what": what, "key": key, "action": action, "name": name, "number": None, "marker": None,
            "why": None, "lines": None} | more  # fmt: skip


def apply(*rows, base="."):
    return rename_cells(NAMES, CLUSTER, CELLS, values={"CD57": CD57}, overrides=rows, base=base, file="o.tsv")


def test_names_change_where_a_row_says_and_nowhere_else():
    names, changes = apply(row("cluster", "1", "rename", "mine"))
    assert list(names) == ["A", "A", "mine", "mine", "B", "B"] and list(NAMES[2:4]) == ["B", "B"]
    assert changes.loc[0, "would_be"] == "B (2)" and changes.loc[0, "n_cells"] == 2
    names, _ = apply(row("population", "B", "merge", "A"))
    assert set(names) == {"A"}
    names, _ = apply(row("cluster", "2", "split", "B57", number=2.0, marker="CD57"))
    assert list(names) == ["A", "A", "B", "B", "B", "B57"]


def test_rows_act_one_after_the_other():
    names, changes = apply(row("cluster", "1", "rename", "mine"), row("population", "mine", "exclude"))
    assert list(names) == ["A", "A", "unassigned", "unassigned", "B", "B"]
    assert list(changes["would_be"]) == ["B (2)", "mine (2)"]


def test_a_selection_of_cells_is_read_from_its_file(tmp_path):
    (tmp_path / "c.txt").write_text("s:0\ns:5\n")
    names, _ = apply(row("cells", "c.txt", "rename", "picked"), base=tmp_path)
    assert list(names) == ["picked", "A", "B", "B", "B", "picked"]
    (tmp_path / "c.txt").write_text("s:0\ns:77\n")
    with pytest.raises(UserError, match="s:77"):
        apply(row("cells", "c.txt", "rename", "picked"), base=tmp_path)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (row("cluster", "9", "rename", "x"), "a cluster from 0 to 2"),
        (row("population", "Bb", "rename", "x"), "did you mean 'B'"),
        (row("cluster", "1", "split", "x", number=1.0, marker="CD5"), "did you mean 'CD57'"),
    ],
)
def test_what_is_not_there_is_told(bad, words):
    with pytest.raises(UserError, match=words):
        apply(bad)


def test_the_annotation_tells_the_name_without_the_row():
    table = pd.DataFrame({"cluster": [0, 1, 2], "population": ["A", "B", "B"], "reason": [None] * 3})
    _, changes = apply(row("cluster", "1", "rename", "mine"))
    after = annotation_by_hand(table, changes)
    assert list(after["population"]) == ["A", "mine", "B"] and "would have been B" in after.loc[1, "reason"]


def test_thresholds_are_set_by_batch_or_for_all():
    cuts = pd.DataFrame(
        {"feature": ["CD57", "CD57", "CD16"], "batch": ["x", "y", "x"], "threshold": [1.0, np.nan, 2.0],
         "method": "valley", "reason": None}
    )  # fmt: skip
    one = set_thresholds(cuts, [row("threshold", "y", "set", marker="CD57", number=3.0)], "o.tsv")
    assert list(one["threshold"]) == [1.0, 3.0, 2.0] and list(one["method"]) == ["valley", "override", "valley"]
    assert "would have been none" in one.loc[1, "reason"]
    every = set_thresholds(cuts, [row("threshold", "all", "set", marker="CD57", number=3.0)], "o.tsv")
    assert list(every["threshold"]) == [3.0, 3.0, 2.0] and list(cuts["method"]) == ["valley"] * 3
    with pytest.raises(UserError, match="all, or a batch: x, y"):
        set_thresholds(cuts, [row("threshold", "z", "set", marker="CD57", number=3.0)], "o.tsv")
