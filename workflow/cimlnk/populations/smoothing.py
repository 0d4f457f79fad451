"""Names of single cells by protein: distances from the thresholds, steadied by their neighbours (:mod:`.means`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .definitions import Definitions
from .distances import batch_borders, cluster_distances
from .evidence import Distances
from .means import Floats, beside, steadied
from .naming import name_rows
from .neighbours import Lists, outside

BLOCK = 20_000  # cells outside of a sketch that are smoothed at once
LEAST_WHOLE = 1 / 3  # of the cells, whose files have a member of a group, before they speak for the others


class Cells:
    """Single cells against the thresholds: columns of distances, and how to read them again.

    Parameters
    ----------
    values
        Cells × features, analysis scale.
    features, batch
        Name of every column; batch of every cell.
    thresholds, definitions
        THRESHOLDS, and what is asked.
    clusters
        Distances of the clusters, which stand for cells whose own and whose neighbours' files lack a marker.
    """

    def __init__(
        self,
        values: Floats,
        features: Sequence[str],
        batch: NDArray[np.object_],
        *,
        thresholds: pd.DataFrame,
        definitions: Definitions,
        clusters: Distances,
    ) -> None:
        names, self.code = np.unique(np.asarray(batch).astype(str), return_inverse=True)
        self.borders = batch_borders(
            values, features, (names, self.code), thresholds=thresholds, definitions=definitions
        )
        asked = {f for d in definitions.populations for f in d.features()}
        self.agreeing = {f for d in definitions.populations if d.agree is not None for _, f, _ in d.further()}
        self.values, self.features, self.clusters = values, list(features), clusters
        self.columns = [("threshold", f) for f in clusters.threshold.columns if f in asked]
        self.columns += [(t, f) for t in ("bright", "raised") for f in clusters.bright.columns]
        self.groups = {g: [self.features.index(m) for m in ms if m in self.features]
                       for g, ms in definitions.groups.items()}  # fmt: skip
        measured = {m: np.isfinite(values[:, m]) for ms in self.groups.values() for m in ms}
        self.whole = {m for m, there in measured.items() if LEAST_WHOLE <= there.mean() < 1}

    def distances(self, rows: NDArray[np.integer] | slice) -> Floats:
        """Distances (rows × columns, float32), NaN where a cell has no value or its batch no threshold."""
        values, code = self.values[rows], self.code[rows]
        out = np.empty((len(values), len(self.columns)), np.float32)
        for j, (table, feature) in enumerate(self.columns):
            if table == "threshold" and feature in self.groups:
                members = [values[:, m] - self.borders["threshold"][code, m] for m in self.groups[feature]]
                out[:, j] = np.fmax.reduce(members)
                lacking = self.lacks(feature, values)
                out[lacking, j] = np.nan
            elif table == "threshold":
                m = self.features.index(feature)
                out[:, j] = values[:, m] - self.borders["threshold"][code, m]
            else:
                border = self.borders[table][:, list(self.clusters.bright.columns).index(feature)]
                out[:, j] = values[:, self.features.index(feature)] - border[code]
        return out

    def lacks(self, group: str, values: Floats) -> NDArray[np.bool_]:
        """Cells whose file lacks a member of a group that others have: which of it they carry is not known.

        The cells of complete files speak for them, if they are at least a third of all.
        """
        columns = [m for m in self.groups[group] if m in self.whole]
        if not columns:
            return np.zeros(len(values), bool)
        lacking: NDArray[np.bool_] = ~np.all(np.isfinite(values[:, columns]), axis=1)
        return lacking

    def tables(self, distances: Floats, cluster: NDArray[np.integer], *, around: Floats | None = None) -> Distances:
        """The columns as DISTANCES, gaps filled from the cells' clusters; `around`, the neighbours alone, of those
        markers that have to agree."""
        parts: dict[str, dict[str, Floats]] = {"threshold": {}, "bright": {}, "raised": {}}
        of_neighbours: dict[str, Floats] = {}
        for j, (table, feature) in enumerate(self.columns):
            parts[table][feature] = self._filled(distances[:, j], table, feature, cluster=cluster)
            if around is not None and table == "threshold" and feature in self.agreeing:
                of_neighbours[feature] = self._filled(around[:, j], table, feature, cluster=cluster)
        index = pd.RangeIndex(len(distances))
        made = {table: pd.DataFrame(columns, index=index) for table, columns in parts.items()}
        fixed = {"sd": self.clusters.sd.iloc[:1], "missing": self.clusters.missing}
        nothing = pd.DataFrame(index=index)
        alone = (
            None if around is None else Distances(pd.DataFrame(of_neighbours, index=index), nothing, nothing, **fixed)
        )
        return Distances(**made, **fixed, around=alone)

    def _filled(self, column: Floats, table: str, feature: str, *, cluster: NDArray[np.integer]) -> Floats:
        if np.isfinite(column).all():
            return column
        of_cluster = getattr(self.clusters, table)[feature].reindex(cluster).to_numpy(np.float32)
        return np.where(np.isfinite(column), column, of_cluster)


def name_in_graph(
    values: Floats,
    features: Sequence[str],
    cluster: NDArray[np.integer],
    *,
    indices: NDArray[np.int32],
    batch: NDArray[Any],
    thresholds: pd.DataFrame,
    definitions: Definitions,
    first: int = 0,
) -> tuple[NDArray[np.object_], Floats, Floats]:
    """Name, score and margin of the cells of one graph, as a run names them: distances, steadied, named.

    Parameters
    ----------
    values
        Cells × features, analysis scale; NaN where a file lacks one.
    cluster, batch
        Of every cell.
    indices
        Cells × k places of their neighbours.
    thresholds, definitions
        THRESHOLDS, and what is asked.
    first
        From which cell on names are wanted; those before it only speak for their neighbours.
    """
    # medians of the clusters fill gaps only: where there are none, one cell shows which columns there are
    some = {"thresholds": thresholds, "definitions": definitions}
    clusters = cluster_distances(values[:1], features, cluster[:1], batch=batch[:1], **some)
    cells = Cells(values, features, batch, **some, clusters=clusters)
    distances = cells.distances(slice(None))
    own, around = steadied(distances, indices, cluster, first=first)
    gaps = ~(np.isfinite(own) & np.isfinite(around)).all(axis=0)
    if (gaps & np.isfinite(distances).any(axis=0)).any():
        cells.clusters = cluster_distances(values, features, cluster, batch=batch, **some)
    return name_rows(cells.tables(own, cluster[first:], around=around), definitions)


def name_cells(
    cells: Cells,
    cluster: NDArray[np.integer],
    definitions: Definitions,
    *,
    lists: Lists,
    features: str | Path | None = None,
    samples: NDArray[np.object_] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[NDArray[np.object_], Floats, Floats]:
    """Name, score and margin of every cell, from distances smoothed over its neighbours.

    Parameters
    ----------
    cells
        The cells against the thresholds.
    cluster
        Of every cell.
    definitions
        Named populations.
    lists
        Neighbours of the graph's cells. Cells outside of a sketch take the mean of their own and the steadied distances
        of the cells of the sketch that lie nearest to them, by the same weights.
    features, samples, seed, threads
        For those, as in :func:`cimlnk.populations.neighbours.name_agreement`.
    """
    rows = lists.rows
    part = cluster[rows]
    both = steadied(cells.distances(rows), lists.indices, part)
    n = len(cluster)
    population, score, margin = np.empty(n, object), np.empty(n), np.empty(n)
    for where, values, around in _all_cells(
        cells, cluster, both, lists=lists, features=features, samples=samples, seed=seed, threads=threads
    ):
        found = name_rows(cells.tables(values, cluster[where], around=around), definitions)
        population[where], score[where], margin[where] = found
    return population, score, margin


def _all_cells(
    cells: Cells,
    cluster: NDArray[np.integer],
    both: tuple[Floats, Floats],
    *,
    lists: Lists,
    features: str | Path | None,
    samples: NDArray[np.object_] | None,
    seed: int,
    threads: int | None,
) -> Iterator[tuple[NDArray[np.integer], Floats, Floats]]:
    """Rows, their distances and those of their neighbours alone: stretches with cells outside of the graph first, then
    the graph's own (`both`)."""
    own = both[0]
    if len(lists.rows) < len(cluster):
        if features is None or samples is None:
            raise ValueError("a sketch needs the features and the samples of all cells")
        part = cluster[lists.rows]
        for first, end, near in outside(lists, features, samples, seed=seed, threads=threads):
            for a in range(first, end, BLOCK):
                b = min(end, a + BLOCK)
                found = near[a - first : b - first]
                mine = cells.distances(slice(a, b))
                yield np.arange(a, b), *beside(mine, own[found], part[found] == cluster[a:b, None])
    yield lists.rows, *both
