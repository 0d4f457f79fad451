"""Peaks and valleys of one channel: where a threshold between two populations lies, and how well that is known.

The idea of cutting at the minimum of a density between two modes is old in cytometry (flowDensity: Malek 2015,
doi:10.1093/bioinformatics/btu677; openCyto: Finak 2014, doi:10.1371/journal.pcbi.1003806). Ours adds a count-based test
of whether a valley is real, an interval for its place, and a plain answer when there is no second peak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LOW, HIGH, STEP = -3.0, 13.0, 0.02  # arcsinh scale: 13 is 10^6 counts at cofactor 5
GRID = np.arange(LOW, HIGH, STEP) + STEP / 2
MIN_SEPARATION = 0.9  # modes nearer than this are one population with a shoulder (arcsinh units)
MAX_DEPTH = 0.9  # a valley must fall below this share of its smaller peak
MIN_Z = 4.0  # and be deeper than counting noise allows
MIN_PEAK = 15.0  # events (effective) a peak must hold
POSITIVE = 1.8  # a lone mode above this (15 counts at cofactor 5) is called positive, below it negative
DOUBTFUL = (1.8, 3.5)  # without a second mode, a cut between negative and positive lies in here (15 to 80 counts)
CLIMB = 0.25  # how far up the smaller peak a threshold may climb to spare the population it keeps
FLAT = 0.02  # share of the smaller peak by which a valley's floor may rise and still be floor

Which = Literal["lowest", "highest", "deepest"]
Side = Literal["above", "below", "not_all_above"]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Threshold:
    """A cut on one channel's gating scale with its uncertainty; `reason` says why if it is not a plain valley."""

    value: float
    low: float
    high: float
    method: str
    reason: str | None = None


@dataclass(frozen=True)
class Split:
    """Peaks that stand out and the valleys between them (positions on GRID), of a smoothed histogram."""

    density: Floats
    peaks: list[int]
    valleys: list[int]
    bandwidth: float


def histogram(values: Floats) -> Floats:
    """Counts per cell of GRID; values beyond its ends are counted in the outer cells, non-finite ones not at all."""
    finite = values[np.isfinite(values)]
    cells = np.clip(((finite - LOW) / STEP).astype(np.int64), 0, len(GRID) - 1)
    return np.bincount(cells, minlength=len(GRID)).astype(np.float64)


def bandwidth_for(n: float) -> float:
    """Normal-reference bandwidth for one population of spread 0.6 (typical in arcsinh units), 0.12 at least."""
    return float(np.clip(1.06 * 0.6 * max(n, 1.0) ** -0.2, 0.12, 0.35))


def smooth(counts: Floats, bandwidth: float) -> Floats:
    """Histograms smoothed along their last axis; `bandwidth` (Gaussian) on the gating scale, empty beyond the ends."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(counts, bandwidth / STEP, axis=-1, mode="constant", truncate=5.0)


def find_split(counts: Floats, bandwidth: float | None = None, apart: float = MIN_SEPARATION) -> Split:
    """Peaks of a histogram that are real, by merging neighbours whose valley is shallow or within counting noise."""
    h = bandwidth_for(counts.sum()) if bandwidth is None else bandwidth
    f = smooth(counts, h)
    inner = (f[1:-1] >= f[:-2]) & (f[1:-1] > f[2:])
    peaks = (np.flatnonzero(inner) + 1).tolist()
    # a Gaussian kernel averages over 2 sqrt(pi) h of independent events: the effective count behind a density value
    effective = 2 * np.sqrt(np.pi) * h / STEP
    peaks = [p for p in peaks if f[p] * effective >= MIN_PEAK]
    while len(peaks) > 1:
        valleys = [_floor(f, a, b) for a, b in zip(peaks, peaks[1:], strict=False)]
        worst, at = np.inf, -1
        for i, (a, v, b) in enumerate(zip(peaks, valleys, peaks[1:], strict=False)):
            smaller = min(f[a], f[b])
            z = (smaller - f[v]) * effective / np.sqrt(max((smaller + f[v]) * effective, 1e-12))
            broken = f[v] > MAX_DEPTH * smaller or z < MIN_Z or (b - a) * STEP < apart
            if broken and z < worst:
                worst, at = z, i
        if at < 0:
            return Split(f, peaks, valleys, h)
        peaks.pop(at if f[peaks[at]] < f[peaks[at + 1]] else at + 1)
    return Split(f, peaks, [], h)


def _floor(f: Floats, a: int, b: int) -> int:
    """Middle of the lowest part between two peaks, so that an empty valley is cut in its middle."""
    part = f[a : b + 1]
    lowest = int(np.argmin(part))
    floor = part <= part[lowest] + FLAT * min(f[a], f[b]) * 0.1
    left = lowest
    while left > 0 and floor[left - 1]:
        left -= 1
    right = lowest
    while right < len(part) - 1 and floor[right + 1]:
        right += 1
    return a + (left + right) // 2


def choose(split: Split, which: Which, least: float | None = None) -> int | None:
    """The valley meant: `lowest`/`highest` by position, `deepest` by contrast to its smaller peak; None without any.

    Valleys below `least` are within the negative cells and passed over.
    """
    triples = list(zip(split.peaks, split.valleys, split.peaks[1:], strict=False))
    triples = [t for t in triples if least is None or GRID[t[1]] >= least]
    if not triples:
        return None
    if which == "lowest":
        return triples[0][1]
    if which == "highest":
        return triples[-1][1]
    f = split.density
    contrast = [f[v] / min(f[a], f[b]) - 1e-3 * (b - a) * STEP for a, v, b in triples]
    return triples[int(np.argmin(contrast))][1]


def valley_threshold(
    values: Floats,
    which: Which,
    rng: np.random.Generator,
    *,
    bootstraps: int,
    spare: Side | None = None,
    apart: float = MIN_SEPARATION,
    least: float | None = None,
) -> Threshold | None:
    """Threshold at a valley, or None if there is none.

    A valley lies nearer to the smaller of its two populations, and cuts into it where they overlap. With `spare` (the
    side that is kept) the threshold moves away from that side's peak until it is as many spreads from one peak as from
    the other (each peak's spread where it faces the valley), as far as the density stays within a quarter of the
    smaller peak above the valley's floor. Peaks nearer than `apart` are one; valleys below `least` do not count.

    The interval covers the floor of the valley (density within 2 % of the smaller peak above its minimum, where the
    place of the cut is arbitrary) and the 95 % range of the valley over multinomial resamples of the histogram.
    """
    counts = histogram(values)
    split = find_split(counts, apart=apart)
    at = choose(split, which, least)
    if at is None:
        return None
    i = split.valleys.index(at)
    a, b = split.peaks[i], split.peaks[i + 1]
    floor = split.density[a : b + 1] <= split.density[at] + FLAT * min(split.density[a], split.density[b])
    left = at - a
    while left > 0 and floor[left - 1]:
        left -= 1
    right = at - a
    while right < len(floor) - 1 and floor[right + 1]:
        right += 1
    low, high = float(GRID[a + left]), float(GRID[a + right])
    value = float(GRID[at]) if spare is None else _spare(values, split, (a, at, b), step=1 if spare == "below" else -1)
    if bootstraps:
        n = int(counts.sum())
        draws = rng.multinomial(n, counts / n, size=bootstraps).astype(np.float64)
        f = smooth(draws, split.bandwidth)
        places = np.array([GRID[_floor(row, a, b)] for row in f])
        low, high = min(low, float(np.quantile(places, 0.025))), max(high, float(np.quantile(places, 0.975)))
    return Threshold(value, min(low, value), max(high, value), "valley")


def _spare(values: Floats, split: Split, places: tuple[int, int, int], *, step: int) -> float:
    a, at, b = places
    left, valley, right = float(GRID[a]), float(GRID[at]), float(GRID[b])
    sd_left = _side_sd(values[(values >= left) & (values < valley)], left, upper=True)
    sd_right = _side_sd(values[(values <= right) & (values >= valley)], right, upper=False)
    wanted = (left * sd_right + right * sd_left) / (sd_left + sd_right)
    f = split.density
    free = f <= f[at] + CLIMB * (min(f[a], f[b]) - f[at])
    i = at
    while a < i + step < b and free[i + step] and (wanted - GRID[i + step]) * step > 0:
        i += step
    return float(GRID[i])


def lone_edge(values: Floats, side: Side, sds: float = 4.0, *, kept: bool = False) -> Threshold:
    """A cut at the edge of the one mode there is; what lies beyond it is called the missing population.

    For a negative mode (below 1.8) the cut is above it, for a positive one below it. Above a negative mode whose tail
    hides what is positive the cut is kept between 15 and 80 counts (at cofactor 5), and the interval spans that range:
    the place is not known, and the range of the cell counts says what that costs. Otherwise the interval is one
    standard deviation of the mode to either side.

    `kept` says that a single mode is what the gate keeps, wherever it lies, and the cut is beyond it: living cells take
    up some of many a viability dye, and no file is of dead cells alone.
    """
    counts = histogram(values)
    f = smooth(counts, bandwidth_for(counts.sum()))
    mode = float(GRID[int(np.argmax(f))])
    beyond = kept and side == "below" and mode >= POSITIVE
    sd = _side_sd(values, mode, upper=mode < POSITIVE or beyond)
    if beyond:
        reason = f"no second peak: the only one is taken for what is kept, cut at {sds:g} standard deviations above it"
        value = mode + sds * sd
        return Threshold(value, value - sd, value + sd, "edge", reason)
    if mode < POSITIVE:
        edge = mode + sds * sd
        value = float(np.clip(edge, *DOUBTFUL))
        reason = f"no positive peak: cut beyond the negative one, between {DOUBTFUL[0]:g} and {DOUBTFUL[1]:g}"
        return Threshold(value, min(edge, DOUBTFUL[0]), max(value, DOUBTFUL[1]), "edge", reason)
    value, what = mode - sds * sd, "no negative peak"
    return Threshold(
        value, value - sd, value + sd, "edge", f"{what}: cut at {sds:g} standard deviations of the only one"
    )


def _side_sd(values: Floats, mode: float, upper: bool) -> float:
    part = np.abs((values[values >= mode] if upper else values[values <= mode]) - mode)
    # the median of the absolute deviation of one half of a normal is 0.6745 sd
    return max(float(np.median(part)) / 0.6745, 0.05) if len(part) else 0.3


def mode_interval(values: Floats, sds: float) -> tuple[Threshold, Threshold]:
    """Lower and upper cut around the main mode of a channel on any scale, each side by its own spread.

    The spread of a side is that of the values between the median and the side's quartile, so that tails of debris or
    doublets do not widen it. The interval is that of the quantiles' standard error plus a tenth of the spread.
    """
    q1, q2, q3 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    out = []
    for sign, quartile in ((-1, q1), (1, q3)):
        sd = max(abs(quartile - q2) / 0.6745, 1e-6 + 1e-3 * abs(q2))
        error = sd * (0.1 + sds * 1.4 / np.sqrt(max(len(values), 1)))
        value = q2 + sign * sds * sd
        out.append(Threshold(value, value - error, value + error, "edge"))
    return out[0], out[1]


def with_reason(threshold: Threshold, method: str, reason: str) -> Threshold:
    """The same cut, with the way it was found and why."""
    return replace(threshold, method=method, reason=reason)
