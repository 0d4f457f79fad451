"""The DATA segment of an FCS file: its layout from the keywords, and its values as float arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError

from .text import HEADER_BYTES, Segments

CHUNK_BYTES = 16 << 20


@dataclass(frozen=True)
class Column:
    """One parameter in a row of DATA: kind (`f` float, `u` integer), width and place in bytes, mask or None."""

    kind: str
    width: int
    at: int
    mask: int | None


@dataclass(frozen=True)
class Layout:
    """Rows of DATA: first byte, number of events, bytes in a row, the columns, order of the bytes in a word.

    `order` is ``<``, ``>`` or, for the mixed orders of old minicomputers, the permutation to little-endian.
    """

    begin: int
    n_events: int
    row: int
    columns: tuple[Column, ...]
    order: str | tuple[int, ...]

    @property
    def uniform(self) -> bool:
        """Whether all columns are plain 4-byte floats that NumPy can map as they lie."""
        return isinstance(self.order, str) and all(c.kind == "f" and c.width == 4 for c in self.columns)


def byte_order(segments: Segments) -> str | tuple[int, ...]:
    """The order of bytes from $BYTEORD: ``1,2,3,4`` and the short forms ``1,2`` / ``2,1`` are `<` and `>`."""
    raw = re.sub(r"\s", "", segments.text["$BYTEORD"])
    parts = raw.split(",")
    if raw and all(p.isdecimal() and len(p) < 3 for p in parts):
        order = tuple(int(p) for p in parts)
        ascending = tuple(range(1, len(order) + 1))
        if order == ascending:
            return "<"
        if order == ascending[::-1]:
            return ">"
        if len(order) == 4 and tuple(sorted(order)) == ascending:
            return tuple(order.index(i) for i in ascending)
    raise UserError(segments.path, "TEXT keyword $BYTEORD", raw, "1,2,3,4 or 4,3,2,1 (or 1,2 or 2,1)")


def columns_of(segments: Segments) -> tuple[Column, ...]:
    """Column layout from $DATATYPE (or $PnDATATYPE of FCS 3.2), $PnB and $PnR."""
    n = segments.integer("$PAR")
    mode = segments.text.get("$MODE", "L").upper()
    if mode != "L":
        raise UserError(segments.path, "TEXT keyword $MODE", mode, "L (list of events; histograms hold no cells)")
    common = segments.text["$DATATYPE"].upper()
    found, at = [], 0
    for i in range(1, n + 1):
        kind = (segments.text.get(f"$P{i}DATATYPE") or common).upper()
        if kind not in ("F", "D", "I"):
            raise UserError(
                segments.path, "TEXT keyword $DATATYPE", kind, "F, D or I (binary; ASCII data are not read)"
            )
        where = f"TEXT keyword $P{i}B"
        bits = segments.integer(f"$P{i}B") if segments.text.get(f"$P{i}B", "") != "*" else 0
        if kind == "I" and (bits % 8 or not 8 <= bits <= 64):
            raise UserError(segments.path, where, bits, "a multiple of 8 from 8 to 64 bits for $DATATYPE I")
        if kind in "FD" and bits != {"F": 32, "D": 64}[kind]:
            raise UserError(segments.path, where, bits, "32 bits for $DATATYPE F, 64 for D")
        mask = _mask(segments, i, bits) if kind == "I" else None
        found.append(Column("u" if kind == "I" else "f", bits // 8, at, mask))
        at += bits // 8
    return tuple(found)


def _mask(segments: Segments, i: int, bits: int) -> int | None:
    """Bits above the next power of two of $PnR are not data (FCS 3.1, section 3.2.20)."""
    raw = segments.text.get(f"$P{i}R", "").strip()
    try:
        limit = float(raw)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit) or limit < 0:
        raise UserError(segments.path, f"TEXT keyword $P{i}R", raw or Plain("nothing"), "a positive number")
    if limit < 1 or limit > 2.0 ** (bits - 1):  # 0 is written by some for "the whole word"
        return None
    return int(2 ** math.ceil(math.log2(limit))) - 1


def layout_of(segments: Segments) -> Layout:
    """Find the rows of DATA.

    HEADER, $BEGINDATA/$ENDDATA and $TOT often disagree: offsets 0 in the HEADER (files beyond 99,999,999 bytes), ends
    that point behind the last byte, begins one byte early, $TOT 0 (a crash before the count was written). The place
    that fits the row size and $TOT best is taken, a difference of one byte is decided by looking at the values, and
    every departure is noted. What cannot be settled is refused.
    """
    columns = columns_of(segments)
    order = byte_order(segments)
    row = sum(c.width for c in columns)
    declared = segments.integer("$TOT", 0)
    if declared < 0:
        raise UserError(segments.path, "TEXT keyword $TOT", declared, "0 or more events")
    text = (segments.integer("$BEGINDATA", 0), segments.integer("$ENDDATA", 0))
    places = [("HEADER", *segments.data), ("TEXT", *text)]
    best: tuple[int, str, int, int] | None = None
    for name, begin, end in places:
        if begin < HEADER_BYTES or begin > segments.size or end < begin - 1:
            continue
        # floats betray a begin one byte late by their values, so such a file may seem one byte short (settle_shift)
        slack = 1 if columns and columns[0].kind == "f" else 0
        misfit, n = _fit(begin, end, row, declared=declared, size=segments.size + slack)
        if best is None or misfit < best[0]:
            best = (misfit, name, begin, n)
    if best is None:
        if declared == 0:
            return Layout(segments.size, 0, row, columns, order)
        found = Plain(f"{segments.data} in HEADER, {text} in TEXT, file of {segments.size} bytes")
        raise UserError(segments.path, "DATA offsets", found, "a place inside the file")
    misfit, name, begin, n = best
    if misfit >= REFUSE:
        raise cut_short(segments, begin, declared, row=row)
    usable = [p for p in places if p[1] >= HEADER_BYTES]
    if len({p[1:] for p in usable}) > 1:
        segments.notes.append(f"DATA offsets of HEADER and TEXT differ; those of {name} fit the events")
    if misfit == OFF_BY_ONE:
        segments.notes.append("DATA offsets are off by one byte")
    if n != declared and "$TOT" in segments.text:
        segments.notes.append(f"$TOT is {declared}, but DATA holds {n} events; all of DATA is read")
    return Layout(begin, n, row, columns, order)


def cut_short(segments: Segments, begin: int, n_events: int, *, row: int) -> UserError:
    """The error of a file that ends before its events do."""
    found = Plain(f"{segments.size - begin} bytes from byte {begin} to the end of the file")
    return UserError(segments.path, "DATA segment", found, f"{n_events} events of {row} bytes (file cut short?)")


EXACT, OFF_BY_ONE, PADDED, RECOUNTED, REFUSE = range(5)


def _fit(begin: int, end: int, row: int, *, declared: int, size: int) -> tuple[int, int]:
    """How well a place fits: (misfit, events)."""
    length, need = end - begin + 1, declared * row
    within = begin + need <= size
    if declared and length == need and within:
        return EXACT, declared
    if declared and abs(length - need) == 1 and within:
        return OFF_BY_ONE, declared
    fits_rows = row > 0 and length > 0 and end < size + 1
    if fits_rows and length % row == 0 and begin + length <= size:
        return RECOUNTED, length // row
    if declared and within and length > need:
        return PADDED, declared
    if fits_rows and not declared and length % row == 1 and length > 1:
        return OFF_BY_ONE, length // row
    if not declared:
        return (EXACT, 0) if length <= 0 or not row else (PADDED, max(min(length, size - begin), 0) // row)
    return REFUSE, 0


def decode_rows(
    raw: bytes, layout: Layout, dtype: type, *, picked: list[int] | None = None, masked: bool = True
) -> NDArray[np.floating]:
    """Decode whole rows of DATA to a matrix (rows × picked columns)."""
    picked = list(range(len(layout.columns))) if picked is None else picked
    if isinstance(layout.order, str) and len({(c.kind, c.width) for c in layout.columns}) == 1:
        first = layout.columns[0]
        if first.width in (1, 2, 4, 8):
            table = np.frombuffer(raw, f"{layout.order}{first.kind}{first.width}").reshape(-1, len(layout.columns))
            masks = [layout.columns[j].mask for j in picked]
            chosen = table if picked == list(range(table.shape[1])) else table[:, picked]
            if masked and any(m is not None for m in masks):
                full = 2 ** (8 * first.width) - 1
                chosen = chosen & np.array([full if m is None else m for m in masks], dtype=f"u{first.width}")
            with np.errstate(over="ignore", invalid="ignore"):  # doubles beyond float32 become infinite, as they should
                return chosen.astype(dtype)
    rows = np.frombuffer(raw, np.uint8).reshape(-1, layout.row)
    out: NDArray[np.floating] = np.empty((len(rows), len(picked)), dtype)
    for j, i in enumerate(picked):
        column = layout.columns[i]
        values = _column(rows[:, column.at : column.at + column.width], column, layout.order)
        if masked and column.mask is not None:
            values = values & np.uint64(column.mask)
        with np.errstate(over="ignore", invalid="ignore"):
            out[:, j] = values
    return out


def _column(raw: NDArray[np.uint8], column: Column, order: str | tuple[int, ...]) -> NDArray:
    if isinstance(order, tuple):
        # a mixed order is stated for 4-byte words; shorter ones keep the order of its first pair
        little = raw[:, list(order)] if column.width == 4 else raw[:, ::-1] if order[0] > order[1] else raw
    else:
        little = raw if order == "<" else raw[:, ::-1]
    if column.kind == "f":
        return np.ascontiguousarray(little).view(f"<f{column.width}")[:, 0]
    word = np.zeros((len(raw), 8), np.uint8)
    word[:, : column.width] = little
    return word.view("<u8")[:, 0]


def iterate_rows(
    f: BinaryIO, layout: Layout, picked: list[int], *, dtype: type, chunk: int | None = None
) -> Iterator[NDArray[np.floating]]:
    """Read DATA in blocks of `chunk` events (default: blocks of about 16 MiB), in the order of the file."""
    step = chunk or max(1, CHUNK_BYTES // max(layout.row, 1))
    f.seek(layout.begin)
    for start in range(0, layout.n_events, step):
        n = min(step, layout.n_events - start)
        yield decode_rows(f.read(n * layout.row), layout, dtype, picked=picked)
