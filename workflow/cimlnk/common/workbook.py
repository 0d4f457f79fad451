"""Sheets of a spreadsheet workbook (Excel, LibreOffice) as rows of cells, read as text."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

from .errors import Plain, UserError

MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # xlsx, xlsm, ods; xls
UNPACKED = 512 << 20  # bytes; a workbook of ten thousand samples has some ten million
CELLS = 5_000_000

Rows = list[tuple[int, list[str]]]


def read_workbook(data: bytes, file: str) -> dict[str, Rows]:
    """The tabs of a workbook that hold anything: name -> row number (from 1) and cells, empty rows left out.

    Whole numbers come without a decimal part, dates as YYYY-MM-DD, truth values as TRUE and FALSE, formulas as the
    value that was saved with them.

    Raises
    ------
    UserError
        If it is no workbook, protected by a password, damaged, or unpacks to more than half a gigabyte.
    """
    _bounded(data, file)
    import python_calamine as calamine

    expected = "a workbook that a spreadsheet program opens (or a text file: TSV, CSV)"
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        tabs: dict[str, Rows] = {}
        for name in book.sheet_names:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height * max(sheet.total_width, 1) > CELLS:
                found = Plain(f"{sheet.total_height:,} rows and {sheet.total_width:,} columns")
                raise UserError(file, f"tab {name}", found, f"at most {CELLS:,} cells")
            rows = [(n, [_text(c) for c in row]) for n, row in enumerate(sheet.to_python(skip_empty_area=False), 1)]
            rows = [(n, cells) for n, cells in rows if any(cells)]
            if rows:
                tabs[str(name)] = rows
        return tabs
    except UserError:
        raise
    except calamine.PasswordError:
        raise UserError(file, "content", Plain("a workbook locked by a password"), "one without a password") from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise UserError(file, "content", Plain(" ".join(str(error).split())[:120]), expected) from None
    except BaseException as error:
        # a panic of the Rust reader is no Exception; anything else (an interrupt) is not ours
        if type(error).__name__ != "PanicException":
            raise
        raise UserError(file, "content", Plain("a damaged workbook"), expected) from None


def _bounded(data: bytes, file: str) -> None:
    if data[:4] != MAGIC[0]:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UserError(file, "content", Plain(f"a damaged workbook ({error})"), "a workbook, or a text file") from None
    if size > UNPACKED:
        raise UserError(file, "content", Plain(f"{size:,} bytes unpacked"), f"at most {UNPACKED:,}: is this the sheet?")


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, (dt.date, dt.time)):
        return cell.isoformat()
    return "" if cell is None else str(cell)
