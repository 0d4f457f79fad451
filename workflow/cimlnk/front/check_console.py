"""What a check found, as lines for a console."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from .collect import TECHNICAL
from .findings import NOTE, STOP, WARN, WORDS, Findings

SHOWN_ROWS = 10
NARROW, WIDE = 80, 150  # columns of a console that lines are made for
LONGEST, LEAST_LAST = 48, 30  # letters of a cell; of a line of the last one


KEPT = ("can be named",)  # a column that is read though all its rows say the same


def report(name: str, findings: Findings) -> list[str]:
    """The findings as lines for a console."""
    width = min(max(shutil.get_terminal_size((WIDE, 24)).columns, NARROW), WIDE)
    lines = [findings.summary] if findings.summary else []
    for title, table in findings.tables.items():
        if title in findings.page_only:
            continue
        shown = table
        if "gate" in table:  # those of pulse shape, DNA and beads are on the page
            shown = table[~table["gate"].str.split(" (", regex=False).str[0].isin(TECHNICAL)]
        more = len(table) - min(len(shown), SHOWN_ROWS)
        lines.append(f"{title} ({len(table)}" + (f"; {more} of them on the page alone):" if more else "):"))
        shown, same = apart(shown)
        lines += ["  " + line for line in table_lines(shown.head(SHOWN_ROWS), width - 2)]
        lines += [f"  in every row: {same}"] if same else []
    for level in (NOTE, WARN, STOP):
        lines += [f"{WORDS[level]}: {text}" for text in findings.of(level)]
    verdict = "a run would not finish" if findings.stops else "a run would finish"
    n = len(findings.of(WARN))
    lines.append(f"cimlnk: {name}: {verdict}; {len(findings.of(STOP))} to mend, {n} to read with care")
    return lines


def apart(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The columns of a table that differ between its rows, and the others in words (of more than two rows)."""
    same: dict[str, str] = {}
    for column in table.columns[1:]:
        texts = {_text(v) for v in table[column]}
        if column not in KEPT and len(table) > 2 and len(texts) == 1 and len(same) < len(table.columns) - 2:
            same[str(column)] = texts.pop()
    words = "; ".join(f"{column} {text}" for column, text in same.items() if text)
    return table.drop(columns=list(same)), words


def table_lines(table: pd.DataFrame, width: int) -> list[str]:
    """A table within `width` letters: no empty columns, words at the left, and the last column goes on below itself.

    Examples
    --------
    >>> import pandas as pd
    >>> table_lines(pd.DataFrame({"sample": ["a", "b"], "n": [1, 20], "empty": ["", None], "why": ["", "none"]}), 80)
    ['sample   n  why', 'a        1', 'b       20  none']
    """
    texts = {str(c): [_text(v) for v in table[c]] for c in table.columns}
    numbers = {str(c): is_numeric_dtype(table[c]) for c in table.columns}
    texts = {c: v for c, v in texts.items() if any(v)}
    if not texts:
        return []
    *before, last = texts
    wide = {c: max(len(c), *(min(len(t), LONGEST) for t in texts[c])) for c in texts}
    start = sum(wide[c] + 2 for c in before)
    room = max(width - start, LEAST_LAST)

    def line(cells: list[str]) -> list[str]:
        *fixed, end = (
            t.rjust(wide[c]) if numbers[c] else t if c == last else shorten(t).ljust(wide[c])
            for c, t in zip(texts, cells, strict=True)
        )
        first, *rest = textwrap.wrap(end, room, drop_whitespace=not numbers[last]) or [""]
        return ["  ".join([*fixed, first]).rstrip(), *(" " * start + part for part in rest)]

    rows = [list(texts), *(list(cells) for cells in zip(*texts.values(), strict=True))]
    return [part for cells in rows for part in line(cells)]


def shorten(text: str) -> str:
    """At most LONGEST letters of a cell."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _text(value: Any) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
