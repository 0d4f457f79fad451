"""Re-clustering inside clusters, so that rare populations get clusters of their own."""

from __future__ import annotations

import heapq

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .communities import by_size
from .kernels import subgraphs
from .leiden_passes import optimise
from .network import Graph, connected
from .stability import graph_of, price_of
from .tasks import pool

FEW = 150  # cells; below, and below twice the root of all cells, a part is kept only if it stands apart
APART = 0.6  # share of its cells' weight that stays inside a part that stands apart


def subcluster(
    W: sp.csr_matrix,
    parents: NDArray[np.int32],
    resolution: float = 6.0,
    *,
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
    all cells, or than `min_cells`, join the sister they are tied to most closely: a part barely larger than one cell's
    neighbourhood is no population, and its mean is mostly noise.

    The number of parts that a resolution makes barely depends on the number of cells, so of 2,000 cells it would leave
    some 60 crumbs of a homogeneous cloud. Parts below twice the root of the number of cells (below 150 at most) are
    therefore kept only where they stand apart: where three fifths of their cells' weight in the graph is among
    themselves.

    Returns
    -------
    int32 labels nested in `parents`, 0 = largest.
    """
    n = W.shape[0]
    with pool(threads) as workers:
        place = np.arange(n, dtype=np.int32) if order is None else order
        whole = graph_of(W, objective, place, workers=workers)
        above = np.ascontiguousarray(parents[place], dtype=np.int32)
        indptr, ix, w = subgraphs.within(whole.indptr, whole.ix, whole.w, above)
        inside = Graph(indptr, ix, w, whole.mass, whole.local)
        found = optimise(inside, price_of(whole, resolution, objective), seed, passes=2, workers=workers)
        found = connected(inside, found, workers=workers)
    least = max(min_cells, int(np.ceil(min_fraction * n)))
    found = join_small(inside, by_size(found), least)
    loose = min(FEW, int(2 * np.sqrt(n)))
    if loose > least:
        rows = np.repeat(np.arange(n), np.diff(whole.indptr))
        strength = np.bincount(rows, whole.w, minlength=n).astype(np.float64, copy=False)
        found = join_small(inside, found, loose, strength=strength)
    labels = np.empty(n, np.int32)
    labels[place] = found
    return by_size(labels)


def join_small(
    graph: Graph, labels: NDArray[np.int32], least: int, *, strength: NDArray[np.float64] | None = None
) -> NDArray[np.int32]:
    """Join every cluster below `least` cells to the neighbour it is tied to most closely, the smallest first.

    Closeness is the shared weight per cell of the neighbour; the weight alone would let one cluster swallow all. With
    `strength` (weight of every cell's edges in the whole graph) clusters that stand apart are left as they are.
    """
    size = np.bincount(labels).astype(int).tolist()
    count = len(size)
    rows = np.repeat(labels, np.diff(graph.indptr))
    links = sp.csr_matrix((graph.w.astype(np.float64), (rows, labels[graph.ix])), shape=(count, count))
    shared: list[dict[int, float]] = []
    own = links.diagonal()
    whole = np.full(count, np.inf) if strength is None else np.bincount(labels, strength, minlength=count)
    for c in range(count):
        row = links[c]
        shared.append({int(u): float(x) for u, x in zip(row.indices, row.data, strict=True) if u != c})
    target = np.arange(count)
    waiting = [(n, c) for c, n in enumerate(size) if n < least]
    heapq.heapify(waiting)
    while waiting:
        n, c = heapq.heappop(waiting)
        if target[c] != c or n != size[c] or not shared[c]:
            continue  # joined or grown meanwhile, or tied to none
        if own[c] >= APART * whole[c]:
            continue
        r = max(sorted(shared[c]), key=lambda u: shared[c][u] / size[u])
        target[c] = r
        size[r] += n
        own[r] += own[c] + 2 * shared[c][r]
        whole[r] += whole[c]
        for u, x in shared[c].items():
            del shared[u][c]
            if u != r:
                shared[r][u] = shared[u][r] = shared[r].get(u, 0.0) + x
        if size[r] < least:
            heapq.heappush(waiting, (size[r], r))

    def root(c: int) -> int:
        while target[c] != c:
            c = int(target[c])
        return c

    return by_size(np.array([root(c) for c in range(count)])[labels])
