"""Leiden clustering of a weighted graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds

from .edges import permuted
from .kernels import leiden as kernel
from .kernels.bisect import bisect
from .tasks import Pool, pool

OBJECTIVES = ("modularity", "CPM")
BACKENDS = ("cimlnk", "igraph", "leidenalg")
LARGE = 20_000  # above this many nodes the first level is visited in memory order
CUTS = 4  # rounds of cutting communities in two, at most
TRIES, MORE = 3, 2  # tries and additional passes up to LARGE nodes


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


class Graph(NamedTuple):
    """Row pointers (int64), columns (int32), weights (float32), node masses (float64); symmetric, no self-loops."""

    indptr: NDArray[np.int64]
    ix: NDArray[np.int32]
    w: NDArray[np.float32]
    mass: NDArray[np.float64]

    @property
    def n(self) -> int:
        return len(self.indptr) - 1


def by_size(labels: NDArray) -> NDArray[np.int32]:
    """Renumber labels so that 0 is the largest cluster; ties go to the one seen first."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), np.int32)
    rank[np.lexsort((first, -counts))] = np.arange(len(counts), dtype=np.int32)
    return rank[inverse.ravel()]


def leiden(
    W: sp.csr_matrix,
    resolution: float = 1.0,
    objective: str = "modularity",
    seed: int = 0,
    n_iterations: int = 3,
    initial: NDArray | None = None,
    backend: str = "cimlnk",
    order: NDArray[np.int32] | None = None,
    threads: int | None = None,
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
        Passes over the whole graph; the first only groups, the others refine. Three leave no graph below the best of
        igraph's runs with two.
    initial
        Labels to start from (warm start); every pass then refines.
    backend
        ``cimlnk``, or ``igraph`` and ``leidenalg`` as references (about 5 and 40 times slower).
    order
        Permutation with near nodes close together (``Knn.order``); only speed and the visiting order depend on it.

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
        arrays = permuted(W, place, workers)
        strength = kernel.row_sums(arrays[0], arrays[2])
        total = float(strength.sum())
        mass = strength if objective == "modularity" else np.ones(n)
        graph = Graph(*arrays, mass)
        price = (resolution / total if total > 0 else 0.0) if objective == "modularity" else resolution
        start = None if initial is None else by_size(np.asarray(initial)[place])
        if backend == "cimlnk":
            found = thorough(graph, price, seed, n_iterations, start, workers)
        else:
            from .reference import reference

            found = reference(graph, resolution, objective, seed, n_iterations, start, backend)
        pieces, _ = kernel.components(graph.indptr, graph.ix, found)
        score = quality(graph, pieces, price) / total if total > 0 else 0.0
    labels = np.empty(n, np.int32)
    labels[place] = pieces
    labels = by_size(labels)
    count = int(labels.max()) + 1 if n else 0
    return Partition(labels, score, count, resolution, objective, backend)


def quality(graph: Graph, labels: NDArray[np.int32], price: float) -> float:
    """Weight inside communities minus `price` times their squared masses."""
    masses = np.bincount(labels, graph.mass)
    return float(kernel.inner_weight(graph.indptr, graph.ix, graph.w, labels) - price * np.square(masses).sum())


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


def optimise(
    graph: Graph, price: float, seed: int, passes: int, start: NDArray[np.int32] | None, workers: Pool | None
) -> NDArray[np.int32]:
    """Labels after `passes` descents; the first one is a rough start unless there are labels to start from."""
    labels = rough(graph, price, (seed, -1), workers) if start is None else start
    for i in range(passes - (start is None)):
        labels = descend(graph, labels, price, (seed, i), workers)
    return labels


def thorough(
    graph: Graph, price: float, seed: int, passes: int, start: NDArray[np.int32] | None, workers: Pool | None
) -> NDArray[np.int32]:
    """As :func:`optimise`; on small graphs, where it costs little and luck weighs more, the best of several tries."""
    if graph.n > LARGE or start is not None:
        return optimise(graph, price, seed, passes, start, workers)
    tasks = [(graph, price, seeds.derive(seed, "try", t), passes + MORE, None, None) for t in range(TRIES)]
    found = [optimise(*t) for t in tasks] if workers is None else workers.run(optimise, tasks)
    return found[int(np.argmax([quality(graph, f, price) for f in found]))]


def rough(graph: Graph, price: float, stream: tuple[int, ...], workers: Pool | None) -> NDArray[np.int32]:
    """A first clustering: two visits per node, then a full descent on the much smaller graph of the groups so found."""
    labels = np.arange(graph.n, dtype=np.int32)
    kernel.move(*graph, labels, graph.mass.copy(), price, visiting(graph, stream), 2 * graph.n)
    labels, count = kernel.relabel(labels)
    small = collapsed(graph, labels, count, workers)
    return descend(small, np.arange(count, dtype=np.int32), price, (*stream, 0), workers)[labels]


def visiting(graph: Graph, stream: tuple[int, ...]) -> NDArray[np.int32]:
    """Visiting order of the nodes: shuffled, or as in memory if there are many, which is several times faster."""
    if graph.n > LARGE:
        return np.arange(graph.n, dtype=np.int32)
    return seeds.rng(stream[0], "leiden", *stream[1:]).permutation(graph.n).astype(np.int32)


def descend(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    stream: tuple[int, ...],
    workers: Pool | None,
    cutting: bool = True,
) -> NDArray[np.int32]:
    """Move, refine, collapse, and again on the smaller graph until nothing changes.

    Moving nodes one by one hardly ever cuts a large community in two, so whether two halves were once merged is left to
    the luck of the visiting order. Therefore, on the first collapsed graph, every community is also tried in two; if
    that and the moves after it raise the quality, it stays.
    """
    maps: list[NDArray[np.int32]] = []
    while True:
        n = graph.n
        order = visiting(graph, (*stream, len(maps)))
        labels = labels.copy()
        kernel.move(*graph, labels, np.bincount(labels, graph.mass, n), price, order, 1000 * n)
        labels, count = kernel.relabel(labels)
        if count == n:
            break
        total = np.bincount(labels, graph.mass, n)
        parts, n_parts = kernel.relabel(kernel.refine(*graph, labels, total, price, order))
        if n_parts == n:
            break
        graph = collapsed(graph, parts, n_parts, workers)
        maps.append(parts)
        above = np.empty(n_parts, np.int32)
        above[parts] = labels
        labels = above
        if cutting:
            labels = _cut(graph, labels, price, stream, workers)
            cutting = False
    for parts in reversed(maps):
        labels = labels[parts]
    return np.ascontiguousarray(labels)


def _cut(
    graph: Graph, labels: NDArray[np.int32], price: float, stream: tuple[int, ...], workers: Pool | None
) -> NDArray[np.int32]:
    best = descend(graph, labels, price, (*stream, 1000), workers, cutting=False)
    score = quality(graph, best, price)
    for i in range(CUTS):
        labels, count = kernel.relabel(best)
        halves, n_halves = bisect(*graph, labels, *kernel.members(labels, count), price)
        if n_halves == count or n_halves > graph.n:
            break
        found = descend(graph, halves, price, (*stream, 1001 + i), workers, cutting=False)
        better = quality(graph, found, price)
        if better <= score + 1e-9 * abs(score):
            break
        best, score = found, better
    return best


def collapsed(graph: Graph, parts: NDArray[np.int32], count: int, workers: Pool | None) -> Graph:
    """The graph whose nodes are the parts."""
    start, nodes = kernel.members(parts, count)
    chunks = 8 if count > 2000 else 1
    bounds = np.searchsorted(start, np.linspace(0, graph.n, chunks + 1)).astype(np.int64)
    bounds[0], bounds[-1] = 0, count
    tasks = [
        (graph.indptr, graph.ix, graph.w, parts, start, nodes, count, bounds[j], bounds[j + 1]) for j in range(chunks)
    ]
    done = workers.run(kernel.collapse, tasks) if workers is not None else [kernel.collapse(*t) for t in tasks]
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([d[2] for d in done]))]).astype(np.int64)
    return Graph(
        indptr,
        np.concatenate([d[0] for d in done]),
        np.concatenate([d[1] for d in done]),
        np.bincount(parts, graph.mass, count).astype(np.float64),
    )
