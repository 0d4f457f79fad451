"""A cohort's sheets with named columns: which are known, which are covariates, which are slips of the pen."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cimlnk.common.errors import Plain, Problems, UserError, nearest
from cimlnk.common.sheet import read_cells

# Drafted sheets say in this column which cells are guesses; it is for people and is not read.
REMARKS = "?"
# The typed table's own column, the line in the sheet; no header can have this name, so no covariate collides with it.
LINE = "\nline"


MOST_COLUMNS = 1000


@dataclass
class Sheet:
    """A sheet as text: column names, and per row its line number in a spreadsheet (the header is row 1) and cells."""

    file: str
    columns: list[str]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    decimal_comma: bool = False


def read_sheet(path: str | Path, required: Sequence[str], optional: Sequence[str], *, file: str, closed: bool) -> Sheet:
    """Read a sheet with a header, by :func:`cimlnk.common.sheet.read_cells`; every cell stays text.

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
        All of: not a sheet, no header, no rows, columns missing, unknown or twice, rows of another length.
    """
    cells_of = read_cells(path, file, [*required, *optional])
    if not cells_of.rows:
        raise UserError(file, "row 1", Plain("an empty sheet"), f"a header with the columns {', '.join(required)}")
    problems = Problems()
    (line, header), *rows = cells_of.rows
    if _row_numbers(header, rows):
        header, rows = header[1:], [(n, cells[1:]) for n, cells in rows]
    if len(header) > MOST_COLUMNS:
        expected = f"at most {MOST_COLUMNS}: is this the sheet, or a matrix?"
        raise UserError(file, f"row {line}", Plain(f"{len(header):,} columns"), expected)
    _check_header(header, line, required, optional=optional, file=file, closed=closed, problems=problems)
    problems.raise_if_any()
    sheet = Sheet(file, header, decimal_comma=cells_of.decimal_comma)
    for row, cells in rows:
        if any("\n" in c for c in cells):
            problems.add(file, f"row {row}", Plain("a line break inside a cell"), "quotes that are closed in their row")
        elif any(cells[len(header) :]) or _cut_short(cells, header, required):
            comment = ", beginning with #: comments stand above the header" if cells[0].startswith("#") else ""
            expected = f"{len(header)} fields as in the header, separated by {cells_of.separator}{comment}"
            problems.add(file, f"row {row}", Plain(f"{len(cells)} fields"), expected)
        else:
            cells = cells + [""] * (len(header) - len(cells))
            sheet.rows.append((row, dict(zip(header, cells, strict=False))))
    if not sheet.rows and not problems.errors:
        problems.add(file, "row 2", Plain("no rows below the header"), "at least one row")
    problems.raise_if_any()
    return sheet


def _row_numbers(header: list[str], rows: list[tuple[int, list[str]]]) -> bool:
    """Whether the first column only numbers the rows, as R and pandas write it where nobody told them not to."""
    if not header or header[0] not in ("", "Unnamed: 0") or not rows:
        return False
    first = [cells[0] for _, cells in rows]
    return any(first == [str(i) for i in range(k, k + len(first))] for k in (0, 1))


def _cut_short(cells: list[str], header: list[str], required: Sequence[str]) -> bool:
    """Whether a short row lacks a required column (editors cut trailing tabs: empty optional ones may be absent)."""
    return any(c in required for c in header[len(cells) :])


def _check_header(
    header: list[str],
    row: int,
    required: Sequence[str],
    *,
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
    plain = name.lower().replace(" ", "_")
    return bool(difflib.get_close_matches(plain, absent, n=1, cutoff=0.82))
