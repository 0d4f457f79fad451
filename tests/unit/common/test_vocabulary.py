"""Ids of cells, and JSON that is the same for every writer."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest

from cimlnk.common import json as house_json
from cimlnk.common import vocabulary
from cimlnk.common.vocabulary import cell_id, event_of, sample_of


@pytest.mark.parametrize("sample", ["P1_pre", "P1:day 7", "Ä:", ":"])
@pytest.mark.parametrize("event", [0, np.int64(41), "AAACCTGAGAAACCAT-1"])
def test_a_cell_id_gives_back_its_sample_and_its_event(sample, event):
    cell = cell_id(sample, event)
    assert (sample_of(cell), event_of(cell)) == (sample, str(event))


def test_json_is_sorted_and_knows_neither_numpy_nor_nan(tmp_path):
    content = {"b": np.float32(0.5), "a": [np.nan, {"c": np.array([1, 2]), 3: (np.int64(4), -np.inf)}], "d": "µ"}
    house_json.write_json(tmp_path / "deep" / "x.json", content)
    text = (tmp_path / "deep" / "x.json").read_text(encoding="utf-8")
    expected = {"a": [None, {"3": [4, None], "c": [1, 2]}], "b": 0.5, "d": "µ"}
    assert json.loads(text) == expected == house_json.read_json(tmp_path / "deep" / "x.json")
    assert list(json.loads(text)) == ["a", "b", "d"] and text.endswith("}\n")


@pytest.mark.parametrize("module", [vocabulary, house_json])
def test_examples(module):
    tried = doctest.testmod(module)
    assert tried.attempted and not tried.failed
