"""Re-clustering inside clusters, so that rare populations get clusters of their own."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .communities import by_size
from .descent import Graph, optimise
from .kernels import leiden as kernel
from .resolution import graph_of, price_of
from .tasks import pool


def subcluster(
    W: sp.csr_matrix,
    parents: NDArray[np.int32],
    resolution: float = 6.0,
    min_fraction: float = 0.001,
    min_cells: int = 20,
    objective: str = "modularity",
    seed: int = 0,
    order: NDArray[np.int32] | None = None,
    threads: int | None = None,
) -> NDArray[np.int32]:
    """Split every parent cluster at a finer resolution of the whole graph.

    One global resolution cannot keep rare populations apart and large ones whole (resolution limit, Fortunato &
    Barthelemy 2007). The parents carry the stable structure; the parts are fine enough for a population of a few
    tenths of a percent, and are meant to be merged again by what they look like. Parts smaller than `min_fraction` of
    all cells, or than `min_cells`, join the sister they share most weight with: a part hardly larger than one cell's
    neighbourhood is no population, and its mean is mostly noise.

    Returns
    -------
    int32 labels nested in `parents`, 0 = largest.
    """
    n = W.shape[0]
    with pool(threads) as workers:
        place = np.arange(n, dtype=np.int32) if order is None else order
        whole = graph_of(W, objective, place, workers)
        above = np.ascontiguousarray(parents[place], dtype=np.int32)
        indptr, ix, w = kernel.within(whole.indptr, whole.ix, whole.w, above)
        inside = Graph(indptr, ix, w, whole.mass, whole.local)
        found = optimise(inside, price_of(whole, resolution, objective), seed, 2, None, workers)
        found = kernel.components(inside.indptr, inside.ix, found)[0]
    found = join_small(inside, by_size(found), max(min_cells, int(np.ceil(min_fraction * n))))
    labels = np.empty(n, np.int32)
    labels[place] = found
    return by_size(labels)


def join_small(graph: Graph, labels: NDArray[np.int32], least: int) -> NDArray[np.int32]:
    """Join every cluster below `least` cells to the neighbour it shares most weight with, the smallest first."""
    sizes = np.bincount(labels)
    count = len(sizes)
    rows = np.repeat(labels, np.diff(graph.indptr))
    links = sp.csr_matrix((graph.w.astype(np.float64), (rows, labels[graph.ix])), shape=(count, count))
    between = links.tolil()
    between.setdiag(0)
    between = between.tocsr()
    target = np.arange(count)
    size = sizes.copy()

    def root(c: int) -> int:
        while target[c] != c:
            c = int(target[c])
        return c

    for c in range(count - 1, -1, -1):
        if size[c] >= least:
            continue
        row = between[c]
        weight: dict[int, float] = {}
        for u, x in zip(row.indices, row.data, strict=True):
            r = root(int(u))
            if r != root(c):
                weight[r] = weight.get(r, 0.0) + float(x)
        if weight:
            r = max(sorted(weight), key=lambda u: weight[u])
            target[c] = r
            size[r] += size[c]
    return by_size(np.array([root(c) for c in range(count)])[labels])
