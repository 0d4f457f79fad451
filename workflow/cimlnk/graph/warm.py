"""Compile all kernels once: ``python -m cimlnk.graph.warm`` (about half a minute, then about a second)."""

from __future__ import annotations

import time

import numpy as np

from cimlnk.common import seeds


def warm() -> float:
    """Run every kernel on a small matrix, so that its machine code lies in the cache; returns the seconds taken."""
    from .communities import leiden
    from .edges import KINDS, arrays_of, weights
    from .kernels.jit import clear_stale
    from .mutual_search import backward, compared, self_search, through
    from .nearest import knn
    from .network import weighed
    from .resolution import choose_resolution
    from .rounds import move_in_rounds, restless
    from .search import Index, query
    from .sketching import sketch, transfer
    from .subclusters import subcluster
    from .tasks import pool
    from .umap import umap_layout

    start = time.perf_counter()
    clear_stale()
    X = seeds.rng(0, "warm").normal(size=(600, 6)).astype(np.float32)
    lists = knn(X, 15)
    for kind in KINDS:
        W = weights(lists, kind)
    W = weights(lists)
    for objective in ("modularity", "CPM"):
        found = leiden(W, 1.0, objective, order=lists.order)
    choose_resolution(W, X, [0.5, 1.0], n_subsamples=3, order=lists.order)
    subcluster(W, found.labels, order=lists.order)
    rows = sketch(X, 300)
    transfer(X, rows, np.zeros(len(rows), np.int32))
    umap_layout(W, X, n_epochs=2)
    graph = weighed(arrays_of(W), "modularity", True)
    with pool() as workers:
        for moving in (move_in_rounds, restless):  # small graphs would not use them
            moving(graph, np.arange(graph.n, dtype=np.int32), 1.0, workers=workers)
        index = Index(X, workers, exact=False)  # small matrices would only use the exact search
        self_search(index, 15, 0.95)
        backward(index, through(index, compared(index, 15, 200), 8))
        query(index, X[:50], 5, budget=500)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(f"graph kernels ready in {warm():.1f} s")
