"""Every gate of a sample at a glance: the density it was found in, the threshold with its interval, what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.acquisition import Acquisition
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.figures import AFTER, BEFORE, MARK, QUIET, figure
from cimlnk.cytof.lineage.markers import LINEAGES
from cimlnk.cytof.panel import LINEAR, Channel

from .density import GRID, STEP, Threshold, bandwidth_for, histogram, smooth
from .gate import Cut, Gated, passes, signal
from .read import Sample, read_sample
from .sample import gate_sample

COLUMNS = 5
MOST_DOTS = 6000  # of live events in a two-dimensional plot
PLANES = (("CD3", "CD56"), ("CD56", "CD16"), ("CD14", "CD19"))
# colours of Okabe and Ito, distinct for all kinds of colour vision
_SHADES = ("#56B4E9", "#009E73", "#E69F00", "#F0E442", "#CC79A7", "#D55E00", "#8c6d31", "#000000", "#bbbbbb")
COLOURS = dict(zip(LINEAGES, _SHADES, strict=True))


def draw_gates(
    *,
    fcs: str | Path,
    sample: str,
    batch: str,
    panel: str | Path,
    gate_file: str | Path,
    pool: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
    path: str | Path,
    lineages: str | Path | None = None,
    by_hand: Mapping[str, float] | None = None,
    acquired: str | Path | None = None,
) -> None:
    """Gate a sample as :func:`cimlnk.cytof.cells.make_cells` does and draw it.

    One panel per channel of a gate: density (square-root scale, so that small populations show) of the events the
    threshold was looked for in, the threshold, its interval shaded, the side kept in colour; then the events kept from
    gate to gate, and flow rate and signal over the acquisition with masked stretches. With
    lineages, also the usual two-dimensional plots (CD3 x CD56, CD56 x CD16, CD14 x CD19), every live event in the
    colour of its lineage. Arguments as of `make_cells`;
    `path` ends in .svg or .png.

    Raises
    ------
    UserError
        As `make_cells`.
    """
    data = read_sample(fcs, panel, settings)
    data.acquired = read_header(acquired) if acquired else None
    gated, course = gate_sample(
        data,
        sample,
        batch,
        gates=gate_file,
        pool=pool,
        settings=settings,
        seed=seed,
        lineages=lineages,
        by_hand=by_hand,
    )
    draw_gated(data, gated, course, sample=sample, path=path)


def draw_gated(data: Sample, gated: Gated, course: Acquisition, *, sample: str, path: str | Path) -> None:
    """The figure of a sample that has been gated already, see :func:`draw_gates`."""
    panels = _panels(gated)
    pairs = _pairs(data) if gated.fit is not None else []
    n = len(panels) + len(pairs) + 2
    rows = -(-n // COLUMNS)
    with figure(path, 2.3 * COLUMNS, 1.75 * rows, dpi=80) as fig:  # one per sample: small
        axes = np.atleast_1d(fig.subplots(rows, COLUMNS)).ravel()
        for ax in axes[n:]:
            ax.set_axis_off()
        alive = course.good.copy()
        for ax, (x, y) in zip(axes[len(panels) :], pairs, strict=False):
            _plane(ax, data, gated, x=x, y=y, legend=(x, y) == pairs[-1])
        for ax, cuts in zip(axes, panels, strict=False):
            spec = cuts[0][0].spec
            looked = gated.nodes[spec.look_at] if spec.look_at else alive
            if any(np.isfinite(t.value) for _, t in cuts):
                _density(ax, data, cuts, rows=looked)
            else:
                _words(ax, cuts[0][0].gate, cuts[0][1].reason)
            for cut, threshold in cuts:
                alive = alive & passes(signal(data.scaled, cut), cut, threshold.value)
        _yields(axes[n - 2], gated)
        _course(axes[n - 1], course)
        fig.suptitle(f"{sample}: {int(gated.chosen.sum()):,} {_target(gated)} cells of {len(data.events):,} events")


def draw_left_out(path: str | Path, reason: str) -> None:
    """The figure of a sample that is left out: the reason."""
    with figure(path, 6, 1) as fig:
        fig.text(0.5, 0.5, f"left out: {reason}", ha="center", va="center", wrap=True, fontsize=7)


def _panels(gated: Gated) -> list[list[tuple[Cut, Threshold]]]:
    """One panel per channel of a node: both ends of a two-sided gate together."""
    panels: list[list[tuple[Cut, Threshold]]] = []
    for cut, threshold in gated.cuts:
        if cut.part == "high":
            panels[-1].append((cut, threshold))
        else:
            panels.append([(cut, threshold)])
    return panels


def _density(ax: Any, data: Sample, cuts: list[tuple[Cut, Threshold]], *, rows: NDArray[np.bool_]) -> None:
    cut, threshold = cuts[-1]
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
    f = np.sqrt(f)
    keep, kept = np.ones(len(x), bool), np.ones(len(values), bool)
    for one, t in cuts:
        keep &= passes(x, one, t.value)
        kept &= passes(values, one, t.value)
        if np.isfinite(t.value):
            ax.axvspan(max(t.low, x[0]), min(max(t.high, x[0]), x[-1]), color=BEFORE, alpha=0.18, linewidth=0)
            ax.axvline(t.value, color=MARK if t.method == "pool" else BEFORE, linewidth=1)
    ax.fill_between(x, 0, np.where(keep, f, 0), color=AFTER, alpha=0.7, linewidth=0)
    ax.fill_between(x, 0, np.where(keep, 0, f), color=QUIET, alpha=0.7, linewidth=0)
    share = f"{kept.mean():.1%} of {len(values):,}" if len(values) else "no events"
    ax.set_title(f"{cut.gate}\n{threshold.method}, {share}", fontsize=6)
    ax.set_xlim(x[0], x[-1])
    ax.set_yticks([])
    ax.set_xlabel("least bead channel" if len(cut.channels) > 1 else cut.channels[0].marker, fontsize=6)
    ax.tick_params(labelsize=6)


def _histogram(values: NDArray[np.floating], ends: list[float]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    if not len(values):
        return np.array([0.0, 1.0]), np.zeros(2)
    low, high = (float(q) for q in np.quantile(values, (0.0, 0.998)))
    high = max(high, *(e * 1.05 for e in ends), low + 1)
    whole = bool((values == np.round(values)).all()) and high - low < 400
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1) if whole else np.linspace(low, high, 81)
    return (edges[1:] + edges[:-1]) / 2, np.histogram(values, edges)[0].astype(float)


def _target(gated: Gated) -> str:
    return "NK" if gated.fit is None else str(gated.fit.target)


def _pairs(data: Sample) -> list[tuple[Channel, Channel]]:
    found = [(data.matched.of_marker(a), data.matched.of_marker(b)) for a, b in PLANES]
    return [(a, b) for a, b in found if a is not None and b is not None]


def _plane(ax: Any, data: Sample, gated: Gated, *, x: Channel, y: Channel, legend: bool) -> None:
    """Live events in two markers, coloured by lineage, with the gates' cuts in either."""
    live = np.flatnonzero(gated.fit.lineage >= 0)
    live = live[:: max(1, len(live) // MOST_DOTS)]
    for code, name in enumerate(LINEAGES):
        own = live[gated.fit.lineage[live] == code]
        order = 2 if name == gated.fit.target else 1  # what is looked for lies on top
        ax.scatter(
            data.scaled[own, x.column], data.scaled[own, y.column], s=1.5, color=COLOURS[name], linewidths=0,
            rasterized=True, label=name if len(own) else None, zorder=order,
        )  # fmt: skip
    for cut, threshold in gated.cuts:
        if len(cut.channels) == 1 and np.isfinite(threshold.value):
            if cut.channels[0].marker == x.marker:
                ax.axvline(threshold.value, color=BEFORE, linewidth=0.8, zorder=3)
            elif cut.channels[0].marker == y.marker:
                ax.axhline(threshold.value, color=BEFORE, linewidth=0.8, zorder=3)
    ax.set_xlabel(x.marker, fontsize=6)
    ax.set_ylabel(y.marker, fontsize=6, labelpad=1)
    ax.set_title("live single events by lineage", fontsize=6)
    ax.tick_params(labelsize=6)
    if legend:
        ax.legend(fontsize=5.5, markerscale=4, loc="upper right", handletextpad=0.1, borderpad=0.2, labelspacing=0.2)


def _words(ax: Any, title: str, text: str | None) -> None:
    ax.set_axis_off()
    ax.set_title(title, fontsize=6)
    ax.text(0.5, 0.5, text or "", ha="center", va="center", fontsize=6, wrap=True)


def _yields(ax: Any, gated: Gated) -> None:
    ends = gated.rows[gated.rows["gate"].isin(gated.nodes)]
    ax.barh(range(len(ends)), ends["n_out"], color=AFTER, height=0.75)
    ax.set_yticks(range(len(ends)), ends["gate"], fontsize=5)
    ax.invert_yaxis()
    ax.set_title("events kept", fontsize=6)
    ax.tick_params(axis="x", labelsize=6)


def _course(ax: Any, course: Acquisition) -> None:
    if course.reason is not None:
        _words(ax, "acquisition", course.reason)
        return
    ax.set_title("acquisition", fontsize=6)
    middle = (course.edges[1:] + course.edges[:-1]) / 2
    ax.plot(middle, course.counts / max(course.counts.max(), 1), color=AFTER, linewidth=0.8)
    scale = max(float(np.abs(course.signal_z).max()), 6.0)
    ax.plot(middle, 0.5 + course.signal_z / (2 * scale), color=BEFORE, linewidth=0.6)
    width = course.edges[1] - course.edges[0]
    for x in middle[course.bad]:
        ax.axvspan(x - width / 2, x + width / 2, color=QUIET, alpha=0.5, linewidth=0)
    ax.set_yticks([])
    ax.set_xlabel("time: events per bin (blue), signal (brown)", fontsize=6)
    ax.tick_params(labelsize=6)
