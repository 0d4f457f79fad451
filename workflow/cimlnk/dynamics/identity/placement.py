"""Where the cells of the other time point lie: whether an event is in the cells or only in how they were cut.

A clustering that does not cut a small, blurred or thinly sampled subset out makes a split, merge, birth or loss of
nothing. So every event that the links suggest is asked of the cells of the other time point themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .links import Event

Floats = NDArray[np.float64]
BETWEEN = 0.5  # of the spread that two unmerged parts would have; blur by twice the noise gives about this much
MIDDLE = 0.1  # nearer than this to one of the parts, relative to their distance, a cloud is that part
OCCUPIED = 0.1  # as in links.MIXED: a subset that expands ten-fold held a tenth of its later share before


class Side:
    """Cells of one time point: features, own cluster, and how often each counts (its patient's weight)."""

    def __init__(self, x: NDArray[np.floating], label: NDArray[np.integer], weight: Floats) -> None:
        self.x, self.label, self.weight = x, label, weight
        self.total = float(weight.sum())

    def mean(self, cluster: int) -> Floats:
        """Weighted mean profile."""
        own = self.label == cluster
        return np.average(self.x[own], axis=0, weights=self.weight[own])

    def usable(self) -> list[int]:
        """Clusters that have cells that count."""
        sums = np.bincount(self.label, self.weight)
        return np.flatnonzero(sums > 0).tolist()


def in_the_cells(event: Event, earlier: Side, later: Side) -> Event | None:
    """The event as the cells show it (fewer partners, perhaps), or None if it is only one of the cuts."""
    if event.kind in ("birth", "loss"):
        here, there = (later, earlier) if event.kind == "birth" else (earlier, later)
        return event if occupancy(event.cluster, here, there) < OCCUPIED else None
    parts, whole = (later, earlier) if event.kind == "split" else (earlier, later)
    kept: set[int] = set()
    for n, i in enumerate(event.partners):
        for j in event.partners[n + 1 :]:
            if between(parts, (i, j), whole, cluster=event.cluster) < BETWEEN:
                kept |= {i, j}
    return event._replace(partners=tuple(sorted(kept))) if kept else None


def between(parts: Side, pair: tuple[int, int], whole: Side, *, cluster: int) -> float:
    """How far `cluster` is spread over the places of two parts: 0 = one cloud between them, 1 = in both places.

    On the line through the means of the parts: the variance of the cluster beyond that of single parts, over the
    variance that its mean implies if every cell were in one of the two places. A cloud whose mean is at one of the two
    places, or outside, is not between them: 1.
    """
    i, j = pair
    a, b = parts.mean(i), parts.mean(j)
    gap = b - a
    length = float(gap @ gap)
    if length == 0:
        return 1.0
    place = [((side.x[side.label == k] - a) @ gap / length, side.weight[side.label == k])
             for side, k in ((parts, i), (parts, j), (whole, cluster))]  # fmt: skip
    (mean_i, own_i), (mean_j, own_j), (middle, spread) = (_moments(*p) for p in place)
    at = (middle - mean_i) / max(mean_j - mean_i, 1e-12)
    if not MIDDLE < at < 1 - MIDDLE:
        return 1.0
    inner = (1 - at) * own_i + at * own_j
    return float((spread - inner) / (at * (1 - at)))


def occupancy(cluster: int, here: Side, there: Side) -> float:
    """Share of the other time point's cells in the core of a cluster's place, over that of its own time point.

    The core are cells that are nearest to this cluster's mean of all means of its time point, and lie beyond it seen
    from the nearest sibling: half of the cluster's own cells, none of the sibling's, however blurred the other time
    point is. Clusters of the other time point that lie farther off than that sibling claim their cells by their own
    means; a nearer one may be this cluster, having moved.
    """
    names = here.usable()
    means = np.stack([here.mean(k) for k in names])
    own = names.index(cluster)
    away = ((means - means[own]) ** 2).sum(axis=1)
    away[own] = np.inf
    gap = means[own] - means[int(away.argmin())] if len(names) > 1 else None
    others = np.stack([there.mean(k) for k in there.usable()])
    far = ((others - means[own]) ** 2).sum(axis=1) >= away.min()

    def core(side: Side, claims: Floats) -> float:
        # |x - m|² without |x|², which is the same for all means
        nearest = ((claims**2).sum(axis=1) - 2 * side.x @ claims.T).argmin(axis=1) == own
        beyond = nearest if gap is None else nearest & ((side.x - means[own]) @ gap >= 0)
        return float(side.weight[beyond].sum()) / max(side.total, 1e-12)

    return core(there, np.vstack([means, others[far]])) / max(core(here, means), 1e-12)


def _moments(values: Floats, weight: Floats) -> tuple[float, float]:
    mean = float(np.average(values, weights=weight))
    return mean, float(np.average((values - mean) ** 2, weights=weight))
