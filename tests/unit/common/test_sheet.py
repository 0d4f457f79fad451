"""The one reader of sheets: the same cells, however a program saved them; never another exception."""

from __future__ import annotations

import contextlib
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlnk.common.errors import Problems, UserError, UserErrors
from cimlnk.common.sheet import number, read_cells

ROWS = [["patient", "day", "share"], ["Müller", "7", "0,5"], ["P2", "-7", "1"]]


def joined(separator: str, end: str = "\n") -> str:
    return end.join(separator.join(row) for row in ROWS) + end


WAYS = {
    "tab": joined("\t").encode(),
    "semicolon with BOM": ("\ufeff" + joined(";")).encode(),
    "quoted comma": "\n".join(",".join(f'"{c}"' for c in row) for row in ROWS).encode(),
    "sep line": ("sep=;\r\n" + joined(";", "\r\n")).encode(),
    "quoted sep line with BOM": ('\ufeff"sep=|"\n' + joined("|")).encode(),
    "classic Mac": joined("\t", "\r").encode(),
    "Windows-1252": joined("\t").encode("cp1252"),
    "UTF-16 with BOM": joined("\t").encode("utf-16"),
    "UTF-16 without BOM": joined("\t").encode("utf-16-be"),
    "comments above": ("# run 3; old\n#\n\n" + joined("\t")).encode(),
    "comments as a spreadsheet saves them": ('"# run 3, old";;\n# a;;\n;;\n' + joined(";")).encode(),
    "trailing columns": joined("\t").replace("\n", "\t\t \n").encode(),
    "trailing rows": (joined("\t") + "\t\t\n" * 4).encode(),
    "blanks": joined("\t").replace("\t", " \t\u00a0").encode(),
    "decomposed letters": unicodedata.normalize("NFD", joined("\t")).encode(),
    "hash before the header": ("#" + joined("\t")).encode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_saving_gives_the_same_cells(tmp_path, way):
    (tmp_path / "a.csv").write_bytes(WAYS[way])
    assert [cells for _, cells in read_cells(tmp_path / "a.csv", known=("patient", "day")).rows] == ROWS


def test_comments_are_kept_and_a_quoted_header_is_none(tmp_path):
    (tmp_path / "a.csv").write_text('"# ? day: a ""b"", c",,\n#\n# x ,,\n"#id","day",c\n1,2,3\n')
    cells = read_cells(tmp_path / "a.csv")
    assert cells.comments == ['# ? day: a "b", c', "#", "# x"]
    assert cells.rows == [(4, ["#id", "day", "c"]), (5, ["1", "2", "3"])]


def test_windows_letters_are_letters(tmp_path):
    (tmp_path / "a.csv").write_bytes("day\nday\u20131 \u20ac".encode("cp1252"))
    assert read_cells(tmp_path / "a.csv").rows[1][1] == ["day\u20131 \u20ac"]


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path):
    (tmp_path / "a.csv").write_text('# one\n\na,b\n"x\ny",2\n\n#3,4\n')
    assert read_cells(tmp_path / "a.csv").rows == [(3, ["a", "b"]), (4, ["x\ny", "2"]), (7, ["#3", "4"])]


@pytest.mark.parametrize(
    ("name", "words"), [("none.csv", "No such file"), (".", "a folder"), ("x\0", "null"), ("x" * 300, "too long")]
)
def test_what_cannot_be_opened_is_told(tmp_path, name, words):
    with pytest.raises(UserError, match=words):
        read_cells(f"{tmp_path}/{name}", "a.csv")


def test_a_cell_without_end_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "x" * 200_000)
    with pytest.raises(UserError, match="row 2: found field larger"):
        read_cells(tmp_path / "a.csv")


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_whatever_stands_there_is_cells_or_one_message(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    with contextlib.suppress(UserError):
        for _, cells in read_cells(path).rows:
            assert all(cell == cell.strip() for cell in cells)


def test_numbers():
    assert number("0,5") is None
    assert number("0,5", decimal_comma=True) == 0.5
    assert number("\u22127") == -7
    assert number("1e400") is None


def test_a_kind_of_mistake_is_one_line():
    problems = Problems()
    for row in range(2, 12):
        problems.add("a.tsv", f"row {row}, column arm", "HD", "one of CIML")
    problems.add("a.tsv", "row 3, column day", "x", "an integer")
    problems.add("b.tsv", "header", "x", "another")
    problems.add("b.tsv", "header", "y", "another")
    with pytest.raises(UserErrors) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert lines[0] == "a.tsv: rows 2, 3, 4, 5, … (10 in all), column arm: found 'HD', expected one of CIML"
    assert lines[2] == "b.tsv: header: found 'x', 'y', expected another" and len(lines) == 3
