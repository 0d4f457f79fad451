"""Neighbour lists that are made once and read for any part of the cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15
LISTED = 80  # so that a quarter of the cells still finds its 15 nearest among them in nearly every list


class Near(NamedTuple):
    """Nearest other cells of every cell, nearest first: n × k indices and distances."""

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    features: NDArray[np.float32]


def near_lists(features: NDArray[np.floating], threads: int = 1) -> Near:
    """Exact lists of the LISTED nearest cells (all others where there are fewer)."""
    from cimlnk.graph import knn

    x = np.ascontiguousarray(features, dtype=np.float32)
    found = knn(x, k=min(LISTED, len(x) - 1), recall=1.0, threads=threads)
    return Near(found.indices, found.distances, x)


def within(near: Near, keep: NDArray[np.intp], k: int = NEIGHBOURS) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `k` nearest of every kept cell among the kept ones, numbered by their place in `keep`.

    Read from the lists; where one of them holds fewer than `k` kept cells, the kept cells are searched again.
    """
    k = min(k, len(keep) - 1)
    place = np.full(len(near.indices), -1, dtype=np.int32)
    place[keep] = np.arange(len(keep), dtype=np.int32)
    listed = place[near.indices[keep]]
    inside = listed >= 0
    if (inside.sum(axis=1) >= k).all():
        # the first k kept ones of every list, in its order
        rank = np.cumsum(inside, axis=1, dtype=np.uint8)  # LISTED is below 256
        chosen = inside & (rank <= k)
        return listed[chosen].reshape(-1, k), near.distances[keep][chosen].reshape(-1, k)
    from cimlnk.graph import knn

    found = knn(near.features[keep], k=k, recall=1.0, threads=1)
    return found.indices, found.distances


def clusters_of(
    near: Near, keep: NDArray[np.intp], resolution: float, *, seed: int, thorough: bool = False
) -> NDArray[np.int64]:
    """Cluster the kept cells on their own: Leiden on their neighbour graph, then parts of one cloud put together.

    Parameters
    ----------
    keep
        Rows of `near`, in increasing order.
    thorough
        The best of several tries; a resample gets one try from single cells, two passes, at a third of the cost.

    Returns
    -------
    Labels of the kept cells from 0, the largest cluster first.
    """
    from cimlnk.graph import Knn, leiden, weights

    from .merging import merge_unseparated

    if len(keep) <= NEIGHBOURS:
        return np.zeros(len(keep), dtype=np.int64)
    indices, distances = within(near, keep)
    n = len(keep)
    lists = Knn(indices, distances, np.arange(n, dtype=np.int32), 1.0, 0.0, "exact", n, n)
    start = {} if thorough else {"initial": np.arange(n, dtype=np.int32), "n_iterations": 2}
    label = leiden(weights(lists, threads=1), resolution, seed=seed, threads=1, **start).labels
    return merge_unseparated(near.features[keep], label)
