"""What the figure of a sample's gates shows, reduced to some ten thousand numbers while the events are at hand."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import UserError
from cimlnk.cytof.acquisition import Acquisition
from cimlnk.cytof.panel import LINEAR, Channel

from .cuts import Cut, passes, signal
from .density import GRID, STEP, Threshold, bandwidth_for, histogram, smooth
from .gate import Gated
from .read import Sample

MOST_DOTS = 6000  # of live events in a two-dimensional plot
PLANES = (("CD3", "CD56"), ("CD56", "CD16"), ("CD14", "CD19"))
FORMAT = 1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Line:
    """A threshold with its interval, and whether it is the batch's."""

    value: float
    low: float
    high: float
    pooled: bool


@dataclass(frozen=True)
class Panel:
    """One channel of a gate: `curve` (3 x points) is position, height (square root of the density), 1 where kept.

    Without a threshold there is no curve, but a `reason`.
    """

    gate: str
    method: str
    share: str
    marker: str
    lines: tuple[Line, ...]
    curve: Floats
    reason: str | None = None


@dataclass(frozen=True)
class Plane:
    """Two markers (columns of :attr:`Picture.events`) and the thresholds of either."""

    x: int
    y: int
    x_lines: tuple[float, ...]
    y_lines: tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """All that is drawn of a sample; with `left_out`, the reason for which there is nothing else."""

    title: str
    panels: tuple[Panel, ...] = ()
    markers: tuple[str, ...] = ()
    planes: tuple[Plane, ...] = ()
    target: str = ""
    events: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    lineage: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    yields: tuple[tuple[str, int], ...] = ()
    course: Floats = field(default_factory=lambda: np.zeros((5, 0), np.float32))
    course_reason: str | None = None
    left_out: str | None = None


def picture_of(data: Sample, gated: Gated, course: Acquisition, *, sample: str) -> Picture:
    """Reduce a gated sample to what :func:`.figure.draw_gates` draws.

    Parameters
    ----------
    data, gated, course
        As :func:`.sample.gate_sample` takes and returns them.
    sample
        Named in the title.

    Returns
    -------
    Picture
        One panel per channel of a gate, of the events the threshold was looked for in; with lineages, at most
        `MOST_DOTS` of the live events in the markers of `PLANES`; the events kept from gate to gate; the course of the
        acquisition (5 x bins: start, end, share of the fullest bin's events, signal in robust standard deviations, 1
        where masked).
    """
    panels = []
    alive = course.good.copy()
    for cuts in _panels(gated):
        spec = cuts[0][0].spec
        panels.append(_panel(data, cuts, rows=gated.nodes[spec.look_at] if spec.look_at else alive))
        for cut, threshold in cuts:
            alive &= passes(signal(data.scaled, cut), cut, threshold.value)
    pairs = _pairs(data) if gated.fit is not None else []
    channels = list({c.marker: c for pair in pairs for c in pair}.values())
    markers = [c.marker for c in channels]
    live = np.flatnonzero(gated.fit.lineage >= 0) if pairs else np.zeros(0, int)
    live = live[:: max(1, len(live) // MOST_DOTS)]
    ends = gated.rows[gated.rows["gate"].isin(gated.nodes)]
    target = "NK" if gated.fit is None else str(gated.fit.target)
    return Picture(
        title=f"{sample}: {int(gated.chosen.sum()):,} {target} cells of {len(data.events):,} events",
        panels=tuple(panels),
        markers=tuple(markers),
        planes=tuple(
            Plane(markers.index(x.marker), markers.index(y.marker), _values(gated, x), _values(gated, y))
            for x, y in pairs
        ),
        target=target,
        events=data.scaled[np.ix_(live, np.array([c.column for c in channels], int))].astype(np.float32),
        lineage=(gated.fit.lineage[live] if pairs else live).astype(np.int8),
        yields=tuple(zip(ends["gate"], map(int, ends["n_out"]), strict=True)),
        course=_course(course),
        course_reason=course.reason,
    )


def save_picture(picture: Picture, path: str | Path) -> None:
    """Write a picture as npz: arrays, and the rest as JSON."""
    said = asdict(picture)
    curves = [p.pop("curve") for p in said["panels"]]
    arrays = {name: said.pop(name) for name in ("events", "lineage", "course")}
    said |= {"points": [c.shape[1] for c in curves], "format": FORMAT}
    curve = np.concatenate(curves, axis=1) if curves else np.zeros((3, 0), np.float32)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # three digits on the gating scale: a dot is wider
    arrays["events"] = np.clip(arrays["events"], -6e4, 6e4).astype(np.float16)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(said)), curves=curve, **arrays)


def load_picture(path: str | Path) -> Picture:
    """Read what :func:`save_picture` wrote.

    Raises
    ------
    UserError
        If the file is none of these or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            said = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in ("curves", "events", "lineage", "course")}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise UserError(path, "picture of the gates", str(error), "the file that gating wrote; delete it") from error
    stops = np.cumsum(said.pop("points"))[:-1]
    if said.pop("format") != FORMAT:
        raise UserError(path, "format", "another one", f"{FORMAT}; delete the file")
    curves = np.split(arrays.pop("curves"), stops, axis=1)
    panels = [
        Panel(**{**p, "lines": tuple(Line(**line) for line in p["lines"])}, curve=c)
        for p, c in zip(said.pop("panels"), curves, strict=False)
    ]
    planes = [Plane(p["x"], p["y"], tuple(p["x_lines"]), tuple(p["y_lines"])) for p in said.pop("planes")]
    said |= {"markers": tuple(said["markers"]), "yields": tuple((g, n) for g, n in said["yields"])}
    arrays["events"] = arrays["events"].astype(np.float32)
    return Picture(**said, **arrays, panels=tuple(panels), planes=tuple(planes))


def _panels(gated: Gated) -> list[list[tuple[Cut, Threshold]]]:
    """One panel per channel of a node: both ends of a two-sided gate together."""
    panels: list[list[tuple[Cut, Threshold]]] = []
    for cut, threshold in gated.cuts:
        if cut.part == "high":
            panels[-1].append((cut, threshold))
        else:
            panels.append([(cut, threshold)])
    return panels


def _panel(data: Sample, cuts: list[tuple[Cut, Threshold]], *, rows: NDArray[np.bool_]) -> Panel:
    cut, threshold = cuts[-1]
    marker = "least bead channel" if len(cut.channels) > 1 else cut.channels[0].marker
    if not any(np.isfinite(t.value) for _, t in cuts):
        first, why = cuts[0]
        return Panel(first.gate, why.method, "", marker, (), np.zeros((3, 0), np.float32), why.reason)
    values = signal(data.scaled, cut, rows)
    ends = [t.value for _, t in cuts if np.isfinite(t.value)]
    if cut.channels[0].role in LINEAR:
        x, f = _histogram(values, ends)
    else:
        counts = histogram(values)
        f = smooth(counts, bandwidth_for(counts.sum()) / 2)
        used = np.flatnonzero(counts)
        start, stop = (used[0] - 15, used[-1] + 16) if len(used) else (100, 400)
        part = slice(max(int(start), 0), min(int(stop), len(GRID)), 3)
        x, f = GRID[part] + STEP, f[part]
    keep, kept = np.ones(len(x), bool), np.ones(len(values), bool)
    lines = []
    for one, t in cuts:
        keep &= passes(x, one, t.value)
        kept &= passes(values, one, t.value)
        if np.isfinite(t.value):
            lines.append(Line(float(t.value), float(t.low), float(t.high), t.method == "pool"))
    share = f"{kept.mean():.1%} of {len(values):,}" if len(values) else "no events"
    curve = np.stack([x, np.sqrt(f), keep]).astype(np.float32)
    return Panel(cut.gate, threshold.method, share, marker, tuple(lines), curve)


def _histogram(values: NDArray[np.floating], ends: list[float]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    if not len(values):
        return np.array([0.0, 1.0]), np.zeros(2)
    low, high = (float(q) for q in np.quantile(values, (0.0, 0.998)))
    high = max(high, *(e * 1.05 for e in ends), low + 1)
    whole = bool((values == np.round(values)).all()) and high - low < 400
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1) if whole else np.linspace(low, high, 81)
    return (edges[1:] + edges[:-1]) / 2, np.histogram(values, edges)[0].astype(float)


def _pairs(data: Sample) -> list[tuple[Channel, Channel]]:
    found = [(data.matched.of_marker(a), data.matched.of_marker(b)) for a, b in PLANES]
    return [(a, b) for a, b in found if a is not None and b is not None]


def _values(gated: Gated, channel: Channel) -> tuple[float, ...]:
    """The thresholds of a marker by itself."""
    own = [t.value for cut, t in gated.cuts if len(cut.channels) == 1 and cut.channels[0].marker == channel.marker]
    return tuple(float(v) for v in own if np.isfinite(v))


def _course(course: Acquisition) -> Floats:
    if course.reason is not None:
        return np.zeros((5, 0), np.float32)
    share = course.counts / max(course.counts.max(), 1)
    return np.stack([course.edges[:-1], course.edges[1:], share, course.signal_z, course.bad]).astype(np.float32)
