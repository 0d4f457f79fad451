"""The spillover matrix: what it may hold, how it is read and written, how it is fitted to a panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.sheet import number, read_cells
from cimlnk.cytof.metals import ISOTOPES, Metal, parse_metal

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

OXIDE = 16  # M+16: the metal's oxide
TOLERATED = 0.001  # 0.1 %: implausible entries of a given matrix up to here are noise and set to zero


def plausible(sender: Metal, receiver: Metal) -> bool:
    """Whether signal of one channel can physically appear in another (Chevrier 2018).

    Neighbouring masses (±1, the tail of the peak), the oxide (+16), and masses of which the sender's metal has stable
    isotopes (impurity of the enriched isotope).
    """
    step = receiver.mass - sender.mass
    return step in (-1, 1, OXIDE) or (step != 0 and receiver.mass in ISOTOPES.get(sender.symbol or "", ()))


def plausible_mask(senders: Sequence[str], receivers: Sequence[str]) -> Bools:
    """(senders, receivers) True where :func:`plausible`; the diagonal (same mass) is False."""
    rows, columns = [_metal(c) for c in senders], [_metal(c) for c in receivers]
    return np.array([[plausible(s, r) for r in columns] for s in rows], dtype=bool).reshape(len(rows), len(columns))


def check_matrix(matrix: pd.DataFrame, source: object = "spillover matrix") -> pd.DataFrame:
    """Check a spillover matrix and return it as float64, implausible noise set to zero.

    Parameters
    ----------
    matrix
        Rows send, columns receive; labels are channel names with metal and mass; entries are shares of the sender's
        own signal (0.03 = 3 %), 1 where sender and receiver are the same channel.

    Raises
    ------
    UserError
        For labels that are no mass channel or repeat, senders that are not receivers too, entries that are not numbers
        from 0 to below 1, diagonal entries other than 1, and physically implausible entries above 0.1 %.
    """
    problems = Problems()
    rows, columns = [str(r) for r in matrix.index], [str(c) for c in matrix.columns]
    for what, names in (("row", rows), ("column", columns)):
        for name in names:
            if parse_metal(name) is None:
                problems.add(source, f"{what} {name}", name, "a mass channel such as Yb176Di")
        for name in sorted({n for n in names if names.count(n) > 1}):
            problems.add(source, f"{what} {name}", Plain(f"{names.count(name)} {what}s"), f"every {what} once")
    for name in rows:
        if name not in columns:
            problems.add(source, f"row {name}", Plain("no column of that name"), "a column for every row", columns)
    problems.raise_if_any()
    values = np.empty(matrix.shape)
    for i, j in np.ndindex(*matrix.shape):
        values[i, j] = pd.to_numeric(matrix.iat[i, j], errors="coerce")
    itself = np.array([[r == c for c in columns] for r in rows])
    if itself.any() and (values[itself] == 100).all():
        values /= 100  # per cent: the diagonal says so
    wrong = ~np.isfinite(values) | np.where(itself, values != 1, (values < 0) | (values >= 1))
    for i, j in np.argwhere(wrong).tolist():
        expected = "1" if itself[i, j] else "a share from 0 to 1"
        problems.add(source, f"row {rows[i]}, column {columns[j]}", matrix.iat[i, j], expected)
    problems.raise_if_any()
    own = np.array([[r == c for c in columns] for r in rows])
    odd = (values > 0) & ~own & ~plausible_mask(rows, columns)
    for i, j in np.argwhere(odd & (values > TOLERATED)).tolist():
        text = Plain(f"{100 * values[i, j]:.2f} %")
        problems.add(source, f"row {rows[i]}, column {columns[j]}", text, "0: not ±1, +16 or an isotope of the metal")
    problems.raise_if_any()
    values[odd] = 0.0
    return pd.DataFrame(values, index=rows, columns=columns)


def read_matrix(path: str | Path) -> pd.DataFrame:
    """Read and check a matrix: senders in the first column, receivers in the header, shares or per cent.

    The sheet is read by :func:`cimlnk.common.sheet.read_cells`; decimal commas are understood in any sheet whose
    separator is none, and so is ``2 %``.
    """
    grid = read_cells(path)
    if len(grid.rows) < 2 or len(grid.rows[0][1]) < 2:
        raise UserError(path, "the file", Plain("an empty table"), "a spillover matrix (CSV)")
    problems = Problems()
    (_, (_, *columns)), *rows = grid.rows
    for line, cells in rows:
        if len(cells) != len(columns) + 1:
            problems.add(path, f"row {line}", Plain(f"{len(cells)} cells"), f"{len(columns) + 1} as in the header")
    problems.raise_if_any()
    comma = grid.separator != "comma"
    values = [[_share(cell, comma) for cell in cells[1:]] for _, cells in rows]
    return check_matrix(pd.DataFrame(values, index=[c[0] for _, c in rows], columns=columns, dtype=object), path)


def _share(cell: str, decimal_comma: bool) -> float | str:
    """A cell of the matrix as a share; the cell itself if it is no number."""
    percent = cell.endswith("%")
    value = number(cell.rstrip("% "), decimal_comma)
    return cell if value is None else value / 100 if percent else value


def write_matrix(matrix: pd.DataFrame, path: str | Path) -> None:
    """Write a matrix as CSV with six digits."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    matrix.to_csv(path, float_format="%.6g", index_label="sender", lineterminator="\n")


def adapt_matrix(matrix: pd.DataFrame, channels: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Fit a matrix to the mass channels of a panel.

    A channel of the panel with metal and mass of a sender takes its row. A detector sees a mass, not a metal: it
    receives what the matrix gives the channel of that mass, whatever its metal. Metals that are not in the panel are
    left out (nothing is stained with them), metals that are not in the matrix send nothing and, if their mass was not
    measured either, receive nothing; both are named in the notes.

    Parameters
    ----------
    matrix
        A checked matrix.
    channels
        Channel names of the panel in their order; others than mass channels are skipped.

    Returns
    -------
    square, notes
        A matrix with the panel's mass channels as rows and columns, diagonal 1; the departures in words.
    """
    wanted = [c for c in channels if parse_metal(c) is not None]
    sender = {_metal(r): r for r in matrix.index}
    receiver = {_metal(c).mass: c for c in matrix.columns}
    square = pd.DataFrame(np.eye(len(wanted)), index=wanted, columns=wanted)
    silent, deaf = [], []
    for row in wanted:
        if _metal(row) not in sender:
            silent.append(row)
            continue
        for column in wanted:
            mass = _metal(column).mass
            if mass != _metal(row).mass and mass in receiver and plausible(_metal(row), _metal(column)):
                square.at[row, column] = matrix.at[sender[_metal(row)], receiver[mass]]
    deaf = [c for c in wanted if _metal(c).mass not in receiver]
    absent = sorted(set(sender) - {_metal(c) for c in wanted}, key=lambda m: (m.mass, m.symbol or ""))
    notes = []
    if silent:
        notes.append("no single stain, taken to send nothing: " + ", ".join(silent))
    if deaf:
        notes.append("not measured with the single stains, taken to receive nothing: " + ", ".join(deaf))
    if absent:
        notes.append("in the matrix, not in the panel: " + ", ".join(f"{m.symbol or 'BCKG'}{m.mass}" for m in absent))
    return square, notes


def _metal(channel: str) -> Metal:
    metal = parse_metal(channel)
    if metal is None:
        raise ValueError(f"{channel} is not a mass channel")
    return metal
