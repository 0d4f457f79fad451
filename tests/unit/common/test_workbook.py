"""Sheets kept in a spreadsheet workbook are read as they stand there."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest
import xlsxwriter

from cimlnk.common.errors import UserError
from cimlnk.common.sheet import read_cells
from cimlnk.common.workbook import UNPACKED, read_workbook

HEADER = ["sample", "patient", "day", "path"]


def book(path, **tabs):
    with xlsxwriter.Workbook(path) as workbook:
        date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in tabs.items():
            sheet = workbook.add_worksheet(name)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, dt.datetime):
                        sheet.write_datetime(i, j, cell, date)
                    elif cell is not None:
                        sheet.write(i, j, cell)
    return path


def test_cells_come_as_text_with_their_row_numbers(tmp_path):
    rows = [["# run 3"], [], [*HEADER, "collected", "fresh", None]]
    rows += [
        ["s1", "P1", 0, "a.fcs", dt.datetime(2024, 5, 3), True],
        [None] * 6,
        ["s2", "P1", 7.5, "b.fcs", None, False],
    ]
    found = read_cells(book(tmp_path / "s.xlsx", Sheet1=rows), "s.xlsx", HEADER)
    assert found.rows == [
        (3, [*HEADER, "collected", "fresh"]),
        (4, ["s1", "P1", "0", "a.fcs", "2024-05-03", "TRUE"]),
        (6, ["s2", "P1", "7.5", "b.fcs", "", "FALSE"]),
    ]
    assert not found.decimal_comma


def test_of_several_tabs_the_one_with_the_known_columns_is_read(tmp_path):
    tabs = {"notes": [["written by", "me"]], "patients": [["patient", "arm"], ["P1", "CIML"]]}
    tabs["samples"] = [HEADER, list("abcd")]
    path = book(tmp_path / "all.xlsx", **tabs)
    assert read_cells(path, "all.xlsx", HEADER).rows[1] == (2, list("abcd"))
    assert read_cells(path, "all.xlsx", ["patient", "arm"]).rows[1] == (2, ["P1", "CIML"])


def test_two_tabs_alike_are_told_and_not_chosen_between(tmp_path):
    path = book(tmp_path / "all.xlsx", samples=[HEADER, list("abcd")], old=[HEADER, list("efgh")])
    with pytest.raises(UserError, match="'samples' and 'old', with the same columns"):
        read_cells(path, "all.xlsx", HEADER)


def test_a_sheet_of_samples_is_loaded_from_a_workbook(tmp_path):
    from cimlnk.cohort.read import read_sheet

    path = book(tmp_path / "s.xlsx", Sheet1=[HEADER, ["s1", "P1", 0, "a.fcs"], ["s2", "P1", 7, "b.fcs"]])
    sheet = read_sheet(path, HEADER, [], file="s.xlsx", closed=True)
    assert [row["day"] for _, row in sheet.rows] == ["0", "7"]


def test_damaged_and_bloated_workbooks_end_in_one_line(tmp_path):
    good = book(tmp_path / "g.xlsx", a=[HEADER, list("abcd")]).read_bytes()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"\0" * (UNPACKED + 1))
    odd = [good[:200], good[:-30], b"PK\x03\x04" + bytes(500), b"\xd0\xcf\x11\xe0" + bytes(600), stream.getvalue()]
    for data in odd:
        with pytest.raises(UserError) as caught:
            read_workbook(data, "g.xlsx")
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("seed", range(40))
def test_any_byte_may_be_damaged(tmp_path, seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    data = bytearray(book(tmp_path / "g.xlsx", a=[HEADER, *[list("abcd")] * 30]).read_bytes())
    for at in rng.integers(len(data), size=8):
        data[at] = rng.integers(256)
    try:
        read_workbook(bytes(data), "g.xlsx")
    except UserError as error:
        assert len(str(error).splitlines()) == 1
