"""Names of added cells by their own markers, as a run of everything names cells, on the earlier clusters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.graph.nearest import knn
from cimlnk.graph.sketching import RECALL, Extension
from cimlnk.populations.definitions import Definitions
from cimlnk.populations.neighbours import confidence, same_name
from cimlnk.populations.smoothing import name_in_graph


class NamedCells(NamedTuple):
    """Names of the new cells, and their confidence: certainty of the name times the share of neighbours with it."""

    population: NDArray[np.object_]
    confidence: NDArray[np.float32]


class Earlier(NamedTuple):
    """The cells of the earlier graph: neighbours (n x k), cluster and name."""

    indices: NDArray[np.int32]
    cluster: NDArray[np.int32]
    names: NDArray[np.object_]


def name_added(
    earlier: Earlier,
    new: NDArray[np.float32],
    found: Extension,
    *,
    values: NDArray[np.float32],
    features: list[str],
    batch: NDArray[Any],
    thresholds: pd.DataFrame,
    definitions: Definitions,
    seed: int,
    threads: int | None = None,
) -> NamedCells:
    """Name new cells by their distances from the thresholds, steadied by near cells as in a run.

    Neighbours of a new cell are the nearest of the earlier and the new cells, those of an earlier cell the ones that it
    had; so cells that were not there before speak for each other, and no earlier name changes.

    Parameters
    ----------
    earlier
        Of n cells.
    new, found
        Features (m x d) of the new cells, and their nearest earlier cells and clusters.
    values, batch
        Of all n + m cells, the new ones last: cells x `features` on the analysis scale, NaN where a file lacks one.
    thresholds
        THRESHOLDS of all their batches.
    """
    n, k = earlier.indices.shape
    near, far = found.indices[:, :k], found.distances[:, :k]
    if len(new) > 1:
        among = knn(new, min(k, len(new) - 1), RECALL, seed=seed, threads=threads)
        near, far = np.hstack([near, among.indices + n]), np.hstack([far, among.distances])
        nearest = np.argsort(far, axis=1, kind="stable")[:, :k]
        near = np.take_along_axis(near, nearest, axis=1)
    indices = np.vstack([earlier.indices, near]).astype(np.int32)
    cluster = np.concatenate([earlier.cluster, found.labels])
    population, score, margin = name_in_graph(
        values, features, cluster, indices=indices, batch=batch, thresholds=thresholds, definitions=definitions, first=n
    )
    codes = pd.factorize(np.concatenate([earlier.names, population]))[0]
    agreement = same_name(near, codes, codes[n:])
    return NamedCells(np.asarray(population, object), confidence(agreement, score, margin))
