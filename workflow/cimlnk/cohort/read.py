"""Sheets as people save them: any line ending, UTF-8 with or without BOM, UTF-16, Latin-1; tab, comma or semicolon."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cimlnk.common.errors import Plain, Problems, UserError, nearest

# Drafted sheets say in this column which cells are guesses; it is for people and is not read.
REMARKS = "?"
DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon"}
# str.strip() leaves these, and spreadsheets and PDF copies bring them along.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
MISSING = {"", "na", "n/a", "nan", "null", "none", "#n/a"}


@dataclass
class Sheet:
    """A sheet as text: column names, and per row its line number in a spreadsheet (the header is row 1) and cells."""

    file: str
    columns: list[str]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)


def read_sheet(path: str | Path, required: Sequence[str], optional: Sequence[str], file: str, closed: bool) -> Sheet:
    """Read a TSV or CSV sheet; every cell stays text, outer blanks (also non-breaking ones) are cut off.

    Lines that are empty or begin with ``#`` are skipped. The separator is the one under which the header shows the most
    known columns.

    Parameters
    ----------
    path
        The file.
    required, optional
        Known column names.
    file
        Name of the sheet for messages.
    closed
        Whether other columns are a mistake. Otherwise they are covariates, unless their spelling is so near to an
        absent known column that they are surely meant to be it.

    Raises
    ------
    UserErrors
        All of: not a text file, no header, no rows, columns missing, unknown or twice, rows of another length.
    """
    text = decode(Path(path).read_bytes(), file)
    lines = [line if not line.lstrip().startswith("#") else "" for line in text.split("\n")]
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise UserError(file, "row 1", Plain("an empty sheet"), f"a header with the columns {', '.join(required)}")
    known = {*required, *optional}
    delimiter = _delimiter(lines[first], known)
    reader = csv.reader(io.StringIO("\n".join(lines), newline="\n"), delimiter=delimiter, strict=False)
    problems = Problems()
    header: list[str] | None = None
    sheet = Sheet(file, [])
    line = 1
    for cells in reader:
        row, line = line, reader.line_num + 1
        cells = [clean(c) for c in cells]
        if not any(cells):
            continue
        if header is None:
            header = cells
            while header and header[-1] == "":  # a trailing separator on every line is how some programs export
                header.pop()
            _check_header(header, row, required, optional, file, closed, problems)
            problems.raise_if_any()
            sheet.columns = header
            continue
        if any("\n" in c for c in cells):
            problems.add(file, f"row {row}", Plain("a line break inside a cell"), "quotes that are closed in their row")
            continue
        if any(cells[len(header) :]) or _cut_short(cells, header, required):
            expected = f"{len(header)} fields as in the header, separated by {DELIMITERS[delimiter]}"
            problems.add(file, f"row {row}", Plain(f"{len(cells)} fields"), expected)
            continue
        cells += [""] * (len(header) - len(cells))
        sheet.rows.append((row, dict(zip(header, cells, strict=False))))
    if not sheet.rows and not problems.errors:
        problems.add(file, "row 2", Plain("no rows below the header"), "at least one row")
    problems.raise_if_any()
    return sheet


def decode(data: bytes, file: str) -> str:
    """Text of a sheet with ``\\n`` line ends. UTF-8 first; UTF-16 by its BOM; what is not UTF-8 is read as Latin-1."""
    if data[:4] == b"PK\x03\x04" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise UserError(file, "content", Plain("a spreadsheet workbook"), "a text file: save the sheet as TSV or CSV")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    if "\x00" in text:
        raise UserError(file, "content", Plain("binary data"), "a text file (TSV or CSV)")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def clean(cell: str) -> str:
    """A cell without outer blanks and invisible characters, letters composed (é as one character)."""
    return unicodedata.normalize("NFC", cell).strip().strip(INVISIBLE).strip()


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value (empty, NA, NaN, null, …)."""
    return cell.lower() in MISSING


def _delimiter(header: str, known: set[str]) -> str:
    def score(delimiter: str) -> tuple[int, int]:
        cells = [clean(c) for c in next(csv.reader([header], delimiter=delimiter))]
        return sum(c in known for c in cells), len(cells)

    return max(DELIMITERS, key=score)


def _cut_short(cells: list[str], header: list[str], required: Sequence[str]) -> bool:
    """Whether a short row lacks a required column (editors cut trailing tabs: empty optional ones may be absent)."""
    return any(c in required for c in header[len(cells) :])


def _check_header(
    header: list[str],
    row: int,
    required: Sequence[str],
    optional: Sequence[str],
    file: str,
    closed: bool,
    problems: Problems,
) -> None:
    known = [*required, *optional]
    strangers = [name for name in dict.fromkeys(header) if name and name not in known and name != REMARKS]
    for name in required:
        if name in header:
            continue
        meant = nearest(name, strangers)
        if meant is None:
            problems.add(file, f"row {row}, column {name}", Plain("no such column"), f"a column {name!r} in the header")
        else:
            strangers.remove(meant)
            problems.add(file, f"row {row}, column {meant}", meant, f"the column {name!r}", [name])
    absent = [name for name in optional if name not in header]
    for name in strangers:
        if closed or _surely_meant(name, absent):
            expected = f"one of the columns {', '.join(known)}" + ("" if closed else ", or a covariate of another name")
            problems.add(file, f"row {row}, column {name}", name, expected, known)
    for i, name in enumerate(header):
        if name == "":
            problems.add(file, f"row {row}, column {i + 1}", Plain("no name"), "a column name")
        elif name in header[:i]:
            problems.add(file, f"row {row}, column {i + 1}", name, "every column name once")


def _surely_meant(name: str, absent: list[str]) -> bool:
    import difflib

    plain = name.lower().replace(" ", "_")
    return bool(difflib.get_close_matches(plain, absent, n=1, cutoff=0.82))
