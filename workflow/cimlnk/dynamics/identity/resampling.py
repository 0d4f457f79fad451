"""Support of links and events by clustering resampled cells anew, and controls in which nothing happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.seeds import derive, rng

from .course import Course, PairLinks, shared_patients, summaries
from .links import Event, Linked, events, link, profile, summarise
from .mixing import mixing
from .near import Near, clusters_of, near_lists, within
from .placement import Side, in_the_cells

Floats = NDArray[np.float64]
KEPT = 0.8  # of every sample's cells are in a resample
SAME = 0.5  # Jaccard index from which a resample's cluster is one of the data's
ALONE = "one patient: an event cannot be distinguished from a peculiarity of two samples"
MOVED = "not estimable: a patient's time points lie in batches of their own"


class Pair(NamedTuple):
    """One pair of time points.

    Attributes
    ----------
    rows, near, later
        Rows of the course of the patients compared, their lists, and which are of the later time point.
    both : (patients,)
        1 for the patients compared.
    reason
        Why no event of it can be believed.
    times
        Rows of all cells of the earlier and of the later time point.
    """

    rows: NDArray[np.intp]
    near: Near
    later: NDArray[np.bool_]
    both: Floats
    reason: str | None
    times: list[NDArray[np.intp]]


def cluster_course(
    course: Course, settings: Mapping[str, Any], seed: int, *, threads: int = 1
) -> tuple[NDArray[np.int64], dict[str, tuple[NDArray[np.intp], Near]]]:
    """Cluster every time point on its own: labels from 0 within each, and per time point its rows and their lists."""
    label = np.zeros(len(course.timepoint), dtype=np.int64)
    lists = {}
    for timepoint in course.timepoints:
        rows = np.flatnonzero(course.timepoint == timepoint)
        near = near_lists(course.features[rows], threads)
        lists[timepoint] = (rows, near)
        own = derive(seed, "links", timepoint)
        label[rows] = clusters_of(near, np.arange(len(rows)), settings["resolution"], seed=own, thorough=True)
    return label, lists


def supported(
    course: Course,
    label: NDArray[np.integer],
    lists: Mapping[str, tuple[NDArray[np.intp], Near]],
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int = 1,
) -> dict[tuple[str, str], PairLinks]:
    """Links and events of every pair of time points with support and controls.

    *Support*: a resample draws the patients with replacement (the same draw for all time points, so that they stay
    paired) and 0.8 of every sample's cells, clusters every time point anew, links, and looks for events. A cluster of
    a resample is the data's cluster with which it shares most cells (Jaccard index of at least 0.5). A link has the
    resample's support if its two clusters are linked there; an event if the same happened there to the same cluster,
    and for splits and merges to two of the same partners. A patient that is drawn twice weighs twice in profiles and
    shares; the neighbour graph has each of its cells once.

    *Controls*: `shuffles` times, labels are exchanged between the cells of a patient (for links: every cluster is then
    the same mixture), and cells exchange the two time points within their patient and are clustered again (for events:
    all populations are there and nothing happens).

    Only patients with both time points are compared, and of these, where there are any, only those whose two samples
    are of one batch.

    Parameters
    ----------
    label, lists
        Of :func:`cluster_course`.
    settings
        resolution, reach, min_share, bootstraps, shuffles.
    """
    pairs = {p: _pair(course, p, threads) for p in course.pairs}
    patients = int(course.patient.max(initial=-1)) + 1
    ones, everything = np.ones(patients), np.ones(len(label), dtype=bool)
    found = {p: _happened(course, q, label, kept=everything, weight=ones, settings=settings) for p, q in pairs.items()}
    linked = {p: np.zeros(f.linked.shape) for p, (f, _) in found.items()}
    seen: dict[tuple[str, str], Counter[int]] = {p: Counter() for p in pairs}
    generator = rng(seed, "links", "bootstraps")
    for b in range(settings["bootstraps"]):
        weight = np.bincount(generator.integers(0, patients, patients), minlength=patients).astype(float)
        kept = (weight[course.patient] > 0) & (generator.random(len(label)) < KEPT)
        again, match = _clustered_again(label, lists, kept=kept, settings=settings, seed=derive(seed, "bootstrap", b))
        for p, pair in pairs.items():
            used = weight * pair.both
            if not used.any():
                continue  # none of this pair's patients was drawn: the resample supports nothing
            links, told = _happened(course, pair, again, kept=kept, weight=used, settings=settings)
            i, j = match[p[0]], match[p[1]]
            linked[p] += links.linked[i[:, None], j[None]] & (i >= 0)[:, None] & (j >= 0)[None]
            seen[p].update(n for n, e in enumerate(found[p][1]) if _again(e, told, earlier=i, later=j))
    b = settings["bootstraps"]
    return {
        p: PairLinks(
            found=links,
            support=linked[p] / b,
            events=told,
            event_support=[seen[p][n] / b for n in range(len(told))],
            shuffled=_shuffled_labels(
                course, pairs[p], label, links=links, settings=settings, seed=derive(seed, "labels", *p)
            ),
            still=_shuffled_times(course, pairs[p], settings, seed=derive(seed, "times", *p)),
            n_patients=int(pairs[p].both.sum()),
            reason=pairs[p].reason,
        )
        for p, (links, told) in found.items()
    }


def _pair(course: Course, names: tuple[str, str], threads: int) -> Pair:
    moments = summaries(course._replace(pairs=[names]), np.zeros(len(course.patient), dtype=np.int64))
    both = shared_patients(*(moments[t] for t in names))
    reason = ALONE if both.sum() < 2 else None
    batch = [[course.batches.get((t, p), "") for t in names] for p in range(len(both))]
    same = both * np.array([a == b for a, b in batch], dtype=float)
    if same.any():
        both = same
        reason = ALONE if both.sum() < 2 else None
    else:
        reason = MOVED
    rows = np.flatnonzero(np.isin(course.timepoint, names) & (both[course.patient] > 0))
    near = near_lists(course.features[rows], threads)
    times = [np.flatnonzero(course.timepoint == t) for t in names]
    return Pair(rows, near, course.timepoint[rows] == names[1], both, reason, times)


def _happened(
    course: Course,
    pair: Pair,
    label: NDArray[np.integer],
    *,
    kept: NDArray[np.bool_],
    weight: Floats,
    settings: Mapping[str, Any],
    later: NDArray[np.bool_] | None = None,
) -> tuple[Linked, list[Event]]:
    """Links and events between the two time points of a pair, by the kept cells; `label` is of all cells.

    `later` says which of the pair's rows are of the later time point, if not as in the data.
    """
    inside = np.flatnonzero(kept[pair.rows])
    rows = pair.rows[inside]
    after = (pair.later if later is None else later)[inside]
    x, own, patient = pair.near.features[inside], label[rows], course.patient[rows]
    n, used = len(pair.both), weight * pair.both
    # a cluster may have cells of other patients only
    count = [
        int(label[at].max(initial=-1)) + 1 for at in (pair.times if later is None else (rows[~after], rows[after]))
    ]
    a, b = (
        profile(summarise(x[after == s], own[after == s], patient[after == s], n_patients=n, clusters=c), used)
        for s, c in zip((False, True), count, strict=True)
    )
    near, _ = within(pair.near, inside)
    mixed = mixing(near, after, own, patient=patient, shape=(n, count[0], count[1])).shares(used)
    links = link(a, b, mixed=mixed, reach=settings["reach"], min_share=settings["min_share"])
    # every sample weighs alike, as in the profiles' shares
    sides = []
    for s in (False, True):
        at = after == s
        cells = np.bincount(patient[at], minlength=n)
        sides.append(Side(x[at], own[at], (used / np.maximum(cells, 1))[patient[at]]))
    told = (in_the_cells(e, *sides) for e in events(links, a, b))
    return links, [e for e in told if e is not None]


def _clustered_again(
    label: NDArray[np.integer],
    lists: Mapping[str, tuple[NDArray[np.intp], Near]],
    *,
    kept: NDArray[np.bool_],
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.intp]]]:
    """Labels of the kept cells, and per time point the new cluster that each of the data has become (or -1)."""
    again = np.full(len(label), -1, dtype=np.int64)
    match = {}
    for timepoint, (rows, near) in lists.items():
        inside = np.flatnonzero(kept[rows])
        if len(inside):
            again[rows[inside]] = clusters_of(near, inside, settings["resolution"], seed=derive(seed, timepoint))
        match[timepoint] = same_clusters(label[rows], again[rows])
    return again, match


def same_clusters(label: NDArray[np.integer], again: NDArray[np.integer]) -> NDArray[np.intp]:
    """For every cluster the one of another clustering that shares most cells with it, or -1; -1 in `again`: not there.

    >>> same_clusters(np.array([0, 0, 1, 1, 2]), np.array([1, 1, 0, 0, 0])).tolist()
    [1, 0, -1]
    """
    k = int(label.max(initial=-1)) + 1
    there = again >= 0
    if not there.any():
        return np.full(k, -1)
    m = int(again.max()) + 1
    shared = np.bincount(label[there] * m + again[there], minlength=k * m).reshape(k, m)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    index = shared / np.maximum(union, 1)
    best = index.argmax(axis=1)
    return np.where(index[np.arange(k), best] >= SAME, best, -1)


def _again(event: Event, told: list[Event], *, earlier: NDArray[np.intp], later: NDArray[np.intp]) -> bool:
    """Whether an event of the data is among those of a resample."""
    own, other = (later, earlier) if event.kind in ("birth", "merge") else (earlier, later)
    cluster, partners = own[event.cluster], {int(other[p]) for p in event.partners} - {-1}
    return cluster >= 0 and any(
        e.kind == event.kind and e.cluster == cluster and len(partners & {*e.partners}) >= min(2, len(event.partners))
        for e in told
    )


def _shuffled_labels(
    course: Course, pair: Pair, label: NDArray[np.integer], *, links: Linked, settings: Mapping[str, Any], seed: int
) -> Floats:
    """Share of the shuffles with each link when (time point, cluster) labels are exchanged within patients."""
    times = np.zeros(links.linked.shape)
    patient = course.patient[pair.rows]
    moved = label.copy()
    everything = np.ones(len(label), dtype=bool)
    for s in range(settings["shuffles"]):
        order = _exchanged(patient, rng(seed, s))
        moved[pair.rows] = label[pair.rows][order]
        again, _ = _happened(
            course, pair, moved, kept=everything, weight=pair.both, settings=settings, later=pair.later[order]
        )
        times += again.linked
    return times / settings["shuffles"]


def _shuffled_times(course: Course, pair: Pair, settings: Mapping[str, Any], *, seed: int) -> dict[str, float]:
    """Share of the shuffles with an event of every kind when cells exchange time points within patients."""
    patient = course.patient[pair.rows]
    label = np.zeros(len(course.patient), dtype=np.int64)
    everything = np.ones(len(label), dtype=bool)
    seen: Counter[str] = Counter()
    for s in range(settings["shuffles"]):
        later = pair.later[_exchanged(patient, rng(seed, s))]
        for side in (False, True):
            inside = np.flatnonzero(later == side)
            label[pair.rows[inside]] = clusters_of(
                pair.near, inside, settings["resolution"], seed=derive(seed, "links", s, int(side))
            )
        _, told = _happened(course, pair, label, kept=everything, weight=pair.both, settings=settings, later=later)
        seen.update({e.kind for e in told})
    return {kind: n / settings["shuffles"] for kind, n in seen.items()}


def _exchanged(patient: NDArray[np.integer], generator: np.random.Generator) -> NDArray[np.intp]:
    """A permutation of the cells within patients."""
    order = np.arange(len(patient))
    for p in np.unique(patient):
        own = np.flatnonzero(patient == p)
        order[own] = generator.permutation(own)
    return order
