"""Many equal rows: found beforehand, so that they cost nothing and stay connected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kernels.row_hash import crowded, hash_rows
from .tasks import Pool


def crowds(X: NDArray[np.float32], k: int, workers: Pool) -> list[NDArray[np.int64]]:
    """Groups of more than k + 1 equal rows, each as sorted row numbers, in the order of their first row."""
    n = len(X)
    code = np.empty(n, np.uint64)
    workers.spread(lambda a, b: hash_rows(X, code, a, b), n, 16384)
    some = crowded(code, k + 1)
    n = len(some)
    if n == 0:
        return []
    order = some[np.argsort(code[some], kind="stable")]
    change = np.flatnonzero(np.diff(code[order])) + 1
    start, end = np.concatenate([[0], change]), np.concatenate([change, [n]])
    groups = []
    for s, e in zip(start[end - start > k + 1], end[end - start > k + 1], strict=True):
        rows = order[s:e]
        rows = rows[(X[rows] == X[rows[0]]).all(axis=1)]  # a hash can meet by chance
        if len(rows) > k + 1:
            groups.append(rows.astype(np.int64))
    return sorted(groups, key=lambda g: int(g[0]))


def ring(size: int, k: int) -> NDArray[np.int64]:
    """k steps around a ring of `size` > k places: 1, 2, 4, ... both ways, then the shortest ones left.

    With these as neighbours, equal rows form one connected graph of small diameter instead of scattered cliques.
    """
    powers = [s << i for i in range(size.bit_length()) for s in (1, -1)]
    steps: list[int] = []
    for step in [*powers, *range(1, size)]:
        if step % size != 0 and step % size not in steps:
            steps.append(step % size)
        if len(steps) == k:
            break
    return np.array(steps, np.int64)


def fill_crowd(rows: NDArray[np.int64], indices: NDArray[np.int32], distances: NDArray[np.float32]) -> None:
    """Write the lists of equal rows: other rows of the group, at distance 0."""
    size, k = len(rows), indices.shape[1]
    place = (np.arange(size)[:, None] + ring(size, k)[None, :]) % size
    indices[rows] = rows[place]
    distances[rows] = 0


def with_crowds(
    groups: list[NDArray[np.int64]], near: NDArray[np.int32], far: NDArray[np.float32], *, order: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Lists and order of all rows from those of the rows searched, which lack all but k + 1 rows of every group.

    The surplus equal rows come last, group by group.
    """
    k = near.shape[1]
    order = np.concatenate([order, *[g[k + 1 :].astype(np.int32) for g in groups]])
    n = len(order)
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    all_near, all_far = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    all_near[: len(near)], all_far[: len(far)] = near, far
    for group in groups:
        fill_crowd(place[group], all_near, all_far)
    return all_near, all_far, order
