"""The barcoding key: which sample carries which combination of barcode metals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.sheet import MINUS, read_cells

_NUMBER = re.compile(r"(?<!\d)\d{2,3}(?!\d)")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")

# How spreadsheets, R, pandas and people write that a sample carries a metal, or not.
BITS = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0, "+": 1, "-": 0, MINUS: 0}


@dataclass(frozen=True)
class BarcodeKey:
    """A validated key.

    Attributes
    ----------
    samples
        Sample names, one per code.
    masses
        Barcode masses, one per column of `code`.
    code
        (samples, masses) True where the sample carries the metal.
    """

    samples: tuple[str, ...]
    masses: tuple[int, ...]
    code: npt.NDArray[np.bool_]

    @property
    def positives(self) -> int | None:
        """Metals per code if all codes have as many (a k-of-n scheme; 1 is single-positive), else None."""
        counts = self.code.sum(axis=1)
        return int(counts[0]) if (counts == counts[0]).all() else None

    @property
    def scheme(self) -> str:
        """``single-positive``, ``doublet-filtering`` (the same k ≥ 2 metals of n for all) or ``general``."""
        k = self.positives
        return "general" if k is None else "single-positive" if k == 1 else "doublet-filtering"

    def subset(self, rows: Sequence[int]) -> BarcodeKey:
        """The key of some of the samples."""
        return make_key([self.samples[i] for i in rows], self.masses, self.code[list(rows)])


def make_key(
    samples: Sequence[str], masses: Sequence[int], code: npt.ArrayLike, *, source: object = "key"
) -> BarcodeKey:
    """A key from names, masses and a 0/1 matrix; all mistakes are reported together.

    Raises
    ------
    UserError
        For repeated or unsafe sample names, repeated masses, entries other than 0 and 1, samples with no metal or the
        same metals, and metals no sample carries or (in a k-of-n scheme) all do.
    """
    problems = Problems()
    matrix = np.asarray(code)
    samples, masses = list(samples), [int(m) for m in masses]
    if matrix.shape != (len(samples), len(masses)) or not len(samples) or not len(masses):
        found = Plain(f"{len(samples)} samples and {len(masses)} masses")
        raise UserError(source, "the key", found, "at least one sample and one mass")
    for m in sorted({m for m in masses if masses.count(m) > 1}):
        problems.add(source, "header", m, "every mass once")
    for s in sorted({s for s in samples if samples.count(s) > 1}):
        problems.add(source, f"sample {s}", Plain(f"{samples.count(s)} rows"), "every sample once")
    for s in dict.fromkeys(samples):
        if not _SAFE.fullmatch(s):
            problems.add(
                source, "column of sample names", s, "a name of letters, digits and . _ + - that can name a file"
            )
    for i, j in np.argwhere((matrix != 0) & (matrix != 1)).tolist():
        problems.add(source, f"sample {samples[i]}, mass {masses[j]}", matrix[i, j].item(), "0 or 1")
    bits = matrix == 1
    for i in np.flatnonzero(~bits.any(axis=1)).tolist():
        problems.add(source, f"sample {samples[i]}", Plain("no metal"), "at least one metal per sample")
    first: dict[bytes, str] = {}
    for s, row in zip(samples, bits, strict=True):
        other = first.setdefault(row.tobytes(), s)
        if other != s and row.any():
            carried = " ".join(str(m) for m, b in zip(masses, row, strict=True) if b)
            problems.add(source, f"sample {s}", Plain(f"the metals {carried} of sample {other}"), "a code of its own")
    for j in np.flatnonzero(~bits.any(axis=0)).tolist():
        problems.add(source, f"mass {masses[j]}", Plain("no sample that carries it"), "a metal in use, or no column")
    problems.raise_if_any()
    return BarcodeKey(tuple(samples), tuple(masses), bits)


def read_key(path: str | Path, pool: str | None = None) -> BarcodeKey:
    """Read a key sheet: a row per sample, a column per barcode mass, 0 or 1 in the cells.

    The first column holds the sample names, whatever its title; the other titles contain the mass (``102``, ``Pd102``,
    ``102Pd_BC1``). A second column titled ``pool`` may say in which pooled file a sample is, for a key of several
    pools. Read by :func:`cimlnk.common.sheet.read_cells`, so a workbook will do too; TRUE and FALSE, + and -, and empty
    cells where no zero is written are understood, and so is a sheet with the masses in its first column.

    Parameters
    ----------
    path
        The sheet.
    pool
        Only the rows of this pool, if the sheet has that column; all rows if it has not.

    Raises
    ------
    UserError
        See :func:`make_key`; also for unreadable files, titles without a mass, rows of the wrong length, no such pool.
    """
    grid = read_cells(path)
    rows = _transposed(grid.rows)
    pooled = len(rows) > 0 and len(rows[0][1]) > 1 and rows[0][1][1].lower() == "pool"
    first = 2 if pooled else 1
    if len(rows) < 2 or len(rows[0][1]) <= first:
        raise UserError(path, "the file", Plain(f"{len(rows)} rows"), "a header, and a row per sample")
    problems = Problems()
    line, header = rows[0]
    masses: list[int] = []
    for title in header[first:]:
        mass = _mass(title)
        if mass is not None:
            masses.append(mass)
        else:
            expected = "a barcode mass from 75 to 209, such as 102 or Pd102"
            problems.add(path, f"row {line} (header)", title, expected)
    wanted = [(n, row) for n, row in rows[1:] if not pooled or pool is None or row[1:2] == [pool]]
    if not wanted:
        pools = sorted({row[1] for _, row in rows[1:] if len(row) > 1})
        raise UserError(path, "column pool", Plain(f"no row of pool {pool}"), "the name of the pooled file", pools)
    # an empty cell is a zero where no zero is written; beside zeros it is a cell somebody forgot
    written = {cell.lower() for _, row in rows[1:] for cell in row[first:]}
    bits = BITS if written & {c for c, bit in BITS.items() if bit == 0} else {**BITS, "": 0}
    samples, code = [], []
    for n, row in wanted:
        row = row + [""] * (len(header) - len(row)) if bits is not BITS else row
        if len(row) != len(header):
            problems.add(path, f"row {n}", Plain(f"{len(row)} cells"), f"{len(header)} as in the header")
            continue
        for title, cell in zip(header[first:], row[first:], strict=True):
            if cell.lower() not in bits:
                problems.add(path, f"row {n}, column {title}", cell, "0 or 1")
        samples.append(row[0])
        code.append([bits.get(cell.lower(), 0) == 1 for cell in row[first:]])
    problems.raise_if_any()
    return make_key(samples, masses, np.array(code, dtype=int), source=path)


def _mass(title: str) -> int | None:
    """The barcode mass in a title (``102``, ``X102``, ``102Pd_BC1``), None if there is none or several."""
    numbers = {int(n) for n in _NUMBER.findall("".join(title.split())) if 75 <= int(n) <= 209}
    return numbers.pop() if len(numbers) == 1 else None


def _transposed(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows and columns exchanged, if the masses stand in the first column and not in the header."""
    if len(rows) < 2 or any(len(row) != len(rows[0][1]) for _, row in rows):
        return rows
    down, across = [row[0] for _, row in rows[1:]], rows[0][1][1:]
    if not all(_mass(t) is not None for t in down) or any(_mass(t) is not None for t in across):
        return rows
    return [(n, list(column)) for n, column in enumerate(zip(*(row for _, row in rows), strict=True), start=1)]
