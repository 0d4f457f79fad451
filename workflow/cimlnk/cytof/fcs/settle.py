"""Where DATA of an FCS file begins, and in which order its bytes are, if what is stated may be wrong: by the values."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from cimlnk.common.errors import Plain, UserError

from .data import Layout, cut_short, decode_rows
from .text import HEADER_BYTES, Segments

PROBE_ROWS = 500  # events looked at to tell which of several offsets is meant
USUAL = (-1, 0, 1, 7, 8, 9)  # bytes behind the last segment: none or a CRC, give or take the one told otherwise
NEAR = 64  # bytes a begin is looked for around the stated one
FARTHEST = 512  # bytes left over, above which they are a segment of their own


def settle_shift(f: BinaryIO, segments: Segments, layout: Layout) -> Layout:
    """Decide where DATA begins if the stated byte may be wrong, by what fits, or refuse.

    Two faults are common. A begin that is off by one byte (counted from 1) is decided by the plausibility of the first
    values: a float read one byte off has a random exponent, an integer exceeds its $PnR. A begin that is off by some
    bytes (a writer that counts letters and not bytes, a TEXT that was edited) leaves other bytes over between the last
    event and the end of the file than the none or eight of a CRC. Where such a shift keeps the words whole, it moves
    every value to its neighbour channel, which looks just as plausible: then a clock that runs forwards decides, or
    nothing does and the file is refused.
    """
    if layout.n_events == 0:
        return layout
    over = segments.size - (layout.begin + layout.n_events * layout.row)
    scores = _near(f, segments, layout)
    # where not a byte is left over but a CRC the place is right, and floats of a wrong exponent are of the other order
    if over in (0, 8) and scores.get(0, 1.0) < 0.6:
        layout = _settle_order(f, segments, layout)
        scores = _near(f, segments, layout)
    stated = scores.get(0, 0.0)
    last = not any(segments.integer(k, 0) > 0 for k in ("$BEGINANALYSIS", "$NEXTDATA", "$BEGINSTEXT"))
    if last and over > FARTHEST:
        f.seek(-over, 2)
        what = f"{over:,} bytes behind the last event are not read"
        segments.notes.append(f"{what}: they are another file" if f.read(64).find(b"FCS") >= 0 else what)
    if last and over not in USUAL and layout.columns[0].kind == "f" and abs(over) <= FARTHEST:
        reach = min(NEAR, layout.row - 1)
        places = {
            s: seen for s in range(-reach, reach + 1) if (seen := _look(f, segments, layout, shift=s)) is not None
        }
        most = max((seen[1] for seen in places.values()), default=0.0)
        sound = [s for s, seen in places.items() if seen[1] >= most - 0.02 and seen[2] is not False]
        running = [s for s in sound if places[s][2]] or sound
        if len({s % layout.row for s in running}) == 1:  # the same columns, an event earlier or later
            running = [min(running, key=lambda s: (over - s not in (0, 8), abs(s)))]
        if 0 not in running or (len(running) > 1 and not any(places[s][2] for s in running)):
            if len(running) != 1 or most < 0.9:
                found = Plain(f"a begin at byte {layout.begin}, which leaves {over} bytes over")
                others = " or ".join(str(layout.begin + s) for s in running[:4])
                raise UserError(
                    segments.path, "DATA offsets", found, f"one place of the events; byte {others} may be it"
                )
            told = f"DATA begins at byte {layout.begin + running[0]}, not at the stated {layout.begin}, by its values"
            segments.notes.append(told)
            return _at(layout, running[0])
    best = max(scores, key=lambda s: (scores[s], s == 0), default=0)
    if 0 not in scores and scores.get(best, 0.0) < 0.9:
        raise cut_short(segments, layout.begin, layout.n_events, row=layout.row)
    if best == 0 or scores[best] < stated + 0.2:
        return layout
    segments.notes.append(f"DATA begins {'after' if best > 0 else 'before'} the stated byte by one, by its values")
    return _at(layout, best)


def _near(f: BinaryIO, segments: Segments, layout: Layout) -> dict[int, float]:
    """Plausibility of the values where DATA begins as stated, a byte later and a byte earlier."""
    looks = {shift: _look(f, segments, layout, shift=shift) for shift in (0, 1, -1)}
    return {shift: seen[0] for shift, seen in looks.items() if seen is not None}


def _settle_order(f: BinaryIO, segments: Segments, layout: Layout) -> Layout:
    """`layout`, or the same with the other order of bytes where only that one makes numbers of the floats."""
    if layout.columns[0].kind != "f":
        return layout
    for order in ("<", ">"):
        other = Layout(layout.begin, layout.n_events, layout.row, layout.columns, order)
        seen = _look(f, segments, other, shift=0)
        if order != layout.order and seen is not None and seen[0] >= 0.95 and seen[1] >= 0.9:
            names = {"<": "1,2,3,4", ">": "4,3,2,1"}
            segments.notes.append(f"$BYTEORD is {segments.text['$BYTEORD']}, but the values are of {names[order]}")
            return other
    return layout


def _at(layout: Layout, shift: int) -> Layout:
    return Layout(layout.begin + shift, layout.n_events, layout.row, layout.columns, layout.order)


def _look(f: BinaryIO, segments: Segments, layout: Layout, *, shift: int) -> tuple[float, float, bool | None] | None:
    """Plausibility of the first values of DATA begun `shift` bytes later, of all and of those that are not zero, and
    whether their clock runs forwards.

    None if that place is not in the file; the clock is None where there is no Time channel or it stands still.
    """
    moved = _at(layout, shift)
    if not (HEADER_BYTES <= moved.begin and moved.begin + layout.n_events * layout.row <= segments.size):
        return None
    probe = Layout(moved.begin, min(layout.n_events, PROBE_ROWS), layout.row, layout.columns, layout.order)
    f.seek(probe.begin)
    raw = f.read(probe.n_events * probe.row)
    n = len(layout.columns)
    time = next((i for i in range(n) if segments.text.get(f"$P{i + 1}N", "").lower() == "time"), None)
    clock = None
    if time is not None:
        values = decode_rows(raw, probe, np.float64, picked=[time])[:, 0]
        steps = np.diff(values)
        if len(steps) and np.isfinite(values).all() and (steps != 0).any():
            clock = bool((steps >= 0).mean() > 0.99 and (values >= 0).all())
        elif len(steps):
            clock = None if np.isfinite(values).all() else False
    values = decode_rows(raw, probe, np.float64, masked=False)
    with np.errstate(invalid="ignore"):
        nonzero = values[values != 0]
        good = np.isfinite(nonzero) & (np.abs(nonzero) < 1e9) & (np.abs(nonzero) > 1e-6)
    return _plausible(raw, probe), float(good.mean()) if good.size else 1.0, clock


def _plausible(raw: bytes, layout: Layout) -> float:
    values = decode_rows(raw, layout, np.float64, masked=False)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (np.abs(values) < 1e10) & ((values == 0) | (np.abs(values) > 1e-10))
    for j, column in enumerate(layout.columns):
        if column.mask is not None:
            good[:, j] &= values[:, j] <= column.mask
    return float(good.mean()) if good.size else 1.0
