"""The antibody sheet: what a right one gives, and every wrong row told in one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cimlnk.cohort.antibodies import check_antibodies, hashtagged
from cimlnk.cohort.read import LINE
from cimlnk.cohort.rows import read_rows
from cimlnk.common.errors import Problems

CFG = {"cohort": {"samples": "samples.tsv", "data_root": None}, "rna": {"antibodies": "adt.tsv"}}
SAMPLES = pd.DataFrame({"sample": ["a", "b", "c"], "modality": ["rna", "rna", "cytof"]})


@pytest.fixture
def look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("adt.csv", "raw.h5", "calls.csv"):
        Path(name).write_text("x")

    def go(*rows):
        Path("adt.tsv").write_text("\n".join(["sample\tcounts\tempty\thashtags\thashtag", *rows]) + "\n")
        problems = Problems()
        sheet = read_rows(Path("adt.tsv"), "antibodies", "adt.tsv", problems=problems)
        found = None if sheet is None else check_antibodies(sheet, SAMPLES, CFG, base=Path(), problems=problems)
        return found, [str(e) for e in problems.errors], sheet

    return go


def test_a_right_sheet(look):
    found, told, sheet = look("a\tadt.csv\traw.h5\t\t", "b\t\t\tcalls.csv\tHTO1")
    assert told == []
    assert found == {"a": {"counts": "adt.csv", "empty": "raw.h5"}, "b": {"hashtags": "calls.csv", "hashtag": "HTO1"}}
    assert hashtagged(sheet) == {"b"} and LINE in sheet


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["d\tadt.csv\t\t\t"], "row 2, column sample: found 'd', expected a sample of samples.tsv"),
        (["c\tadt.csv\t\t\t"], "expected a sample of modality rna, and this one is cytof"),
        (["a\tadt.csv\t\t\t", "a\tadt.csv\t\t\t"], "expected every sample once, but it is in row 2 too"),
        (["a\t\t\t\t"], "row 2: found neither counts, empty nor hashtags, expected at least one of them"),
        (["a\t\t\tcalls.csv\t"], "row 2, column hashtag: found nothing, expected a value, as hashtags is given"),
        (["a\tadt.csv\t\t\tHTO1"], "row 2, column hashtags: found nothing"),
        (
            ["a\tatd.csv\t\t\t"],
            "row 2, column counts: found 'atd.csv', expected a file or folder below .",
        ),
        (
            ["a\t\t\tcalls.csv\tHTO1", "b\t\t\tcalls.csv\tHTO1"],
            "row 3, column hashtag: found 'HTO1', expected a hashtag of its own for every sample, but row 2 has it too",
        ),
    ],
)
def test_wrong_rows_end_in_one_line(look, rows, message):
    _, told, _ = look(*rows)
    assert len(told) == 1 and message in told[0] and "\n" not in told[0]
