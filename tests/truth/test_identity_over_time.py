"""Planted splits, merges, births and losses are found by clustering time points on their own; nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.dynamics.identity.course import Course
from cimlnk.dynamics.identity.resampling import cluster_course, supported
from cimlnk.dynamics.identity.rows import event_rows, link_rows, named_clusters
from courses import EVENTFUL, EVENTS, STILL, Cells, course

pytestmark = pytest.mark.slow
SETTINGS = {"reach": 0.75, "min_share": 0.2, "bootstraps": 50, "shuffles": 20, "resolution": 0.5}


def followed(cells: Cells, batches: dict[tuple[str, int], str] | None = None):
    own = Course(cells.x, cells.timepoint, cells.patient, cells.pairs, batches or {})
    label, lists = cluster_course(own, SETTINGS, 0)
    links = supported(own, label, lists, settings=SETTINGS, seed=0)
    named = named_clusters(own, label, cells.subset)
    return event_rows(links, named), link_rows(links, named)


def shown(events) -> set[tuple[str, str, str]]:
    if not len(events):
        return set()
    kept = events[events["verdict"] == "shown"]
    return {(r.to_timepoint, r.event, r.population) for r in kept.itertuples()}


PLANTED = {
    "plain": {},
    "samples shifted": {"sample_shift": 0.2},
    "one subset expands ten-fold": {"weight": lambda s, t: 10.0 ** (t / 3) if s == "B" else 1.0},
    "unequal numbers of cells": {"cells": {"T0": 400, "T1": 100, "T2": 400, "T3": 100}},
    "three patients": {"patients": 3, "cells": 500},
}


def test_planted_events_are_found_and_links_join_the_same_subset():
    hit = wrong = missed = right = total = 0
    for seed, case in enumerate(PLANTED):
        events, links = followed(course(seed, EVENTFUL, **PLANTED[case]))
        found = shown(events)
        print(f"\n{case}: wrong {sorted(found - EVENTS)}, missed {sorted(EVENTS - found)}")
        hit, wrong, missed = hit + len(found & EVENTS), wrong + len(found - EVENTS), missed + len(EVENTS - found)
        strong = links[links["support"] > 0.5]
        total += len(strong)
        right += int(
            (strong["from_population"].str[0] == strong["to_population"].str[0]).sum()
        )  # A, A1, A2: one lineage
    f1 = 2 * hit / (2 * hit + wrong + missed)
    print(f"\nevents: found {hit}, wrong {wrong}, missed {missed}, F1 {f1:.3f}; links {right} of {total} right")
    assert f1 >= 0.9 and wrong == 0 and right / total >= 0.95


NULLS = {
    "samples shifted": {"sample_shift": 0.2},
    "unequal numbers of cells": {"cells": {"T0": 400, "T1": 40, "T2": 400, "T3": 60}},
    "unequal depth": {"noise": {"T0": 0.9, "T1": 1.6, "T2": 0.9, "T3": 1.3}},
    "batch is time": {"time_shift": 1.0},
    "one cluster": {"at": dict.fromkeys(STILL, ("A",)), "sample_shift": 0.3},
    "one patient": {"patients": 1, "cells": 1500},
    "patterns of donors": {"donors": "AB"},
    "rare subsets": {"weight": lambda s, t: 0.03 if s in "DE" else 1.0, "evenness": 3.0},
    "subsets that shrink": {"weight": lambda s, t: 10.0 ** (-t / 3) if s in "BC" else 1.0},
}


@pytest.mark.parametrize("case", NULLS)
def test_nothing_is_shown_where_nothing_happens(case):
    cells = course(7, **NULLS[case])
    batches = {(t, int(p)): t for t in STILL for p in np.unique(cells.patient)} if case == "batch is time" else None
    events, _ = followed(cells, batches)
    assert shown(events) == set(), events.to_string()
