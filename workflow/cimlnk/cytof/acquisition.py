"""Quality of one acquisition over time: surges and stalls of the flow, sudden excursions of the signals.

The question is that of flowAI (Monaco 2016, doi:10.1093/bioinformatics/btw191) and PeacoQC (Emmaneel 2022,
doi:10.1002/cyto.a.24501). Ours compares each stretch of time with the file's own slow course, so that the steady loss
of sensitivity of a mass cytometer, which bead normalisation corrects, is reported but not cut away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_BINS = 10
COURSE = 3  # the slow course is a running median over this part (1/3) of the file
MARGIN_SHARE = 0.001
FINE_CLOCK = 50  # ticks a bin, above which a bin with one tick more or less is within the noise of the counts
EMPTY_SHARE = 0.99
EMPTY_COUNT = 1.0


@dataclass
class Acquisition:
    """Result for one file: good events, their share, per-bin table, what was masked and why, flags per channel."""

    good: NDArray[np.bool_]
    score: float
    reason: str | None
    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    rate_z: NDArray[np.float64]
    signal_z: NDArray[np.float64]
    bad: NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)
    drift: dict[str, float] = field(default_factory=dict)


def check_acquisition(
    time: NDArray[np.floating] | None,
    signals: NDArray[np.floating],
    names: list[str],
    *,
    settings: Mapping[str, Any],
    columns: Sequence[int] | None = None,
) -> Acquisition:
    """Mask the stretches of a file in which flow or signals are abnormal.

    Parameters
    ----------
    time
        Acquisition time of each event in any unit, or None.
    signals
        Events × channels on the arcsinh scale (DNA, beads, markers).
    names
        Their names, for the notes.
    settings
        Section `cytof.acquisition_qc`: `enabled`, `bins`, `events_per_bin`, `tolerance`.
    columns
        The columns of `signals` that `names` name, so that no copy is needed; all by default.

    Returns
    -------
    Acquisition
        `good` masks events in bins whose rate (square-root counts) or mean signal lies more than `tolerance` robust
        standard deviations off the running median over a third of the file. A file without usable time keeps all its
        events and says so in `reason`.
    """
    n = len(signals)
    nothing = np.zeros(0)
    all_good = np.ones(n, bool)

    def unjudged(why: str) -> Acquisition:
        return Acquisition(all_good, 1.0, why, nothing, nothing, nothing, nothing, np.zeros(0, bool))

    if not settings["enabled"]:
        return unjudged("switched off by cytof.acquisition_qc.enabled")
    if time is None:
        return unjudged("no time channel")
    n_bins = min(int(settings["bins"]), n // int(settings["events_per_bin"]))
    if n_bins < MIN_BINS:
        return unjudged(f"{n} events are too few to judge their course in time")
    time = time.astype(np.float64)
    if not np.isfinite(time).all() or time.max() <= time.min():
        return unjudged("the time channel does not run")
    notes = []
    ticks, n_bins = _clock(time, n_bins)
    if n_bins < MIN_BINS:
        return unjudged(f"the clock has {ticks} different readings, too few to judge the course in time")
    backwards = int((np.diff(time) < 0).sum())
    if backwards:
        notes.append(f"time goes back {backwards} times (files joined, or events sorted)")
    edges = np.linspace(time.min(), time.max(), n_bins + 1)
    if ticks < FINE_CLOCK * n_bins:  # bins of whole ticks, equally many in each
        edges = _bins_of_ticks(time, n_bins)
        n_bins = len(edges) - 1
    which = np.clip(np.searchsorted(edges, time, side="right") - 1, 0, n_bins - 1)
    counts = np.bincount(which, minlength=n_bins).astype(np.float64)
    rate_z = _deviation(2 * np.sqrt(counts), 1.0)
    enough = counts >= 10
    z = np.zeros((n_bins, len(names)))
    drift: dict[str, float] = {}
    for j, column in enumerate(range(len(names)) if columns is None else columns):
        values = signals[:, column].astype(np.float64)
        total = np.bincount(which, weights=values, minlength=n_bins)
        square = np.bincount(which, weights=values**2, minlength=n_bins)
        mean = np.full(n_bins, np.nan)
        mean[enough] = total[enough] / counts[enough]
        spread = np.sqrt(max(float(square.sum() / n - (total.sum() / n) ** 2), 0.0))
        if enough.sum() < MIN_BINS or spread == 0:
            continue
        filled = np.interp(np.arange(n_bins), np.flatnonzero(enough), mean[enough])
        z[:, j] = _deviation(filled, spread / np.sqrt(counts[enough].mean()))
        third = max(n_bins // 3, 1)
        drift[names[j]] = float(np.median(filled[-third:]) - np.median(filled[:third]))
    # an excursion of the instrument moves many channels the same way; one channel alone must go twice as far
    together = _rescale(z.mean(axis=1) * np.sqrt(max(z.shape[1], 1)))
    worst = np.abs(z).max(axis=1, initial=0.0)
    tolerance = float(settings["tolerance"])
    bad_rate = np.abs(rate_z) > tolerance
    bad_signal = enough & ((np.abs(together) > tolerance) | (worst > 2 * tolerance))
    # an excursion rises and falls: its flanks go with it down to half the tolerance
    bad_rate = _grow(bad_rate, np.abs(rate_z) > tolerance / 2)
    bad_signal = _grow(bad_signal, np.abs(together) > tolerance / 2)
    bad = bad_rate | bad_signal
    for what, mask in (("flow rate", bad_rate), ("signal", bad_signal)):
        for a, b in _runs(mask):
            events = int(counts[a:b].sum())
            notes.append(f"abnormal {what} from time {edges[a]:.6g} to {edges[b]:.6g}: {events} events masked")
    good = ~bad[which]
    return Acquisition(
        good, float(good.mean()), None, edges, counts, rate_z, together, bad, notes, dict(sorted(drift.items()))
    )


def channel_flags(events: NDArray[np.floating], names: list[str], may_be_low: Sequence[str] = ()) -> list[str]:
    """Channels with events piled up at their largest value (saturation), or with almost no signal, in words.

    Of a channel in `may_be_low` (viability: living cells hold almost none) only zeros throughout are reported.
    """
    flags = []
    for j, name in enumerate(names):
        values = events[:, j]
        if not len(values):
            continue
        if not values.any():
            flags.append(f"{name}: zero in every event (channel not recorded?)")
            continue
        if name in may_be_low:
            continue
        top = values.max()
        piled = int((values == top).sum())
        if top > EMPTY_COUNT and piled > max(5, MARGIN_SHARE * len(values)):
            flags.append(f"{name}: {piled} events at the largest value {top:.6g} (saturated?)")
        if (values <= EMPTY_COUNT).mean() > EMPTY_SHARE:
            flags.append(f"{name}: at most one count in more than {EMPTY_SHARE:.0%} of events (empty channel?)")
    return flags


def _clock(time: NDArray[np.floating], n_bins: int) -> tuple[int, int]:
    """Different readings of the clock, and at most as many bins: finer ones would be empty between two ticks."""
    ticks = len(np.unique(time))
    return ticks, min(n_bins, ticks)


def _bins_of_ticks(time: NDArray[np.floating], n_bins: int) -> NDArray[np.float64]:
    """Edges of at most `n_bins` bins that hold equally many ticks of a coarse clock (a clock of whole seconds).

    The tick is the most frequent step between two readings. The last bin is filled up from the one before it where the
    file ends within it: edges run backwards from the end in whole bins, and the first bin takes the rest.
    """
    readings = np.unique(time)
    steps, n = np.unique(np.diff(readings), return_counts=True)
    tick = float(steps[n.argmax()])
    span = int(round((readings[-1] - readings[0]) / tick)) + 1
    width = -(-span // n_bins)
    count = max(span // width, 1)
    edges = readings[-1] + tick / 2 - tick * width * np.arange(count, -1, -1, dtype=np.float64)
    edges[0] = min(edges[0], readings[0])
    return edges


def _deviation(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Distance from the running median in robust standard deviations of that distance, at least `least`."""
    from scipy.ndimage import median_filter

    width = max(len(values) // COURSE, 5) | 1
    off = values - median_filter(values, size=width, mode="nearest")
    return off / max(_spread(off), least)


def _rescale(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return z / max(_spread(z), 1.0)


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation from the 70 % quantile of the absolute values.

    The median of them is too small here, since a running median leaves many distances at nearly zero; up to a fifth of
    the file may be abnormal.
    """
    return float(np.quantile(np.abs(values), 0.7)) / 1.0364


def _grow(seed: NDArray[np.bool_], allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    grown = seed.copy()
    for a, b in _runs(seed | allowed):
        if seed[a:b].any():
            grown[a:b] = True
    return grown


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edge = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edge[::2].tolist(), edge[1::2].tolist(), strict=True))
