"""Identity along a whole course: links between consecutive time points with support and a negative control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

from .links import Event, Linked, Summary, events, link, profile, summarise
from .mixing import Mixing, mixing

Cluster = Callable[[NDArray[np.floating], str], NDArray[np.integer]]


class Course(NamedTuple):
    """Cells of one arm: features, time point, patient (coded from 0); and the pairs of time points to be linked."""

    features: NDArray[np.floating]
    timepoint: NDArray[np.object_]
    patient: NDArray[np.int64]
    pairs: list[tuple[str, str]]

    @property
    def timepoints(self) -> list[str]:
        """In the order in which the pairs name them."""
        return list(dict.fromkeys(t for pair in self.pairs for t in pair))


class PairLinks(NamedTuple):
    """Links of one pair of time points in the data, with the bootstrap support of every link and event."""

    found: Linked
    support: NDArray[np.float64]
    events: list[Event]
    event_support: list[float]


def pairs_of(samples: pd.DataFrame) -> list[tuple[str, str]]:
    """Consecutive time points of one arm: who can descend from whom.

    With an infusion product the line is donor -> product -> first blood after infusion -> ..., and the blood before
    infusion -> first blood after it, because residual cells can be there too. Without a product it is the blood in
    the order of days.
    """
    first = samples.groupby(["tissue_or_product", "timepoint"], sort=True)["day"].min()
    order = {tissue: first[tissue].sort_values(kind="stable") for tissue in first.index.get_level_values(0).unique()}
    blood = order.get("blood", pd.Series(dtype=float))
    product = list(order["product"].index) if "product" in order else []
    if not product:
        return list(zip(blood.index[:-1], blood.index[1:], strict=True))
    donor = list(order["donor"].index) if "donor" in order else []
    after = list(blood.index[blood > 0])
    line = [*donor[-1:], *product[-1:], *after]
    pairs = list(zip(line[:-1], line[1:], strict=True))
    before = list(blood.index[blood <= 0])
    if before and after:
        pairs += list(zip(before[:-1], before[1:], strict=True)) + [(before[-1], after[0])]
    return pairs


def summaries(course: Course, label: NDArray[np.integer]) -> dict[str, Summary]:
    """Moments of the clusters of every time point (labels are of the time point's own clustering)."""
    n_patients = int(course.patient.max(initial=-1)) + 1
    found = {}
    for timepoint in course.timepoints:
        at = course.timepoint == timepoint
        found[timepoint] = summarise(course.features[at], label[at], course.patient[at], n_patients=n_patients)
    return found


def supported_links(
    moments: Mapping[str, Summary],
    pairs: Sequence[tuple[str, str]],
    settings: Mapping[str, Any],
    *,
    seed: int,
    name: str,
    mixed: Mapping[tuple[str, str], Mixing] | None = None,
) -> dict[tuple[str, str], PairLinks]:
    """Links and events in the data and the share of bootstraps that have them.

    A pair of time points is linked over the patients that have both. A bootstrap draws the patients with replacement
    (the same draw for all time points, so that they stay paired) and moves every mean by its sampling error; where
    all cells come from one patient only the latter is possible.

    Parameters
    ----------
    settings
        reach, min_share, bootstraps.
    name
        Names the random stream (the control must not reuse the data's).
    mixed
        Neighbours across time (:func:`mixings`); None: links by profiles alone.
    """
    options = {"reach": settings["reach"], "min_share": settings["min_share"]}
    both = {p: shared_patients(moments[p[0]], moments[p[1]]) for p in pairs}

    def linked(
        p: tuple[str, str], weight: NDArray[np.float64], noise: np.random.Generator | None = None
    ) -> tuple[Linked, list[Event]]:
        used = weight * both[p] if (weight * both[p]).any() else both[p]
        a, b = profile(moments[p[0]], used, noise), profile(moments[p[1]], used, noise)
        found = link(a, b, mixed=mixed[p].shares(used) if mixed is not None else None, **options)
        return found, events(found, a, b)

    patients = len(next(iter(moments.values())).counts) if moments else 0
    observed = {p: linked(p, np.ones(patients)) for p in pairs}
    times = {p: np.zeros(observed[p][0].linked.shape) for p in pairs}
    seen: dict[tuple[str, str], Counter[tuple[str, int]]] = {p: Counter() for p in pairs}
    generator = rng(seed, "links", name)
    for _ in range(settings["bootstraps"]):
        weight = np.bincount(generator.integers(0, patients, patients), minlength=patients).astype(float)
        for p in pairs:
            again, happened = linked(p, weight, generator)
            times[p] += again.linked
            seen[p].update((e.kind, e.cluster) for e in happened)
    b = settings["bootstraps"]
    return {
        p: PairLinks(found, times[p] / b, happened, [seen[p][(e.kind, e.cluster)] / b for e in happened])
        for p, (found, happened) in observed.items()
    }


def mixings(
    course: Course, label: NDArray[np.integer], moments: Mapping[str, Summary], *, threads: int = 1
) -> dict[tuple[str, str], Mixing]:
    """Neighbours across time for every pair of time points, among the patients that have both."""
    found = {}
    for a, b in course.pairs:
        both = shared_patients(moments[a], moments[b]) > 0
        rows = np.flatnonzero(np.isin(course.timepoint, [a, b]) & both[course.patient])
        shape = (len(both), moments[a].counts.shape[1], moments[b].counts.shape[1])
        found[(a, b)] = mixing(
            course.features[rows],
            course.timepoint[rows] == b,
            label[rows],
            patient=course.patient[rows],
            shape=shape,
            threads=threads,
        )
    return found


def shared_patients(earlier: Summary, later: Summary) -> NDArray[np.float64]:
    """1 for patients with cells at both time points, so that a change of patients is not taken for an event; all with
    cells at either where nobody has both."""
    a, b = earlier.counts.sum(axis=1) > 0, later.counts.sum(axis=1) > 0
    return ((a & b) if (a & b).any() else (a | b)).astype(float)


def shuffled_labels(course: Course, label: NDArray[np.integer], seed: int) -> Course:
    """The control for links: (time point, cluster) labels exchanged between the cells of a patient.

    Every label then stands for the same mixture of cells, so no cluster is the continuation of another.
    """
    generator = rng(seed, "shuffled labels")
    order = np.arange(len(label))
    for patient in np.unique(course.patient):
        own = np.flatnonzero(course.patient == patient)
        order[own] = generator.permutation(own)
    return course._replace(features=course.features[order])


def shuffled_times(course: Course, seed: int) -> Course:
    """The control for events: cells exchange time points within their patient, then are clustered anew.

    The populations are all there but nothing happens between the time points.
    """
    generator = rng(seed, "shuffled times")
    timepoint = course.timepoint.copy()
    for patient in np.unique(course.patient):
        own = np.flatnonzero(course.patient == patient)
        timepoint[own] = timepoint[generator.permutation(own)]
    return course._replace(timepoint=timepoint)


def cluster_times(course: Course, cluster: Cluster) -> NDArray[np.int64]:
    """Cluster every time point on its own; labels from 0 within each."""
    label = np.zeros(len(course.timepoint), dtype=np.int64)
    for timepoint in course.timepoints:
        at = course.timepoint == timepoint
        if at.any():
            label[at] = cluster(course.features[at], timepoint)
    return label


def tracks(links: Mapping[tuple[str, str], PairLinks], sizes: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """Clusters joined over time by mutual best links: (time point, cluster) -> track number.

    A link is mutual if the earlier cluster is the later one's main ancestor and the later one its main descendant. So
    of the parts of a split only the largest goes on under the old identity.
    """
    parent: dict[tuple[str, int], tuple[str, int]] = {(t, k): (t, k) for t, n in sizes.items() for k in range(n)}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent[node] != node:
            node = parent[node]
        return node

    for (a, b), result in links.items():
        found = result.found
        for i, j in np.argwhere(found.linked):
            if found.ancestors[:, j].argmax() == i and found.descendants[i].argmax() == j:
                parent[root((b, int(j)))] = root((a, int(i)))
    numbers: dict[tuple[str, int], int] = {}
    return {node: numbers.setdefault(root(node), len(numbers)) for node in parent}
