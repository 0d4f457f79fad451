"""Spillover between dyes: the matrix of a file or a sheet, whether it was applied already, and its removal.

A matrix says which share of a dye's signal every detector receives (rows dyes, columns detectors, diagonal one);
compensated values are the measured ones times its inverse (Bagwell 1993, doi:10.1111/j.1749-6632.1993.tb38775.x).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.sheet import number, read_cells
from cimlnk.cytof.fcs.header import FcsHeader

KEYWORDS = ("$SPILLOVER", "SPILL", "SPILLOVER", "$COMP")
WORST_CONDITION = 1e4  # two dyes with nearly the same row cannot be distinguished
SENT = 0.02  # shares from which the data can show whether they were taken away
BRIGHTEST = 0.02  # share of the events that are looked at as bright in a dye
LEAST_BRIGHT = 40  # events bright in a dye that show what its neighbours receive
MOST_PAIRS = 12  # strongest pairs looked at
HALF = 0.5  # of the matrix's share found in the data: above, the values are uncompensated
EDGE = 0.25  # quantile of the receiving channel, at which cells without its own dye lie
ROWS = 65_536

Floats = NDArray[np.floating]


class Spillover(NamedTuple):
    """Channels, the share of each one's dye (rows) in every detector (columns), and where it is written."""

    channels: list[str]
    matrix: NDArray[np.float64]
    source: str

    @property
    def identity(self) -> bool:
        """Whether nothing spills over."""
        return bool(np.allclose(self.matrix, np.eye(len(self.channels)), atol=1e-6))


class Applied(NamedTuple):
    """Whether a matrix was applied to values already (None: the values do not tell), and the evidence in words."""

    done: bool | None
    evidence: str


def keyword_spillover(header: FcsHeader) -> Spillover | None:
    """The matrix in an FCS file's keywords ($SPILLOVER, SPILL); None if there is none.

    Raises
    ------
    UserError
        If its numbers do not make a square matrix of the channels it names, or a channel is not in the file.
    """
    for key in KEYWORDS:
        text = header.text.get(key, "").strip()
        if not text or text == "0":
            continue
        parts = [p.strip() for p in re.split(r"[,;\t]", text)]
        n = int(parts[0]) if re.fullmatch(r"\d{1,4}", parts[0]) else 0
        if n < 1 or len(parts) != 1 + n + n * n:
            found = Plain(f"{len(parts)} entries, the first {parts[0]!r}")
            expected = "a number n, n channel names and n times n shares"
            raise UserError(header.path, f"keyword {key}", found, expected)
        names = parts[1 : n + 1]
        if key == "$COMP" or all(re.fullmatch(r"\d+", name) for name in names):  # channels by number
            places = [int(p) - 1 if p.isdigit() else i for i, p in enumerate(names)]
            names = [
                header.channels[i] if 0 <= i < len(header.channels) else p for i, p in zip(places, names, strict=True)
            ]
        numbers = [number(p) for p in parts[n + 1 :]]
        wrong = [p for p, v in zip(parts[n + 1 :], numbers, strict=True) if v is None]
        if wrong:
            raise UserError(header.path, f"keyword {key}", wrong[0], "numbers")
        matrix = np.array(numbers, np.float64).reshape(n, n)
        return _checked(names, matrix, f"keyword {key}", file=header.path, channels=header.channels)
    return None


def read_spillover(path: str | Path, header: FcsHeader | None = None) -> Spillover:
    """A matrix from a sheet (CSV or TSV): detectors in the header, dyes in the rows, in shares or per cent.

    The first column may name the dyes (FlowJo, Cytobank), or there is none and the rows are in the header's order
    (FlowKit; a leading ``#`` is passed over). With `header` its channels must be in that file.

    Raises
    ------
    UserError
        For a table that is not square, no numbers, a diagonal other than one, channels that are not in the file.
    """
    path = Path(path)
    lines = [line for line in _lines(path) if any(cell for cell in line)]
    if len(lines) < 2:
        raise UserError(path, "the file", Plain("an empty table"), "a spillover matrix (CSV)")
    names = [c.strip().lstrip("#").strip() for c in lines[0]]
    labelled = number(lines[1][0]) is None
    columns = names[1:] if labelled else names
    rows = [line[0].strip() for line in lines[1:]] if labelled else columns
    cells = [line[1:] if labelled else line for line in lines[1:]]
    problems = Problems()
    for i, line in enumerate(cells, 2):
        if len(line) != len(columns):
            problems.add(
                path, f"row {i}", Plain(f"{len(line)} numbers"), f"{len(columns)}, one a channel of the header"
            )
    if len(cells) != len(columns):
        problems.add(path, "rows", Plain(f"{len(cells)}"), f"{len(columns)}, one a channel of the header")
    problems.raise_if_any()
    values = [[number(c.rstrip("% ")) for c in line] for line in cells]
    for i, shares in enumerate(values):
        for j, value in enumerate(shares):
            if value is None:
                problems.add(path, f"row {i + 2}, column {columns[j]}", cells[i][j], "a share from 0 to 1")
    plain = [_plain(r) for r in rows]
    order = []
    for column in columns:
        if _plain(column) in plain:
            order.append(plain.index(_plain(column)))
        else:
            problems.add(path, f"column {column}", Plain("no row of that name"), "a row for every column", rows)
    problems.raise_if_any()
    matrix = np.array(values, np.float64)[order]
    return _checked(columns, matrix, f"matrix {path.name}", file=path, channels=header.channels if header else None)


def _lines(path: Path) -> list[list[str]]:
    if not path.is_file():
        raise UserError(path, "spillover matrix", Plain("no such file"), "a spillover matrix (CSV)")
    first = path.read_text(encoding="utf-8", errors="replace").lstrip("\ufeff").lstrip()
    if first.startswith("#"):  # a header of comment, as FlowKit writes: not a line that sheets have
        lines = [line for line in first.splitlines() if line.strip()]
        return [[c.strip() for c in re.split(r"[,\t]", line)] for line in lines]
    return [list(cells) for _, cells in read_cells(path).rows]


def _plain(name: str) -> str:
    """A channel's name without ``Comp-``, marker and brackets: ``Comp-APC-A :: CD16`` and ``<APC-A>`` are one."""
    return re.sub(r"(?i)^comp-", "", name.split(" :: ")[0].strip().strip("<>")).casefold()


def _checked(
    names: Sequence[str],
    matrix: NDArray[np.float64],
    where: str,
    *,
    file: object,
    channels: Sequence[str] | None,
) -> Spillover:
    problems = Problems()
    own = np.diag(matrix)
    if len(own) and np.allclose(own, 100):
        matrix = matrix / 100
    off = [i for i, value in enumerate(np.diag(matrix)) if not np.isclose(value, 1, atol=1e-3)]
    if off:
        seen = Plain(", ".join(f"{np.diag(matrix)[i]:g} of {names[i]}" for i in off[:4]))
        problems.add(file, f"{where}, diagonal", seen, "1 for every channel (or 100 per cent)")
    if not np.isfinite(matrix).all():
        problems.add(file, where, Plain("entries that are not finite"), "numbers")
    found = list(names)
    if channels is not None:
        lookup = {_plain(c): c for c in channels}
        for i, name in enumerate(names):
            if _plain(name) in lookup:
                found[i] = lookup[_plain(name)]
            else:
                problems.add(file, f"{where}, channel", name, "a channel of the file", channels)
    for name in sorted({n for n in found if found.count(n) > 1}):
        problems.add(file, f"{where}, channel {name}", Plain(f"{found.count(name)} times"), "every channel once")
    problems.raise_if_any()
    if len(found) and np.linalg.cond(matrix) > WORST_CONDITION:
        rows = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        alike = rows @ rows.T - 2 * np.eye(len(rows))
        i, j = divmod(int(np.argmax(alike)), len(alike))
        found_text = Plain(f"{found[i]} and {found[j]} spill alike: they cannot be distinguished")
        raise UserError(file, where, found_text, "a matrix that can be inverted")
    return Spillover(found, matrix, where)


def compensate(events: Floats, columns: Sequence[int], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values without spillover: those of `columns` times the inverse of `matrix`, the others as they were.

    Parameters
    ----------
    events
        Events x channels, linear.
    columns
        The column of every channel of the matrix.
    matrix
        Rows dyes, columns detectors.

    Examples
    --------
    >>> compensate(np.array([[100.0, 10.0]]), [0, 1], np.array([[1, 0.1], [0, 1]])).round(3).tolist()
    [[100.0, 0.0]]
    """
    out = np.array(events, np.float32)
    inverse = np.linalg.inv(np.asarray(matrix, np.float64))
    for start in range(0, len(out), ROWS):
        part = np.asarray(events[start : start + ROWS][:, list(columns)], np.float64)
        out[start : start + ROWS, list(columns)] = part @ inverse
    return out


def applied_already(events: Floats, columns: Sequence[int], spill: Spillover) -> Applied:
    """Whether the values are compensated already, from what bright cells of one dye show in the other channels.

    In uncompensated values all cells bright in a dye stand above the others by its share wherever it spills, also
    those that carry nothing there: the lower quartile of the receiving channel rises by that share of the dye's
    signal. In compensated values it stays where it was. The strongest pairs of the matrix decide by their weighted
    median.
    """
    if spill.identity:
        return Applied(None, "the matrix is the identity: nothing spills over")
    shares = spill.matrix - np.eye(len(spill.channels))
    pairs = [(i, j) for i, j in np.argwhere(shares >= SENT).tolist()]
    pairs.sort(key=lambda p: -shares[p[0], p[1]])
    found: list[float] = []
    weight: list[float] = []
    spread = [_spread(events[:, c]) for c in columns]
    share = max(BRIGHTEST, LEAST_BRIGHT / max(len(events), 1))
    if share > 0.25:
        return Applied(None, f"{len(events)} events are too few to show spillover")
    for i, j in pairs:
        sender, receiver = events[:, columns[i]], events[:, columns[j]]
        bright = sender >= np.quantile(sender, 1 - share)
        level = float(np.median(sender[bright])) if bright.any() else 0.0
        dim = sender <= np.quantile(sender, 0.5)
        sent = shares[i, j] * (level - float(np.median(sender[dim])))
        if bright.sum() < LEAST_BRIGHT or sent < 3 * spread[j]:
            continue  # what is sent drowns in the receiver's own spread
        rise = float(np.quantile(receiver[bright], EDGE) - np.quantile(receiver[dim], EDGE))
        found.append(rise / sent)
        weight.append(float(shares[i, j]))
        if len(found) == MOST_PAIRS:
            break
    if not found:
        return Applied(None, "no pair of dyes is bright enough to show spillover")
    order = np.argsort(found)
    cumulative = np.cumsum(np.array(weight)[order]) / sum(weight)
    middle = float(np.array(found)[order][int(np.searchsorted(cumulative, 0.5))])
    text = f"bright cells show {middle:.0%} of what the matrix says spills over (median of {len(found)} pairs)"
    return Applied(middle < HALF, text)


def _spread(values: Floats) -> float:
    """Spread of the darkest cells of a channel."""
    low, middle = np.quantile(values, (0.05, 0.25))
    return max(float(middle - low), 1e-6)
