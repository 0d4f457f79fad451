"""Marks of guesses in drafted sheets: what a column shares is said once at the head, what is a row's own in the row."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.cohort.read import REMARKS
from cimlnk.cohort.schemas import load_schema
from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import UserError
from cimlnk.common.home import locate
from cimlnk.common.sheet import MARK, is_missing, read_cells

from .findings import NOTE, Findings

BETWEEN = "; "  # the reasons of a row
SHARED = 3  # rows of a panel, from which on a reason is said once with the markers it is of
HEAD = (
    "# A line with # ? is a guess for its whole column: look at it, correct the cells that are wrong, delete the line."
)
ODD = f"# Rows that differ say so in the column {REMARKS}: look at them and empty the cell."
KINDS = ("samples", "panel", "flow_panel", "counts", "patients", "antibodies", "donors")


@dataclass
class Marks:
    """What of a sheet is a guess.

    Attributes
    ----------
    shared
        What is said once, at the head of the sheet.
    rows
        What is said of single rows: a text a row, "" for none.
    """

    shared: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many there are to look at: lines, and reasons of single rows."""
        return len(self.shared) + sum(len(said.split(BETWEEN)) for said in self.rows if said)


def plain_reason(text: str) -> str:
    """A reason as it can stand in a sheet: on one line, and without what stands between reasons."""
    return " ".join(text.replace(";", ",").split())


def said_once(table: pd.DataFrame, names: str | None = None) -> Marks:
    """The marks of a drafted sheet, those that most rows share said once.

    Parameters
    ----------
    table
        A sheet with the column ``?``: reasons like ``patient: from the file name``, several parted by ``; ``.
    names
        Column of the names of the rows, by which a reason that some rows share is said once, too (panels).

    Examples
    --------
    >>> rows = pd.DataFrame({"?": ["day: by its name"] * 3 + ["day: nothing says so; arm: x"]})
    >>> said_once(rows)
    Marks(shared=['day: by its name (3 of 4 rows)'], rows=['', '', '', 'day: nothing says so; arm: x'])
    """
    reasons = [[r for r in said.split(BETWEEN) if r] for said in table[REMARKS]]
    number = Counter(r for own in reasons for r in own)
    shared: dict[str, str] = {}
    for reason, n in number.items():
        if n == len(table):
            shared[reason] = reason
        elif names is not None and n >= SHARED:
            of = [str(v) for v, own in zip(table[names], reasons, strict=True) if reason in own]
            shared[reason] = f"{reason} ({', '.join(of)})"
        elif names is None and 2 * n > len(table):
            shared[reason] = f"{reason} ({n} of {count(len(table), 'row')})"
    return Marks(list(shared.values()), [BETWEEN.join(r for r in own if r not in shared) for own in reasons])


def sheet_text(table: pd.DataFrame, names: str | None = None) -> str:
    """A drafted sheet as text: marks that rows share as comments, the column ``?`` for what is particular to a row."""
    marks = said_once(table, names)
    table = table.assign(**{REMARKS: marks.rows}) if any(marks.rows) else table.drop(columns=REMARKS)
    stream = io.StringIO()
    if marks.shared:
        lines = [HEAD, *([ODD] if any(marks.rows) else []), *(f"# ? {said}" for said in marks.shared)]
        stream.write("".join(line + "\n" for line in lines))
    table.to_csv(stream, sep="\t", index=False, lineterminator="\n", float_format="%g")
    return stream.getvalue()


def read_marks(path: Path, file: str, kind: str) -> Marks:
    """The marks that are left in a sheet.

    Raises
    ------
    UserError
        If it cannot be read as one.
    """
    cells = read_cells(path, file, (load_schema(kind) or {})["properties"])
    hits = (MARK.match(line) for line in cells.comments)
    marks = Marks([hit[1].rstrip("\t,; ") for hit in hits if hit])
    (_, header), *rows = cells.rows or [(1, [])]
    if REMARKS in header:
        at = header.index(REMARKS)
        marks.rows = ["" if len(own) <= at or is_missing(own[at]) else own[at] for _, own in rows]
    return marks


def look_at_marks(sheets: Mapping[str, Any], base: Path, findings: Findings) -> None:
    """Guesses of a draft that nobody has confirmed: lines with ``# ?``, and rows with something in the column ``?``."""
    for kind in KINDS:
        name = sheets.get(kind)
        if name is None:
            continue
        try:
            marks = read_marks(locate(name, base), name, kind.removeprefix("flow_"))
        except UserError:  # reported with the sheets
            continue
        said = []
        if marks.shared:
            about = listed([text.split(":")[0] for text in marks.shared], most=8)
            said.append(f"for whole columns ({about}; a line “# ?” each, to be deleted)")
        if n := sum(map(bool, marks.rows)):
            said.append(f"in {count(n, 'row')} (column {REMARKS})")
        if said:
            findings.add(NOTE, f"{name}: unconfirmed guesses {' and '.join(said)}")
