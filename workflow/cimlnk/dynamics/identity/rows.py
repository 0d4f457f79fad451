"""Links, events and tracks as tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .course import Course, PairLinks

SUPPORTED = 0.8  # of the resamples: more than a single patient of six can give (it is in two thirds of them)
BY_CHANCE = 0.1  # of the shuffles of time points may hold an event of the kind
Links = Mapping[tuple[str, str], PairLinks]


def named_clusters(
    course: Course, label: NDArray[np.integer], population: NDArray[np.object_]
) -> dict[tuple[str, int], tuple[str, float, int]]:
    """(time point, cluster) -> most frequent joint subset (ties: first in the alphabet), its share, number of cells."""
    frame = pd.DataFrame({"t": course.timepoint, "k": label, "p": population.astype(str)})
    counts = frame.groupby(["t", "k", "p"], sort=True).size()
    named = {}
    for (t, k), group in counts.groupby(level=[0, 1], sort=True):
        named[(str(t), int(k))] = (str(group.idxmax()[2]), float(group.max() / group.sum()), int(group.sum()))
    return named


def link_rows(links: Links, named: Mapping[tuple[str, int], tuple[str, float, int]]) -> pd.DataFrame:
    """IDENTITY without modality and arm: every pair that is linked in the data or in a tenth of the resamples."""
    rows = []
    for (a, b), result in links.items():
        found, null = result.found, result.shuffled
        for i, j in np.argwhere(found.linked | (result.support >= 0.1)):
            rows.append(
                {
                    "from_timepoint": a,
                    "from_cluster": str(i),
                    "to_timepoint": b,
                    "to_cluster": str(j),
                    "from_population": named[(a, i)][0],
                    "to_population": named[(b, j)][0],
                    "mass": found.plan[i, j],
                    "descendant_share": found.descendants[i, j],
                    "ancestor_share": found.ancestors[i, j],
                    "distance": found.ratio[i, j],
                    "linked": bool(found.linked[i, j]),
                    "support": result.support[i, j],
                    "support_shuffled": null[i, j],
                }
            )
    return pd.DataFrame(rows)


def event_rows(links: Links, named: Mapping[tuple[str, int], tuple[str, float, int]]) -> pd.DataFrame:
    """EVENTS without modality and arm."""
    rows = []
    for (a, b), result in links.items():
        for event, support in zip(result.events, result.event_support, strict=True):
            at, other = (b, a) if event.kind in ("birth", "merge") else (a, b)
            partners = [f"{p} ({named[(other, p)][0]})" for p in event.partners]
            still = result.still.get(event.kind, 0.0)
            reason = result.reason
            if reason is None and support < SUPPORTED:
                reason = f"in fewer than {SUPPORTED:.0%} of the resamples"
            elif reason is None and still > BY_CHANCE:
                reason = f"such events are in more than {BY_CHANCE:.0%} of the shuffles, in which nothing happens"
            rows.append(
                {
                    "event": event.kind,
                    "from_timepoint": a,
                    "to_timepoint": b,
                    "cluster": str(event.cluster),
                    "population": named[(at, event.cluster)][0],
                    "partners": ", ".join(partners) or None,
                    "n_patients": result.n_patients,
                    "support": support,
                    "shuffled_time": still,
                    "verdict": "shown" if reason is None else "not shown",
                    "reason": reason,
                }
            )
    return pd.DataFrame(rows)


def track_rows(
    joined: Mapping[tuple[str, int], int],
    named: Mapping[tuple[str, int], tuple[str, float, int]],
    share: Mapping[str, NDArray[np.float64]],
    *,
    day: Mapping[str, float],
    per_ul: Mapping[str, float],
) -> pd.DataFrame:
    """TRACKS without modality and arm. A track is named after the joint subset most of its cells belong to; further
    tracks of the same subset get a number, in the order of their size."""
    names = _track_names(joined, named)
    rows = []
    for (timepoint, k), number in joined.items():
        population, purity, cells = named[(timepoint, k)]
        rows.append(
            {
                "timepoint": timepoint,
                "day": day[timepoint],
                "cluster": str(k),
                "track": names[number],
                "population": population,
                "purity": purity,
                "n_cells": cells,
                "fraction": share[timepoint][k],
                "cells_per_ul": share[timepoint][k] * per_ul.get(timepoint, np.nan),
            }
        )
    return pd.DataFrame(rows)


def _track_names(
    joined: Mapping[tuple[str, int], int], named: Mapping[tuple[str, int], tuple[str, float, int]]
) -> dict[int, str]:
    votes: dict[int, dict[str, float]] = {}
    for node, number in joined.items():
        population, purity, cells = named[node]
        own = votes.setdefault(number, {})
        own[population] = own.get(population, 0.0) + purity * cells
    best = {n: max(sorted(v), key=lambda p: v[p]) for n, v in votes.items()}  # noqa: B023
    size = {n: sum(v.values()) for n, v in votes.items()}
    names, used = {}, dict.fromkeys(best.values(), 0)
    for number in sorted(best, key=lambda n: (-size[n], n)):
        population = best[number]
        used[population] += 1
        names[number] = population if used[population] == 1 else f"{population} {used[population]}"
    return names
