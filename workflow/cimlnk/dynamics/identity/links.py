"""Which cluster of a later time point is which of an earlier one: links between separate clusterings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.stats.transport import shares, transport

Floats = NDArray[np.float64]
MIXED = 0.1  # a subset that expands ten-fold has a tenth of its neighbours among the earlier cells


class Summary(NamedTuple):
    """What is kept of the cells of one time point: moments of every cluster in every patient.

    Attributes
    ----------
    counts : (patients, clusters)
    sums, squares : (patients, clusters, d)
        Sums of the features and of their squares.
    """

    counts: Floats
    sums: Floats
    squares: Floats


class Profile(NamedTuple):
    """Clusters of a time point: share of the cells (mean over patients), mean profile, variance per feature."""

    share: Floats
    mean: Floats
    variance: Floats
    cells: Floats


class Linked(NamedTuple):
    """Links from s earlier to t later clusters; every matrix is s x t."""

    ratio: Floats
    plan: Floats
    descendants: Floats
    ancestors: Floats
    linked: NDArray[np.bool_]


def summarise(
    features: NDArray[np.floating],
    cluster: NDArray[np.integer],
    patient: NDArray[np.integer],
    *,
    n_patients: int,
    clusters: int | None = None,
) -> Summary:
    """Moments of every cluster in every patient; `cluster` and `patient` are coded from 0.

    `clusters`: their number, where the last ones may have no cells here.
    """
    k, d = int(cluster.max(initial=-1)) + 1 if clusters is None else clusters, features.shape[1]
    flat = patient * k + cluster
    counts = np.bincount(flat, minlength=n_patients * k).astype(float)
    sums, squares = np.zeros((n_patients * k, d)), np.zeros((n_patients * k, d))
    for j in range(d):
        column = features[:, j].astype(np.float64)
        sums[:, j] = np.bincount(flat, weights=column, minlength=n_patients * k)
        squares[:, j] = np.bincount(flat, weights=column**2, minlength=n_patients * k)
    return Summary(counts.reshape(n_patients, k), sums.reshape(n_patients, k, d), squares.reshape(n_patients, k, d))


def profile(summary: Summary, weight: Floats | None = None, noise: np.random.Generator | None = None) -> Profile:
    """Clusters of a time point from its patients.

    Parameters
    ----------
    weight
        How often every patient counts (a bootstrap draw); None: once.
    noise
        Moves every mean by its standard error: a parametric bootstrap of the cells.
    """
    w = np.ones(len(summary.counts)) if weight is None else weight
    n = (w[:, None] * summary.counts).sum(axis=0)
    safe = np.maximum(n, 1)[:, None]
    mean = (w[:, None, None] * summary.sums).sum(axis=0) / safe
    variance = np.maximum((w[:, None, None] * summary.squares).sum(axis=0) / safe - mean**2, 1e-12)
    totals = summary.counts.sum(axis=1, keepdims=True)
    present = (totals[:, 0] > 0) & (w > 0)
    per_patient = summary.counts[present] / totals[present]
    share = (w[present, None] * per_patient).sum(axis=0) / max(w[present].sum(), 1e-12)
    if noise is not None:
        mean = mean + noise.normal(size=mean.shape) * np.sqrt(variance / safe)
    return Profile(share, mean, variance, n)


def sibling_distance(clusters: Profile, min_cells: int, separation: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Distance from every cluster to its nearest sibling, and whether it is a cluster in its own right.

    A cluster whose mean lies within `separation` standard deviations (along the line between the means) of a
    sibling's cannot be distinguished from it, so nothing can be said about its identity over time.
    """
    usable = clusters.cells >= min_cells
    gap = clusters.mean[:, None] - clusters.mean[None]
    square = gap**2
    distance = np.sqrt(square.sum(axis=-1))
    pooled = (clusters.variance[:, None] + clusters.variance[None]) / 2
    spread = np.sqrt((square * pooled).sum(axis=-1)) / np.maximum(distance, 1e-12)
    sibling = usable[:, None] & usable[None] & ~np.eye(len(usable), dtype=bool)
    nearest = np.where(sibling, distance, np.inf).min(axis=1, initial=np.inf)
    return nearest, usable & ~(sibling & (distance < separation * spread)).any(axis=1)


def link(
    earlier: Profile,
    later: Profile,
    *,
    reach: float = 0.75,
    min_share: float = 0.2,
    min_cells: int = 20,
    separation: float = 1.0,
    mixed: tuple[Floats, Floats] | None = None,
) -> Linked:
    """Links between the clusters of two time points.

    Clusters drift, so an absolute threshold on the shift would be arbitrary. The scale is the distance to the nearest
    sibling at either time: a cluster may have become another if it moved by less than `reach` of that. The two
    halves of a split lie half their distance from the parent (ratio 0.5); a newborn beside an old cluster lies one
    full distance from it (ratio 1).

    The same cells may have been cut up differently at the two times, and then means say little. So a link is also
    possible where cells lie among each other: one time's cells have the other's as neighbours, at least MIXED of
    what thorough mixing gives, and at least `min_share` of those neighbours are in the cluster in question.

    Among the possible links transport decides who came from whom: the cost is the squared ratio (less where cells are
    mixed), masses are shares of the cells, and the source may grow or shrink.

    Parameters
    ----------
    reach
        Largest shift over the distance to the nearest sibling.
    min_share
        A link must carry this share of the later cluster's ancestors or of the earlier one's descendants.
    min_cells, separation
        Smaller or indistinct clusters are never linked (:func:`sibling_distance`).
    mixed
        Forward and backward neighbour shares (:meth:`~cimlnk.dynamics.identity.mixing.Mixing.shares`).
    """
    near_a, real_a = sibling_distance(earlier, min_cells, separation)
    near_b, real_b = sibling_distance(later, min_cells, separation)
    shift = np.sqrt(((earlier.mean[:, None] - later.mean[None]) ** 2).sum(axis=-1))
    scale = np.minimum(near_a[:, None], near_b[None])
    # One cluster on both sides has no sibling: its own radius is the only scale there is.
    radius = np.sqrt(earlier.variance.sum(axis=1))[:, None]
    scale = np.where(np.isfinite(scale), scale, radius)
    ratio = shift / np.maximum(scale, 1e-12)
    near, cost = ratio <= reach, ratio**2
    if mixed is not None:
        among, part = _mixed(*mixed, min_share)
        near |= among
        cost = np.where(among, np.minimum(cost, (reach * (1 - part)) ** 2), cost)
    allowed = near & real_a[:, None] & real_b[None]
    plan = transport(cost, earlier.share, later.share, allowed=allowed)
    descendants, ancestors = shares(plan)
    linked = allowed & ((descendants >= min_share) | (ancestors >= min_share))
    return Linked(ratio, plan, descendants, ancestors, linked)


def _mixed(forward: Floats, backward: Floats, min_share: float) -> tuple[NDArray[np.bool_], Floats]:
    """Where cells of the two times lie among each other, and the larger of the two shares of neighbours."""
    ahead, back = forward.sum(axis=0, keepdims=True), backward.sum(axis=1, keepdims=True)
    of_ancestors = np.divide(forward, ahead, out=np.zeros_like(forward), where=ahead > 0)
    of_descendants = np.divide(backward, back, out=np.zeros_like(backward), where=back > 0)
    among = ((ahead >= MIXED) & (of_ancestors >= min_share)) | ((back >= MIXED) & (of_descendants >= min_share))
    return among, np.maximum(of_ancestors, of_descendants)


class Event(NamedTuple):
    """Birth, loss, split or merge of a cluster (of the later time for birth and merge); partners: the others."""

    kind: str
    cluster: int
    partners: tuple[int, ...]


def events(found: Linked, earlier: Profile, later: Profile, *, min_cells: int = 20) -> list[Event]:
    """What happened between two time points.

    birth: a later cluster without a link. loss: an earlier cluster without one. split: an earlier cluster that is the
    main ancestor (at least half) of two or more later ones. merge: a later cluster that receives most descendants of
    two or more earlier ones. Clusters below `min_cells` are left out.
    """
    told = []
    main_ancestor = found.linked & (found.ancestors >= 0.5)
    main_descendant = found.linked & (found.descendants >= 0.5)
    for j in np.flatnonzero(later.cells >= min_cells):
        if not found.linked[:, j].any():
            told.append(Event("birth", int(j), ()))
    for i in np.flatnonzero(earlier.cells >= min_cells):
        if not found.linked[i].any():
            told.append(Event("loss", int(i), ()))
    for i in np.flatnonzero(main_ancestor.sum(axis=1) >= 2):
        told.append(Event("split", int(i), tuple(np.flatnonzero(main_ancestor[i]).tolist())))
    for j in np.flatnonzero(main_descendant.sum(axis=0) >= 2):
        told.append(Event("merge", int(j), tuple(np.flatnonzero(main_descendant[:, j]).tolist())))
    return told
