"""The workbook as Excel readers see it: values, no formulas, Prism blocks, the same bytes."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import Schema, write_table
from cimlnk.export.workbook import write_workbook

LOOSE = Schema("LOOSE", {}, extra=True)
EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "http://x.y", "\t=1"]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "results/x"
    rows = [
        {
            "modality": m, "sample": f"{p}{d}", "patient": p, "day": d, "arm": arm, "population": q,
            "tissue_or_product": "product" if d == 0 else "blood", "fraction": 0.25, "cells_per_ul": v, "reason": None,
        }
        for m in ("cytof", "rna")
        for p, arm in (("P2", "CIML"), ("P10", "CIML"), ("C1", "IL2_only"))
        for d, v in ((-7, 10.0), (0, np.nan), (7, 25.0 + len(p)))
        for q in ("NK", "memory_like")
    ]  # fmt: skip
    write_table(pd.DataFrame(rows), root / "dynamics/abundance.parquet", LOOSE)
    sheet = pd.DataFrame(
        {"sample": [f"s{i}" for i in range(len(EVIL))], "note": EVIL, "n": [1.5, np.nan, np.inf, 2, 3, 4]}
    )
    write_table(sheet, root / "cohort/samples.parquet", LOOSE)
    return root


def written(root, tmp_path, name="o.xlsx"):
    write_workbook(root=root, files=sorted(root.rglob("*.parquet")), title="t", output=tmp_path / name)
    return tmp_path / name


def test_no_cell_is_a_formula_or_a_link(root, tmp_path):
    path = written(root, tmp_path)
    with zipfile.ZipFile(path) as z:
        sheets = [z.read(n).decode() for n in z.namelist() if n.startswith("xl/worksheets/sheet")]
    assert sheets and not any("<f>" in s or "<hyperlink" in s for s in sheets)
    openpyxl = pytest.importorskip("openpyxl")
    rows = list(openpyxl.load_workbook(path)["Design"].iter_rows(values_only=True))
    assert [r[1] for r in rows[1:]] == EVIL
    assert [r[2] for r in rows[1:4]] == [1.5, None, None], "missing and infinite numbers are empty"


def test_prism_blocks_are_days_by_patients(root, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(written(root, tmp_path))
    rows = list(book["Prism cells per uL"].iter_rows(values_only=True))
    assert rows[0][0].startswith("all NK") and rows[1][:4] == ("arm", "CIML", "CIML", "IL2_only")
    assert rows[2][:4] == ("day", "P10", "P2", "C1")
    assert rows[3][:4] == (-7, 10, 10, 10) and rows[4][:4] == (7, 28, 27, 27), "blood only"
    headings = [r[0] for r in rows if r[0] and "cells per" in str(r[0])]
    assert len(headings) == 3, "all NK once, the subset by both modalities"
    percent = list(book["Prism percent of NK"].iter_rows(values_only=True))
    assert percent[3][1] == 25 and "all NK" not in percent[0][0]


def test_columns_are_explained_and_equal_results_give_equal_bytes(root, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    one, two = written(root, tmp_path), written(root, tmp_path, "p.xlsx")
    assert one.read_bytes() == two.read_bytes()
    book = openpyxl.load_workbook(one)
    words = {(r[0], r[1]): r[3] for r in book["Dictionary"].iter_rows(values_only=True)}
    assert ("Fractions", "cells_per_ul") in words and ("Design", "note") in words
    assert {r[0] for r in book["Read me"].iter_rows(min_row=2, values_only=True)} == set(book.sheetnames) - {"Read me"}
