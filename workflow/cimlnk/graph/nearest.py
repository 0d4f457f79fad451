"""k nearest neighbours of every row of a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .duplicates import crowds, with_crowds
from .kernels.row_hash import first_bad
from .mutual_search import self_search
from .search import Index, per_query
from .tasks import Pool, pool


@dataclass(frozen=True)
class Knn:
    """Neighbour lists, the row itself not in them.

    They are kept in the order of the search, in which near rows lie close together and which the clustering works in;
    :attr:`indices` and :attr:`distances` are the same lists under the rows' own numbers.

    Attributes
    ----------
    near, far
        n x k, int32 and float32, nearest first: row r is about row ``order[r]`` of the data and names its neighbours by
        their places in `order`; Euclidean distances in the data's unit.
    order
        A permutation of the rows with near rows close together.
    recall, recall_error
        Share of true neighbours found, measured on `queries` random rows against exact search, and its standard
        error. Ties count as found.
    method
        ``exact`` or ``partition``.
    effort
        Rows in the cells that every row looks into, on average at most (n for exact search).
    """

    near: NDArray[np.int32]
    far: NDArray[np.float32]
    order: NDArray[np.int32]
    recall: float
    recall_error: float
    method: str
    effort: int
    queries: int

    @property
    def n(self) -> int:
        return self.near.shape[0]

    @property
    def k(self) -> int:
        return self.near.shape[1]

    @cached_property
    def indices(self) -> NDArray[np.int32]:
        """n x k int32: the neighbours of every row of the data, nearest first. Made on first use."""
        out = np.empty_like(self.near)
        out[self.order] = self.order[self.near]
        return out

    @cached_property
    def distances(self) -> NDArray[np.float32]:
        """n x k float32: the distances of :attr:`indices`. Made on first use."""
        out = np.empty_like(self.far)
        out[self.order] = self.far
        return out


TOO_LARGE = 1e15  # squares of larger values leave float32


def checked(X: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """`X` as C-ordered float32, or a ValueError that says why it has no neighbours."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(f"the matrix must be cells x features, found shape {X.shape}")
    if not 1 <= k < X.shape[0]:
        raise ValueError(f"k = {k} neighbours need at least {k + 1} rows, found {X.shape[0]}")
    return X


def refuse_bad(X: NDArray[np.float32], workers: Pool) -> None:
    """A ValueError naming the first row with NaN, infinite or too large values, if there is one."""
    limit = np.float32(TOO_LARGE)
    for bad in workers.spread(lambda a, b: first_bad(X, limit, a, b), len(X), 65536):
        if bad >= 0:
            raise ValueError(f"row {bad} holds NaN, infinite or too large values")


def knn(X: NDArray[np.float32], k: int = 15, recall: float = 0.95, *, seed: int = 0, threads: int | None = None) -> Knn:
    """The `k` nearest neighbours (Euclidean) of every row of a matrix.

    Up to 30,000 rows, or if `recall` is 1, all rows are compared. Above, the rows are cut into cells of about 200 by
    k-means, and every row looks into the cells nearest to it (an inverted file, Jegou 2011, but with a list of cells
    per row instead of per cell). A comparison serves both rows: two meet if either looks into the other's cell. How
    far they look is set on 1,000 random rows with known neighbours, so that the asked recall is reached on the data at
    hand.

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

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.graph import knn
    >>> lists = knn(np.float32([[0], [1], [3], [7]]), k=1)
    >>> lists.indices.ravel().tolist(), lists.distances.ravel().tolist()
    ([1, 0, 1, 2], [1.0, 1.0, 2.0, 4.0])
    """
    X = checked(X, k)
    if not 0.5 < recall <= 1:
        raise ValueError(f"recall must be above 0.5 and at most 1, found {recall}")
    n = len(X)
    with pool(threads) as workers:
        refuse_bad(X, workers)
        groups = crowds(X, k, workers)
        keep = np.arange(n, dtype=np.int32)
        if groups:
            surplus = np.concatenate([g[k + 1 :] for g in groups])
            keep = np.delete(keep, surplus)
        kept = X[keep] if groups else X
        index = Index(kept, workers, seed, exact=True if recall == 1 else None)
        found, effort = self_search(index, k, recall)
        near, far, order = found.ident, found.value, keep[index.order]
        hits = np.ones(1) if effort is None else per_query(far[effort.queries], effort.limit)
        scale = np.float32(index.scale)
        workers.spread(lambda a, b: np.multiply(np.sqrt(far[a:b]), scale, out=far[a:b]), len(far), 8192)
        if groups:
            near, far, order = with_crowds(groups, near, far, order=order)
    if effort is None:
        return Knn(near, far, order, 1.0, 0.0, "exact", n, n)
    error = float(hits.std(ddof=1) / np.sqrt(len(hits)))
    return Knn(near, far, order, float(hits.mean()), error, "partition", int(effort.budget), len(hits))
