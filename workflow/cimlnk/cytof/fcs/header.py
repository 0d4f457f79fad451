"""Read FCS files of any common make: channel names and events, exactly as stored (no gain, log or time scaling).

    >>> header = read_header("sample.fcs")                      # doctest: +SKIP
    >>> events = read_events("sample.fcs", ["Yb176Di"])         # doctest: +SKIP

Only the first data set of a file is read; further ones are named in the notes. $PnE, $PnG and $TIMESTEP are not
applied: mass cytometry writes linear counts, and what a value means belongs to the panel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError

from .data import Layout, iterate_rows, layout_of
from .settle import settle_shift
from .text import MAX_PARAMETERS, read_segments

METAL = re.compile(r"^\(?(\d{2,3}[A-Z][a-z]?|[A-Z][a-z]?\d{2,3})\)?(D[id])?$")


@dataclass(frozen=True)
class FcsHeader:
    """What an FCS file says about itself.

    Attributes
    ----------
    channels
        $PnN in order, made unique (`name`, `name_2`, …), `P<n>` where empty.
    markers
        $PnS in order, "" where absent.
    n_events
        Events that can be read (which $TOT may deny, see `notes`).
    version, text
        "FCS3.1" and all keywords (upper case).
    swapped
        Marker names stand in $PnN and metals in $PnS.
    notes
        Departures from the standard that were met and how they were read, in words.
    layout
        Where and how the events lie in the file.
    """

    path: Path
    version: str
    channels: tuple[str, ...]
    markers: tuple[str, ...]
    n_events: int
    text: dict[str, str]
    swapped: bool
    notes: tuple[str, ...]
    layout: Layout

    def index(self, channel: str) -> int:
        """Column of a channel; :class:`UserError` with the nearest name if there is none."""
        if channel not in self.channels:
            raise UserError(self.path, "channels ($PnN)", channel, "a channel of the file", self.channels)
        return self.channels.index(channel)


def read_header(path: str | Path) -> FcsHeader:
    """Channel names, marker names and the number of events; reads a few kB, whatever the size of the file.

    Raises
    ------
    UserError
        If the file is no FCS file, or damaged in a way that leaves its events in doubt.
    """
    segments = read_segments(path)
    n = segments.integer("$PAR")
    if not 0 < n <= MAX_PARAMETERS:
        raise UserError(segments.path, "TEXT keyword $PAR", n, f"1 to {MAX_PARAMETERS} parameters")
    layout = layout_of(segments)
    with segments.path.open("rb") as f:
        layout = settle_shift(f, segments, layout)
    names = [segments.text.get(f"$P{i}N", "") for i in range(1, n + 1)]
    channels = _unique(names, segments.notes)
    markers = tuple(segments.text.get(f"$P{i}S", "") for i in range(1, n + 1))
    metals_n = sum(1 for c in names if METAL.match(c))
    metals_s = sum(1 for m in markers if METAL.match(m))
    # unused channels often keep their metal in both
    swapped = metals_s >= 3 and 4 * metals_n <= metals_s
    if swapped:
        segments.notes.append("markers stand in $PnN and metals in $PnS")
    notes = tuple(dict.fromkeys(segments.notes))
    return FcsHeader(
        segments.path, segments.version, channels, markers, layout.n_events, segments.text, swapped, notes, layout
    )


def read_events(
    source: str | Path | FcsHeader, channels: Sequence[str] | None = None, dtype: type = np.float32
) -> NDArray[np.floating]:
    """All events of a file.

    Parameters
    ----------
    source
        A path or a header from :func:`read_header`.
    channels
        Names (as in `FcsHeader.channels`) of the columns wanted, in this order; None for all.
    dtype
        float32 (default; exact for the float files of mass cytometers) or float64.

    Returns
    -------
    Matrix, events × channels, raw values. Peak memory is the matrix and one block of about 16 MiB.
    """
    header = source if isinstance(source, FcsHeader) else read_header(source)
    picked = list(range(len(header.channels))) if channels is None else [header.index(c) for c in channels]
    layout = header.layout
    if layout.uniform and dtype is np.float32 and picked == list(range(len(header.channels))):
        with header.path.open("rb") as f:
            f.seek(layout.begin)
            flat = np.fromfile(f, np.dtype(f"{layout.order}f4"), layout.n_events * len(picked))
        _complete(header, flat.size, layout.n_events * len(picked))
        if not flat.dtype.isnative:
            flat = flat.byteswap(inplace=True).view(flat.dtype.newbyteorder("="))
        return flat.reshape(layout.n_events, len(picked))
    out: NDArray[np.floating] = np.empty((layout.n_events, len(picked)), dtype)
    at = 0
    for block in _blocks(header, picked, dtype, chunk=None):
        out[at : at + len(block)] = block
        at += len(block)
    _complete(header, at, layout.n_events)
    return out


def iterate_events(
    source: str | Path | FcsHeader, channels: Sequence[str] | None = None, chunk: int = 65_536
) -> Iterator[NDArray[np.floating]]:
    """Stream a file in float32 blocks of `chunk` events, so that a file larger than memory can be worked on."""
    header = source if isinstance(source, FcsHeader) else read_header(source)
    picked = list(range(len(header.channels))) if channels is None else [header.index(c) for c in channels]
    yield from _blocks(header, picked, np.float32, chunk=chunk)


def _blocks(header: FcsHeader, picked: list[int], dtype: type, *, chunk: int | None) -> Iterator[NDArray[np.floating]]:
    with header.path.open("rb") as f, np.errstate(over="ignore", invalid="ignore"):
        yield from iterate_rows(f, header.layout, picked, dtype=dtype, chunk=chunk)


def _complete(header: FcsHeader, got: int, expected: int) -> None:
    if got != expected:
        found = Plain(f"{got} values")
        raise UserError(header.path, "DATA segment", found, f"{expected} values (the file changed while being read?)")


def _unique(names: list[str], notes: list[str]) -> tuple[str, ...]:
    """Channel names without gaps and repeats; what was changed goes to the notes."""
    filled = [n or f"P{i}" for i, n in enumerate(names, 1)]
    if any(not n for n in names):
        notes.append("empty $PnN named P<n>: " + ", ".join(f for f, n in zip(filled, names, strict=True) if not n))
    taken = set(filled)
    seen: set[str] = set()
    out, changed = [], []
    for name in filled:
        fresh, i = name, 2
        while fresh in seen or (fresh != name and fresh in taken):
            fresh, i = f"{name}_{i}", i + 1
        if fresh != name:
            changed.append(fresh)
        seen.add(fresh)
        out.append(fresh)
    if changed:
        notes.append("repeated $PnN made unique: " + ", ".join(changed))
    return tuple(out)
