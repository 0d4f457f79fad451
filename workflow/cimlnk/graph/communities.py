"""Leiden clustering of a weighted graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .edges import arrays_of, permuted
from .kernels.aggregate import relabel
from .leiden_passes import TRIES, optimise
from .network import connected, quality, strengths, weighed
from .tasks import pool

OBJECTIVES = ("modularity", "CPM")
BACKENDS = ("cimlnk", "igraph", "leidenalg")


@dataclass(frozen=True)
class Partition:
    """A clustering.

    Attributes
    ----------
    labels
        int32, 0 = largest cluster; equal sizes in order of their first cell.
    quality
        Modularity, or the CPM quality divided by the total weight.
    n_clusters, resolution, objective, backend
        What was asked and found.
    """

    labels: NDArray[np.int32]
    quality: float
    n_clusters: int
    resolution: float
    objective: str
    backend: str


def by_size(labels: NDArray) -> NDArray[np.int32]:
    """Renumber labels so that 0 is the largest cluster; ties go to the one seen first."""
    if labels.dtype != np.int32 or not len(labels) or labels.min() < 0 or labels.max() >= len(labels):
        labels = np.unique(labels, return_inverse=True)[1].ravel().astype(np.int32)
    seen, count = relabel(labels)
    rank = np.empty(count, np.int32)
    rank[np.argsort(-np.bincount(seen, minlength=count), kind="stable")] = np.arange(count, dtype=np.int32)
    return rank[seen]


def leiden(
    W: sp.csr_matrix,
    resolution: float = 1.0,
    objective: str = "modularity",
    *,
    seed: int = 0,
    n_iterations: int | None = None,
    initial: NDArray | None = None,
    backend: str = "cimlnk",
    order: NDArray[np.int32] | None = None,
    threads: int | None = None,
    ordered: bool = False,
    rounds: bool | None = None,
) -> Partition:
    """Communities of a weighted graph by the Leiden algorithm (Traag 2019).

    Parameters
    ----------
    W
        Symmetric n x n weights without self-loops, as :func:`cimlnk.graph.weights` returns them.
    resolution
        Larger gives more clusters. For CPM it is the density inside clusters.
    objective
        ``modularity`` (Newman 2004 with the resolution of Reichardt & Bornholdt 2006) or ``CPM`` (Traag 2011).
    seed
        Stream of the random visiting orders.
    n_iterations
        Passes over the whole graph; the first only groups, the others refine. By default two, and up to five as long
        as a pass moves more than 2 % of the nodes; two for the references.
    initial
        Labels to start from (warm start); every pass then refines.
    backend
        ``cimlnk``, or ``igraph`` and ``leidenalg`` as references (about 5 and 40 times slower).
    order
        Permutation with near nodes close together (``Knn.order``); only speed and the visiting order depend on it.
    ordered
        `W` is already in `order` (``weights(lists, ordered=True)``). Labels, given or returned, are in the order of the
        data in either case.
    rounds
        Let many nodes choose side by side where they move (always one by one up to 20,000 nodes, and never one by one
        while a larger graph is first grouped). By default above 400,000 nodes: it takes about a third more work, and
        wins from four threads on.

    Returns
    -------
    Partition whose communities are all connected; the same for every number of threads.

    Raises
    ------
    ValueError
        Unknown objective or backend, labels of the wrong length, or a matrix that is not square.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"unknown objective {objective!r}, expected one of {OBJECTIVES}")
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}, expected one of {BACKENDS}")
    n = W.shape[0]
    if W.shape != (n, n) or (initial is not None and len(initial) != n):
        raise ValueError(
            f"W must be square and `initial` as long: {W.shape}, {None if initial is None else len(initial)}"
        )
    with pool(threads) as workers:
        place = np.arange(n, dtype=np.int32) if order is None else np.asarray(order, np.int32)
        arrays = arrays_of(W) if ordered else permuted(W, place, workers)
        graph = weighed(arrays, objective, order is not None, workers=workers)
        total = float((graph.mass if objective == "modularity" else strengths(arrays, workers=workers)).sum())
        price = (resolution / total if total > 0 else 0.0) if objective == "modularity" else resolution
        start = None if initial is None else by_size(np.asarray(initial)[place])
        if backend == "cimlnk":
            found = optimise(
                graph, price, seed, passes=n_iterations, start=start, workers=workers, rounds=rounds, tries=TRIES
            )
        else:
            from .reference import reference

            found = reference(
                graph, resolution, objective, seed=seed, n_iterations=n_iterations or 2, start=start, backend=backend
            )
        pieces = connected(graph, found, workers=workers)
        score = quality(graph, pieces, price, workers=workers) / total if total > 0 else 0.0
    labels = np.empty(n, np.int32)
    labels[place] = pieces
    labels = by_size(labels)
    count = int(labels.max()) + 1 if n else 0
    return Partition(labels, score, count, resolution, objective, backend)


def modularity(W: sp.csr_matrix, labels: NDArray, resolution: float = 1.0) -> float:
    """Modularity of a labelling of a symmetric graph (Newman 2004; resolution as Reichardt & Bornholdt 2006)."""
    data = W.data.astype(np.float64)
    rows = np.repeat(np.arange(W.shape[0]), np.diff(W.indptr))
    strength = np.bincount(rows, data, W.shape[0])
    total = strength.sum()
    if total == 0:
        return 0.0
    code = np.unique(labels, return_inverse=True)[1].ravel()
    inside = data[code[rows] == code[W.indices]].sum()
    return float(inside / total - resolution * np.square(np.bincount(code, strength) / total).sum())
