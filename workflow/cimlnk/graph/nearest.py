"""k nearest neighbours of every row of a matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .duplicates import crowds, fill_crowd
from .kernels.improve import name_back
from .search import Index, per_query, self_search
from .tasks import pool


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


TOO_LARGE = 1e15  # squares of larger values leave float32


def checked(X: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """`X` as C-ordered float32, or a ValueError that says what is wrong with it."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"the matrix must be cells x features, found shape {X.shape}")
    if not 1 <= k < X.shape[0]:
        raise ValueError(f"k = {k} neighbours need at least {k + 1} rows, found {X.shape[0]}")
    for a in range(0, len(X), 65536):
        good = (np.abs(X[a : a + 65536]) < TOO_LARGE).all(axis=1)
        if not good.all():
            raise ValueError(f"row {a + int(np.argmin(good))} holds NaN, infinite or too large values")
    return X


def knn(X: NDArray[np.float32], k: int = 15, recall: float = 0.95, seed: int = 0, threads: int | None = None) -> Knn:
    """The `k` nearest neighbours (Euclidean) of every row of a matrix.

    Up to 30,000 rows, or if `recall` is 1, all rows are compared. Above, the rows are cut into cells of about 160 by
    k-means, and every row is compared with the cells nearest to it (an inverted file, Jegou 2011, but with a list of
    cells per row instead of per cell). How many is set on 1,000 random rows with known neighbours, so that the asked
    recall is reached on the data at hand. At the end every row is offered to the rows in its list (one round of
    reverse edges as in Dong 2011).

    Parameters
    ----------
    X
        n x d, finite. Equal rows and constant columns do no harm.
    k
        Neighbours, the row itself not counted.
    recall
        Share of true neighbours to be found.
    seed
        Stream of the sampled rows.
    threads
        Default all CPUs of the process; the result does not depend on it.

    Returns
    -------
    Knn. It is the same in every run on one type of machine; another instruction set rounds differently and may change
    single entries.

    Raises
    ------
    ValueError
        NaN, infinite or too large (1e15) values, k not below n, recall outside 0.5 to 1.
    """
    X = checked(X, k)
    if not 0.5 < recall <= 1:
        raise ValueError(f"recall must be above 0.5 and at most 1, found {recall}")
    n = len(X)
    with pool(threads) as workers:
        groups = crowds(X, k, workers)
        keep = np.arange(n, dtype=np.int32)
        if groups:
            surplus = np.concatenate([g[k + 1 :] for g in groups])
            keep = np.delete(keep, surplus)
        kept = X[keep] if groups else X
        index = Index(kept, workers, seed, exact=True if recall == 1 else None)
        found, effort = self_search(index, k, recall)
        names = keep[index.order]
        indices = np.empty((n, k), np.int32)
        distances = np.empty((n, k), np.float32)
        back = (names, *found, np.float32(index.scale), distances, indices)
        workers.spread(lambda a, b: name_back(*back, a, b), len(names), 8192)
    for group in groups:
        fill_crowd(group, indices, distances)
    order = names if not groups else beside(names, groups, k)
    if effort is None:
        return Knn(indices, distances, 1.0, 0.0, "exact", n, n, order)
    hits = per_query(found.value[effort.queries], effort.limit)
    error = float(hits.std(ddof=1) / np.sqrt(len(hits)))
    return Knn(
        indices, distances, float(hits.mean()), error, "partition", int(effort.budget), len(effort.queries), order
    )


def beside(names: NDArray[np.int32], groups: list[NDArray[np.int64]], k: int) -> NDArray[np.int32]:
    """The search order with the surplus equal rows put at the end, group by group."""
    return np.concatenate([names, *[g[k + 1 :].astype(np.int32) for g in groups]])
