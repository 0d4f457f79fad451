"""Whether a cluster carries a marker, on an absolute scale, with what is known of the cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .markers import LINEAGES, NEGATIVE

NOISE_COUNTS = 10.0  # ion counts below which nothing is called positive: spread of zeros, spill, background humps
BRIGHT_COUNTS = 20.0  # a marker whose brightest cluster stays below says nothing
STRONG_COUNTS = 40.0  # positive without any negative cell to compare with
COUNTS_COFACTOR = 5.0  # the cofactor at which counts are meant; in fluorescence negative cells set the cofactor instead
SCALED_NOISE, SCALED_BRIGHT, SCALED_STRONG = 0.2, 0.35, 0.5  # the same as shares of the range, on scaled values
LEAST_REFERENCE = 30  # events of a lineage that show what negative is
MOST_REFERENCE = 5000  # of them are looked at
SURE = 0.7  # probability of a lineage from which a cluster is a reference
AGREE, DISAGREE = 0.25, 0.75  # references agree whose upper edges lie this near to the lowest one, and not beyond
CLEAR = 2.5  # without references, a cut half way between the lowest and the brightest clusters needs this distance
BRIGHT_SHARE = 0.6  # of the way from the lowest to the brightest cluster, from where a cluster carries the marker
WIDTH = 0.3  # how far the cut may lie higher
FEW, MOST = 0.2, 0.6  # share of a cluster's events above the cut: no evidence up to, full evidence from
UNCOMPARED = 0.9  # evidence from an absolute level alone
STAINED = 2.5  # cells without a marker may be bright in it, if its brightest cluster is not this much brighter still

Floats = NDArray[np.floating]


@dataclass
class Levels:
    """Levels on the analysis scale per marker: of the noise, of a bright and of an unmistakable signal."""

    noise: Floats
    bright: Floats
    strong: Floats


@dataclass
class Cuts:
    """Where positive begins per marker (analysis scale), in which interval, how it was found, and why if it is NaN.

    `base` is the median of the lineages that do not carry the marker, NaN where there are none. `method` is one of
    ``reference`` (upper edge of lineages that do not carry the marker), ``noise`` (the level of the noise),
    ``half way`` (between the lowest and the brightest clusters), ``absolute`` (all clusters are bright and
    nothing negative is there to compare with) and ``none`` (the marker is nowhere bright: it says nothing).
    """

    markers: list[str]
    value: Floats
    low: Floats
    high: Floats
    brightest: Floats
    method: list[str]
    reason: list[str | None] = field(default_factory=list)
    base: Floats = field(default_factory=lambda: np.empty(0))

    def stained(self, levels: Levels) -> NDArray[np.bool_]:
        """Markers that cells without them show as brightly as others show true ones: they are uninformative."""
        return (self.base >= levels.strong) & (self.brightest - self.base < STAINED)


def levels_of(cofactors: Sequence[float] | Floats, values: Floats, input_scale: str = "raw") -> Levels:
    """Noise, bright and strong levels for values on the analysis scale.

    Counts where values are arcsinh of counts (raw, compensated and arcsinh files: ten, twenty and forty counts at the
    panel's cofactors); shares of each marker's range (0 to the 99.9th percentile) where values are ``scaled``; two,
    four and eight cofactors where they are ``fluorescence``, whose cofactors come from the negative cells.
    """
    if input_scale == "scaled":
        top = np.maximum(np.quantile(values, 0.999, axis=0), 1e-6)
        return Levels(SCALED_NOISE * top, SCALED_BRIGHT * top, SCALED_STRONG * top)
    factor = np.asarray(cofactors, np.float64)
    if input_scale == "fluorescence":
        factor = np.full(len(factor), COUNTS_COFACTOR)
    return Levels(*(np.arcsinh(c / factor) for c in (NOISE_COUNTS, BRIGHT_COUNTS, STRONG_COUNTS)))


def upper_edge(values: Floats) -> float:
    """Upper edge of negative cells: their 90th percentile (a cluster carries a marker with far more events above)."""
    return float(np.quantile(values, 0.9))


def first_cuts(markers: list[str], base: Floats, brightest: Floats, *, levels: Levels) -> Cuts:
    """Cuts before any lineage is known.

    Parameters
    ----------
    base, brightest
        Per marker the level below which a tenth of the events' clusters lie, and that of the brightest cluster.
    """
    value = levels.noise.copy()
    method = ["noise"] * len(markers)
    for j in np.flatnonzero(base >= levels.noise):
        far = brightest[j] - base[j] >= CLEAR
        value[j] = (base[j] + brightest[j]) / 2 if far else np.nan
        method[j] = "half way" if far else "absolute"
    high = np.where(np.isfinite(value), np.maximum(levels.bright, value + WIDTH), np.nan)
    middle = np.where(np.array(method) == "noise", (value + high) / 2, value)
    nothing = np.full(len(markers), np.nan)
    return Cuts(markers, middle, value.copy(), high, brightest, method, [None] * len(markers), nothing)


def reference_cuts(
    values: Floats,
    labels: NDArray[np.int32],
    medians: Floats,
    *,
    without: Callable[[int], Floats],
    levels: Levels,
    before: Cuts,
) -> Cuts:
    """Cuts at the upper edge of the lineages that do not carry the marker, where such cells are there.

    Parameters
    ----------
    values, labels, medians
        Events x markers, the cluster of every event, and clusters x markers.
    without
        Probabilities (clusters x lineages) when the marker at a position is not looked at, so that a marker does not
        choose its own reference.
    before
        Cuts used so far: kept where there is no reference.

    Notes
    -----
    Clusters that are bright themselves (doublets with a lineage that carries the marker) are no reference. Of several
    lineages the highest edge within half a unit of the lowest counts; others carry the marker themselves. Where the
    edge lies above the middle between the reference's median and the brightest cluster, negative and positive overlap
    and the cut is only known to lie between the two.
    """
    cuts = _copied(before)
    order = np.argsort(labels, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(labels))])
    for j, marker in enumerate(before.markers):
        if marker not in NEGATIVE:
            continue
        probability = without(j)
        lowest, brightest = float(medians[:, j].min()), float(before.brightest[j])
        bright = medians[:, j] >= max(levels.bright[j], lowest + BRIGHT_SHARE * (brightest - lowest))
        edges: dict[str, tuple[float, float]] = {}
        for name in NEGATIVE[marker]:
            chosen = np.flatnonzero((probability[:, LINEAGES.index(name)] > SURE) & ~bright)
            rows = np.concatenate([order[ends[c] : ends[c + 1]] for c in chosen]) if len(chosen) else chosen
            if len(rows) < LEAST_REFERENCE:
                continue
            x = values[rows[:: max(1, len(rows) // MOST_REFERENCE)], j]
            edges[name] = upper_edge(x), float(np.median(x))
        if not edges:
            continue
        least = min(e for e, _ in edges.values())
        # a lineage counts the less the further its edge lies above the lowest one, so that no hair's breadth decides
        raised = {
            n: (e - least) * float(np.clip((DISAGREE - e + least) / (DISAGREE - AGREE), 0, 1))
            for n, (e, _) in edges.items()
        }
        agreeing = [n for n, (e, _) in edges.items() if e <= least + DISAGREE]
        middle = edges[max(raised, key=raised.__getitem__)][1]
        edge = least + max(raised.values()) / 2
        noise, half = float(levels.noise[j]), (middle + brightest) / 2
        if edge <= max(half, noise):
            low, value = max(least, noise), max(edge, noise)
            high = value + WIDTH
        else:
            low, high = max(half, noise), edge
            value = (low + high) / 2
        cuts.low[j], cuts.value[j], cuts.high[j], cuts.base[j] = low, value, high, middle
        cuts.method[j] = "reference"
        cuts.reason[j] = "upper edge of " + ", ".join(agreeing)
    return cuts


def _copied(cuts: Cuts) -> Cuts:
    ends = {name: getattr(cuts, name).copy() for name in ("value", "low", "high", "base")}
    return replace(cuts, method=list(cuts.method), reason=list(cuts.reason), **ends)


def median_cuts(found: Sequence[Cuts]) -> Cuts:
    """One cut per marker from those of several clusterings: the median of those found by the commonest method."""
    cuts = _copied(found[0])
    for j in range(len(cuts.markers)):
        methods = [c.method[j] for c in found]
        agreeing = [c for c in found if c.method[j] == max(methods, key=methods.count)]
        value = [c.value[j] for c in agreeing]
        middle = agreeing[int(np.argsort(value, kind="stable")[len(value) // 2])]
        cuts.method[j], cuts.reason[j] = middle.method[j], middle.reason[j]
        for name in ("low", "value", "high", "base"):
            getattr(cuts, name)[j] = np.median([getattr(c, name)[j] for c in agreeing])
    return cuts


def carried(share: Floats) -> Floats:
    """Evidence (0 to 1) from the share of a cluster's events above the cut."""
    x = np.clip((share - FEW) / (MOST - FEW), 0, 1)
    return x * x * (3 - 2 * x)
