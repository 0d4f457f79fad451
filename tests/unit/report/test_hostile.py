"""Markup and formulas in a cohort's free texts stay texts: on the pages, and in a spreadsheet that opens the CSVs."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text, neutral
from cimlnk.report.site import render

EVIL = "<script>fetch('https://example.org')</script>"


def test_a_title_with_markup_is_text_on_every_page(tmp_path):
    site = Site(tmp_path, EVIL)
    page = Page("index.html", EVIL, "a <b>bold</b> lead", menu=EVIL)
    page.sections.append(Section("a", EVIL, [Text("<i>made by us</i>")]))
    render(site, [page])
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "fetch(" in text and "<script>fetch" not in text
    assert "<b>bold</b>" in text and "<i>made by us</i>" in text


def test_no_cell_of_a_csv_is_a_formula():
    cells = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-1.5e-3", "-", "plain", None]
    table = pd.DataFrame({"=a": cells, "kind": pd.Categorical(cells), "n": range(len(cells))})
    out = neutral(table)
    assert out.columns[0] == "'=a"
    for column in ("'=a", "kind"):
        assert list(out[column])[:6] == [f"'{c}" for c in cells[:6]]
        assert list(out[column])[6:9] == cells[6:9]
    assert out["n"].dtype == table["n"].dtype
    assert list(table["=a"]) == cells
