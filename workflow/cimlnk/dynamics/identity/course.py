"""Identity along a whole course: which time points follow each other, and the tracks that links make of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

from .links import Event, Linked, Summary, summarise


class Course(NamedTuple):
    """Cells of one arm: features, time point, patient (coded from 0); and the pairs of time points to be linked.

    `batches`: (time point, patient code) -> batch of the sample; what is not in it is of one batch.
    """

    features: NDArray[np.floating]
    timepoint: NDArray[np.object_]
    patient: NDArray[np.int64]
    pairs: list[tuple[str, str]]
    batches: Mapping[tuple[str, int], str] = {}

    @property
    def timepoints(self) -> list[str]:
        """In the order in which the pairs name them."""
        return list(dict.fromkeys(t for pair in self.pairs for t in pair))


class PairLinks(NamedTuple):
    """Links and events of one pair of time points with their support and their controls.

    Attributes
    ----------
    found
        Links in the data.
    support : (s, t)
        Share of the resamples with the link.
    events, event_support
        In the data; share of the resamples with each.
    shuffled : (s, t)
        Share of the shuffles of labels with the link.
    still
        Kind of event -> share of the shuffles of time points with any event of that kind.
    n_patients
        Patients behind the pair.
    reason
        Why no event of this pair can be believed whatever its support; None: it can.
    """

    found: Linked
    support: NDArray[np.float64]
    events: list[Event]
    event_support: list[float]
    shuffled: NDArray[np.float64]
    still: dict[str, float]
    n_patients: int
    reason: str | None


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
