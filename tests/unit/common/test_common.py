"""Errors, seeds, tables and provenance that every stage relies on."""

import pandas as pd
import pytest

from cimlnk.common.errors import Problems, UserError, UserErrors, nearest
from cimlnk.common.provenance import sha256
from cimlnk.common.seeds import derive, rng
from cimlnk.common.tables import Schema, read_provenance, read_table, write_table

SCHEMA = Schema("demo", {"sample": ("str", "id"), "n": ("int", "cells"), "note": ("str?", "why")})


def test_error_names_file_place_found_expected_and_nearest():
    text = str(UserError("s.tsv", "row 2, column arm", "CIMl", "an arm", ["CIML", "IL2_only"]))
    assert text == "s.tsv: row 2, column arm: found 'CIMl', expected an arm (did you mean 'CIML'?)"


def test_nearest_is_silent_when_nothing_is_near():
    assert nearest("zzz", ["CIML"]) is None


def test_problems_are_told_together():
    problems = Problems()
    problems.add("a", "b", 1, "2")
    problems.extend(UserErrors([UserError("c", "d", 3, "4"), UserError("e", "f", 5, "6")]))
    with pytest.raises(UserErrors) as e:
        problems.raise_if_any()
    assert str(e.value).count("\n") == 2


def test_streams_are_stable_and_independent_of_each_other():
    assert derive(1, "a") == derive(1, "a") != derive(1, "b")
    assert derive(1, "a", "b") != derive(1, "ab")  # names are not glued together
    assert rng(1, "a").integers(1 << 30) == rng(1, "a").integers(1 << 30)


def test_table_keeps_types_and_provenance_and_equal_runs_give_equal_bytes(tmp_path):
    table = pd.DataFrame({"note": [None, "x"], "sample": ["001", "1"], "n": [1.0, 2.0]})
    for name in ("one.parquet", "two.parquet"):
        write_table(table, tmp_path / name, SCHEMA, provenance={"rule": "r"})
    back = read_table(tmp_path / "one.parquet", SCHEMA)
    assert list(back.columns) == ["sample", "n", "note"] and back["n"].dtype == "int64"
    assert list(back["sample"]) == ["001", "1"]
    assert read_provenance(tmp_path / "one.parquet") == {"rule": "r"}
    assert sha256(tmp_path / "one.parquet") == sha256(tmp_path / "two.parquet")


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"sample": ["a"], "n": [1]}),
        pd.DataFrame({"sample": ["a"], "n": [1], "note": ["x"], "more": [1]}),
        pd.DataFrame({"sample": [None], "n": [1], "note": ["x"]}),
        pd.DataFrame({"sample": ["a"], "n": [float("nan")], "note": ["x"]}),
    ],
    ids=["missing column", "undeclared column", "missing string", "missing integer"],
)
def test_table_of_another_shape_is_refused(table):
    with pytest.raises(ValueError, match="table demo"):
        SCHEMA.check(table)


def test_a_message_repeats_no_book():
    told = str(UserError("a.yaml", "cohort.title", "x" * 2_000_000, "text"))
    assert len(told) < 300 and "(2,000,002 characters)" in told


def test_the_same_mistake_in_many_rows_keeps_its_suggestion():
    problems = Problems()
    for row in range(2, 102):
        problems.add("a.tsv", f"row {row}, column arm", "CIMl", "an arm", ["CIML", "IL2_only"])
    with pytest.raises(UserError, match=r"100 in all.*did you mean 'CIML'"):
        problems.raise_if_any()
