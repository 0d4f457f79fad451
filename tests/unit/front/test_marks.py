"""Marks of guesses: said once where a column shares them, and the same after a spreadsheet has saved the sheet."""

import contextlib
import csv
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from cimlnk.cohort.rows import read_rows
from cimlnk.common.errors import Problems, UserError
from cimlnk.front.findings import NOTE, Findings
from cimlnk.front.guess_panel import guess_panel
from cimlnk.front.guess_samples import guess_samples
from cimlnk.front.marks import look_at_marks, read_marks, sheet_text

NAMES = ("P1_pre.fcs", "P1_D7.fcs", "P2_pre.fcs", "P2_D7.fcs", "P3_pre.fcs")


def drafted(names=NAMES, **more):
    return guess_samples({n: (n, "cytof") for n in names}, **more)


def written(folder, data):
    path = folder / "s.tsv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def typed(path):
    problems = Problems()
    table = read_rows(path, "samples", "s.tsv", problems=problems)
    problems.raise_if_any()
    return table.drop(columns="\nline")


def test_what_all_rows_share_is_said_once_and_no_row_is_marked(tmp_path):
    path = written(tmp_path, sheet_text(drafted()))
    lines = path.read_text().splitlines()
    assert [line for line in lines if line.startswith("# ?")] == [
        "# ? patient: from the file name", "# ? timepoint: from the file name", "# ? batch: nothing says so",
        "# ? arm: nothing says so", "# ? day: by the time point's name",
    ]  # fmt: skip
    assert lines[6].split("\t")[0] == "sample" and "?" not in lines[6].split("\t")
    marks = read_marks(path, "s.tsv", "samples")
    assert marks.number == 5 and not any(marks.rows)
    assert list(typed(path)["patient"]) == ["P1", "P1", "P2", "P2", "P3"]


def test_the_odd_row_keeps_its_own_reason(tmp_path):
    described = pd.DataFrame({"patient": ["a", "a", "b", "b"]}, index=list(NAMES[:4]))
    path = written(tmp_path, sheet_text(drafted(described=described, table="a; b.csv")))
    marks = read_marks(path, "s.tsv", "samples")
    assert "patient: column patient of a, b.csv (4 of 5 rows)" in marks.shared
    assert marks.rows == ["", "", "", "", "patient: from the file name"] and marks.number == 6


def test_of_a_panel_the_markers_that_share_a_reason_are_named(tmp_path):
    panel, _ = guess_panel([("Nd145Di", "CD4"), ("Nd148Di", "CD33"), ("Eu151Di", "CD123"), ("Er170Di", "CD3")],
                           {"Er170Di": 2})  # fmt: skip
    path = written(tmp_path, sheet_text(panel, "marker"))
    marks = read_marks(path, "p.tsv", "panel")
    assert marks.shared == ["cluster: in the graph, as there are few NK markers (CD4, CD33, CD123)"]
    assert marks.rows == ["", "", "", "no such channel in 2 files"]


def as_csv(lines, delimiter):
    """As Excel saves a sheet whose comments lie in the first column: quoted where they hold commas, and filled up."""
    stream = io.StringIO()
    cells = [line.split("\t") for line in lines]
    width = max(map(len, cells))
    csv.writer(stream, delimiter=delimiter, lineterminator="\r\n").writerows(
        [*c, *[""] * (width - len(c))] for c in cells
    )
    return stream.getvalue()


def as_workbook(lines):
    book, stream = Workbook(), io.BytesIO()
    for line in lines:
        book.active.append(line.split("\t"))
    book.save(stream)
    return stream.getvalue()


WAYS = {
    "comma": lambda lines: as_csv(lines, ",").encode(),
    "semicolon, Windows-1252": lambda lines: as_csv(lines, ";").encode("cp1252"),
    "Unicode text": lambda lines: as_csv(lines, "\t").encode("utf-16"),
    "workbook": as_workbook,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_spreadsheet_that_saves_the_sheet_keeps_rows_and_marks(tmp_path, way):
    # a comma in a reason is what makes a spreadsheet quote the line; `sample` and `day` in it are no header
    described = pd.DataFrame({"patient": ["ä", "a", "b", "b", "b"]}, index=list(NAMES))
    text = sheet_text(drafted(described=described, table="who,sample,day.csv"))
    before = written(tmp_path, text)
    rows, marks = typed(before), read_marks(before, "s.tsv", "samples")
    assert any("who,sample,day.csv" in said for said in marks.shared)
    lines = text.splitlines()
    after = written(tmp_path, WAYS[way](lines))
    pd.testing.assert_frame_equal(typed(after), rows)
    assert read_marks(after, "s.tsv", "samples") == marks
    lines[1] = ""  # the cell emptied, its row left
    after = written(tmp_path, WAYS[way](lines))
    pd.testing.assert_frame_equal(typed(after), rows)
    assert read_marks(after, "s.tsv", "samples").shared == marks.shared[1:]


def test_what_is_unconfirmed_is_said_until_line_and_cell_are_gone(tmp_path):
    described = pd.DataFrame({"patient": ["a", "a", "b", "b"]}, index=list(NAMES[:4]))
    lines = sheet_text(drafted(described=described, table="who.csv")).splitlines()

    def told():
        findings = Findings()
        look_at_marks({"samples": "s.tsv", "panel": None}, tmp_path, findings)
        return findings.of(NOTE)

    written(tmp_path, "\n".join(lines))
    assert told() == ["s.tsv: unconfirmed guesses for whole columns (patient, timepoint, batch, arm and day; a line "
                      "“# ?” each, to be deleted) and in 1 row (column ?)"]  # fmt: skip
    written(tmp_path, "\n".join(line for line in lines if not line.startswith("# ?")))
    assert told() == ["s.tsv: unconfirmed guesses in 1 row (column ?)"]
    written(tmp_path, "\n".join(line.replace("patient: from the file name", "") for line in lines if "# ?" not in line))
    assert told() == []


TEXT = sheet_text(drafted())


@settings(max_examples=150, deadline=None)
@given(
    at=st.integers(0, len(TEXT)),
    cut=st.integers(0, 9),
    put=st.sampled_from('# ? \t \n , ; " \r \x00 é #? ,,,'.split(" ")),
)
def test_a_bent_sheet_has_marks_or_one_message(tmp_path_factory, at, cut, put):
    path = written(tmp_path_factory.getbasetemp(), TEXT[:at] + put + TEXT[at + cut :])
    with contextlib.suppress(UserError):
        assert read_marks(path, "s.tsv", "samples").number >= 0
    with contextlib.suppress(UserError):
        typed(path)
