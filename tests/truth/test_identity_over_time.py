"""Planted splits, merges, births and losses are found by clustering every time point on its own and linking."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.dynamics.identity.course import (
    Course,
    PairLinks,
    cluster_times,
    mixings,
    shuffled_labels,
    shuffled_times,
    summaries,
    supported_links,
)
from cimlnk.dynamics.identity.merging import merge_unseparated
from cimlnk.dynamics.identity.rows import named_clusters
from cimlnk.graph import knn, leiden, weights

pytestmark = pytest.mark.slow
SETTINGS = {"reach": 0.75, "min_share": 0.2, "bootstraps": 60}
NOISE = 0.9  # sd of a marker within a subset, in arcsinh units; the halves of the split lie 4.7 of it apart
PATIENTS, CELLS, D, TIMES = 5, 300, 12, ["T0", "T1", "T2", "T3"]


def centres(rng: np.random.Generator, k: int) -> list[np.ndarray]:
    """`k` profiles in 12 markers, each marker low or high (3 apart), at least three markers between any two."""
    found: list[np.ndarray] = []
    while len(found) < k:
        new = rng.integers(0, 2, D) * 3.0
        if all((np.abs(new - old) > 0).sum() >= 3 for old in found):
            found.append(new)
    return found


def planted(seed: int) -> tuple[Course, np.ndarray, set[tuple[str, str, str]]]:
    """A course of five subsets with one event of each kind, its cells' true names, and the events.

    The subset that splits parts along two markers by 1.5 each side; patients have their own shares and shifts (sd
    0.15), subsets drift (sd 0.25 per marker and time), one subset expands ten-fold.
    """
    rng = np.random.default_rng(seed)
    place = dict(zip("ABCDEN", centres(rng, 6), strict=True))
    axis = np.zeros(D)
    axis[rng.choice(D, 2, replace=False)] = 1.5
    at = {
        "T0": {x: place[x] for x in "ABCD"},
        "T1": {"A1": place["A"] + axis, "A2": place["A"] - axis} | {x: place[x] for x in "BCD"},
        "T2": {"A1": place["A"] + axis, "A2": place["A"] - axis} | {x: place[x] for x in "BCN"},
        "T3": {x: place[x] for x in "ABCN"},
    }
    events = {("T1", "split", "A"), ("T2", "birth", "N"), ("T2", "loss", "D"), ("T3", "merge", "A")}
    shift = {(p, x): rng.normal(0, 0.15, D) for p in range(PATIENTS) for x in ["A", "A1", "A2", *"BCDN"]}
    drift = {x: rng.normal(0, 0.25, D) for x in ["A", "A1", "A2", *"BCDN"]}
    cells, name, timepoint, patient = [], [], [], []
    for t, label in enumerate(TIMES):
        for p in range(PATIENTS):
            weight = rng.dirichlet([8.0] * len(at[label])) * np.array(
                [10.0 ** (t / 3) if x == "B" else 1 for x in at[label]]
            )
            for (who, centre), n in zip(at[label].items(), rng.multinomial(CELLS, weight / weight.sum()), strict=True):
                cells.append(centre + shift[(p, who)] + t * drift[who] / 3 + rng.normal(0, NOISE, (n, D)))
                name += [who] * n
                timepoint += [label] * n
                patient += [p] * n
    course = Course(
        np.vstack(cells),
        np.array(timepoint, dtype=object),
        np.array(patient),
        list(zip(TIMES[:-1], TIMES[1:], strict=True)),
    )
    return course, np.array(name, dtype=object), events


def cluster(x: np.ndarray, timepoint: str) -> np.ndarray:
    lists = knn(np.ascontiguousarray(x, dtype=np.float32), k=15, recall=1.0, threads=1)
    return merge_unseparated(x, leiden(weights(lists, threads=1), 0.5, order=lists.order, threads=1).labels)


def linked(course: Course, label: np.ndarray) -> dict[tuple[str, str], PairLinks]:
    moments = summaries(course, label)
    return supported_links(moments, course.pairs, SETTINGS, seed=0, name="data", mixed=mixings(course, label, moments))


def found_events(course: Course, name: np.ndarray, label: np.ndarray, least: float = 0.5) -> set[tuple[str, str, str]]:
    named = named_clusters(course, label, name)
    links = linked(course, label)
    found = set()
    for (a, b), result in links.items():
        for event, support in zip(result.events, result.event_support, strict=True):
            at = b if event.kind in ("birth", "merge") else a
            if support > least:
                found.add((b, event.kind, named[(at, event.cluster)][0]))
    return found


def test_planted_events_are_found_with_f1_of_at_least_point_nine():
    hit = wrong = missed = 0
    for seed in range(20):
        course, name, truth = planted(seed)
        found = found_events(course, name, cluster_times(course, cluster))
        hit, wrong, missed = hit + len(found & truth), wrong + len(found - truth), missed + len(truth - found)
    f1 = 2 * hit / (2 * hit + wrong + missed)
    print(f"\nevents: found {hit}, wrong {wrong}, missed {missed}, F1 {f1:.3f}")
    assert f1 >= 0.9


def test_links_join_the_same_subset():
    right = total = 0
    for seed in range(20):
        course, name, _ = planted(seed)
        label = cluster_times(course, cluster)
        named = named_clusters(course, label, name)
        for (a, b), result in linked(course, label).items():
            for i, j in np.argwhere(result.support > 0.5):
                total += 1
                right += named[(a, int(i))][0][0] == named[(b, int(j))][0][0]  # A, A1 and A2 are one lineage
    print(f"\nlinks with support above 0.5: {total}, right {right / total:.3f}")
    assert right / total >= 0.95


def test_controls_support_nothing():
    strongest_link, strongest_event = [], []
    for seed in range(10):
        course, _, _ = planted(seed)
        label = cluster_times(course, cluster)
        broken = linked(shuffled_labels(course, label, seed), label)
        strongest_link.append(max(float(r.support.max()) for r in broken.values()))
        quiet = shuffled_times(course, seed)
        still = linked(quiet, cluster_times(quiet, cluster))
        strongest_event.append(max([s for r in still.values() for s in r.event_support], default=0.0))
    wrong = sum(s > 0.5 for s in strongest_event)
    print(f"\ncontrols: strongest link {max(strongest_link):.2f}, events above 0.5 in {wrong} of 10 courses")
    assert max(strongest_link) <= 0.5
    assert wrong <= 1
