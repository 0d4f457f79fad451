"""Names of NK cells by protein: clusters in the defining antibodies, named by the definitions of cytometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.vocabulary import UNASSIGNED
from cimlnk.graph import knn, leiden, weights
from cimlnk.populations.definitions import Definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.naming import name_clusters

NEIGHBOURS = 10
RECALL = 0.9
RESOLUTION = 10.0  # finer than any name needs: clusters of one name are named alike, and five bright cells stand alone
LEAST_CELLS = 40  # NK cells below which nothing is clustered and all are one group

Floats = NDArray[np.floating]


class Named(NamedTuple):
    """Name and score of every cell, and name -> which markers would have said more."""

    population: NDArray[np.object_]
    score: NDArray[np.float32]
    limits: dict[str, str]


def name_by_protein(
    values: Floats,
    markers: Sequence[str],
    batch: NDArray[np.object_],
    *,
    thresholds: pd.DataFrame,
    definitions: Definitions,
    seed: int = 0,
    threads: int | None = None,
) -> Named:
    """Name NK cells by their proteins.

    Parameters
    ----------
    values
        NK cells × markers, analysis scale.
    markers, batch
        Of the columns and of the cells.
    thresholds
        THRESHOLDS of the markers in every batch.
    definitions
        Of the populations by protein.
    seed, threads
        Of the clustering.
    """
    wanted = set(definitions.features())
    use = [j for j, m in enumerate(markers) if m in wanted and np.isfinite(values[:, j]).all()]
    if not use or not len(values):
        why = "no antibody of the definitions was measured" if not use else "no NK cells by protein"
        return Named(np.full(len(values), UNASSIGNED, object), np.full(len(values), np.nan, np.float32), {"": why})
    X = np.ascontiguousarray(values[:, use], np.float32)
    labels = np.zeros(len(X), np.int32)
    if len(X) >= LEAST_CELLS:
        lists = knn(
            X, min(NEIGHBOURS, len(X) - 1), RECALL, seed=seeds.derive(seed, "protein neighbours"), threads=threads
        )
        graph = weights(lists, ordered=True, threads=threads)
        stream = seeds.derive(seed, "protein clusters")
        labels = leiden(graph, RESOLUTION, seed=stream, order=lists.order, ordered=True, threads=threads).labels
    names = [markers[j] for j in use]
    distances = cluster_distances(X, names, labels, batch=batch, thresholds=thresholds, definitions=definitions)
    table = name_clusters(distances, definitions)
    limits = table.dropna(subset=["reason"]).drop_duplicates("population").set_index("population")["reason"]
    population = table["population"].reindex(labels).to_numpy(dtype=object)
    score = table["score"].reindex(labels).to_numpy(dtype=np.float32)
    return Named(population, score, {str(k): str(v) for k, v in limits.items()})


def withhold(
    named: Named, sample: NDArray[Any], *, untrusted: Mapping[str, set[str]], definitions: Definitions
) -> Named:
    """Take back names that need an antibody whose background a sample does not show.

    Parameters
    ----------
    named
        Of :func:`name_by_protein`.
    sample
        Of every cell.
    untrusted
        Sample -> markers without a trustworthy background in it.
    definitions
        Of the populations.

    Returns
    -------
    Named
        Those cells are unassigned, without a score.
    """
    population, score = named.population.copy(), named.score.copy()
    for name in map(str, pd.unique(population)):
        asked = _asked(name, definitions)
        for one, markers in untrusted.items():
            if asked & markers:
                rows = (sample == one) & (named.population == name)
                population[rows], score[rows] = UNASSIGNED, np.nan
    return Named(population, score, named.limits)


def _asked(name: str, definitions: Definitions) -> set[str]:
    """Markers that decide whether a cluster has a name or one it refines."""
    given = {d.name for d in definitions.populations}
    lines = [name, *definitions.ancestors(name)] if name in given else []
    features = [f for one in lines for alternative in definitions.get(one).requires for f in alternative]
    return {m for f in features for m in definitions.groups.get(f, (f,))}
