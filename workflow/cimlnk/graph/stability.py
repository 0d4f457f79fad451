"""How stable clusterings are: subsamples, their agreement, and the same for structureless data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds

from .agreement import adjusted_rand, contingency, jaccard
from .communities import by_size
from .edges import permuted, weights
from .kernels import subgraphs
from .leiden_passes import TRIES, optimise
from .nearest import knn
from .network import Graph, connected, weighed
from .tasks import Pool

NULL_CELLS = 10_000


def graph_of(W: sp.csr_matrix, objective: str, order: NDArray[np.int32], *, workers: Pool) -> Graph:
    """The arrays the kernels need, nodes in `order`."""
    arrays = permuted(W, order, workers)
    return weighed(arrays, objective, not np.array_equal(order, np.arange(len(order))), workers=workers)


def price_of(graph: Graph, resolution: float, objective: str) -> float:
    """The factor of the masses in the quality function."""
    if objective == "CPM":
        return resolution
    total = float(graph.mass.sum())
    return resolution / total if total > 0 else 0.0


def solve(
    graph: Graph, price: float, seed: int, *, passes: int = 2, quick: bool = True, workers: Pool | None = None
) -> NDArray[np.int32]:
    """Leiden, in the calling thread unless there are `workers`; communities connected."""
    labels = optimise(graph, price, seed, passes=passes, workers=workers, tries=1 if quick else TRIES)
    return connected(graph, labels, workers=workers)


def subsample_labels(
    graph: Graph,
    resolutions: Sequence[float],
    objective: str,
    *,
    n_subsamples: int,
    fraction: float,
    seed: int,
    workers: Pool,
    passes: int = 2,
) -> NDArray[np.int32]:
    """Labels of every subsample at every resolution: n_subsamples x resolutions x cells, -1 = not in the subsample."""
    n = graph.n
    out = np.full((n_subsamples, len(resolutions), n), -1, np.int32)
    keeps: list[NDArray[np.bool_]] = []
    parts: list[Graph] = []
    for s in range(n_subsamples):
        keep = np.zeros(n, np.bool_)
        keep[seeds.rng(seed, "subsample", s).permutation(n)[: max(1, round(fraction * n))]] = True
        keeps.append(keep)

    def cut(s: int) -> Graph:
        return weighed(subgraphs.induced(graph.indptr, graph.ix, graph.w, keeps[s]), objective, graph.local)

    def one(s: int, r: int) -> None:
        part = parts[s]
        found = solve(part, price_of(part, resolutions[r], objective), seeds.derive(seed, s, r), passes=passes)
        out[s, r, keeps[s]] = by_size(found)

    parts = workers.run(cut, [(s,) for s in range(n_subsamples)])
    workers.run(one, [(s, r) for r in reversed(range(len(resolutions))) for s in range(n_subsamples)])
    return out


def pair_agreement(runs: NDArray[np.int32]) -> NDArray[np.float64]:
    """ARI of the runs (runs x cells) with the next and the next but one, on the cells both hold."""
    m = len(runs)
    pairs = sorted({tuple(sorted((s, (s + step) % m))) for s in range(m) for step in (1, 2) if (s + step) % m != s})
    values = []
    for s, t in pairs:
        both = (runs[s] >= 0) & (runs[t] >= 0)
        values.append(adjusted_rand(runs[s][both], runs[t][both]))
    return np.array(values)


def cluster_support(labels: NDArray[np.int32], runs: NDArray[np.int32], count: int) -> tuple[NDArray, NDArray]:
    """Best Jaccard index of every cluster in every run (clusters x runs), and each cell's hits and appearances.

    `labels` are those of the cells the runs are about; a cluster without a cell among them gets NaN. A cell is hit in a
    run if the cluster of `labels` that shares most cells with its run cluster is the cell's own.
    """
    best = np.full((count, len(runs)), np.nan)
    hits = np.zeros((2, len(labels)), np.int32)
    for s, run in enumerate(runs):
        inside = run >= 0
        c = contingency(labels[inside], run[inside], n_a=count)
        best[:, s] = np.where(c.sum(axis=1) > 0, jaccard(c).max(axis=1), np.nan)
        hits[0, inside] += c.argmax(axis=0)[run[inside]] == labels[inside]
        hits[1] += inside
    best[np.isnan(best).all(axis=1)] = np.nan
    return best, hits


def confidence_of(hits: NDArray[np.int32], rows: NDArray[np.int32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Hits by appearances for the cells `rows`; the others, and cells never drawn, get the mean of their cluster."""
    share = hits[0] / np.maximum(hits[1], 1)
    seen = hits[1] > 0
    group = labels[rows][seen]
    count = int(labels.max()) + 1
    drawn = np.bincount(group, minlength=count)
    overall = share[seen].mean() if seen.any() else 0.0
    means = np.where(drawn > 0, np.bincount(group, share[seen], count) / np.maximum(drawn, 1), overall)
    out = means[labels]
    out[rows[seen]] = share[seen]
    return out.astype(np.float32)


def stability_graph(
    W: sp.csr_matrix,
    X: NDArray[np.float32] | None,
    order: NDArray[np.int32],
    *,
    cells: int,
    k: int,
    kind: str,
    objective: str,
    seed: int,
    workers: Pool,
) -> tuple[Graph, NDArray[np.int32]]:
    """The graph whose subsamples measure stability, and the row each of its nodes stands for.

    It is the whole graph if that has at most `cells` cells (or `X` is not given), else a new graph on a random subset:
    thinning the edges of a much larger graph would change its local density.
    """
    n = W.shape[0]
    if X is None or n <= cells:
        return graph_of(W, objective, order, workers=workers), order
    subset = np.sort(seeds.rng(seed, "stability").choice(n, cells, replace=False)).astype(np.int32)
    lists = knn(X[subset], k, 0.95, seed=seed, threads=workers.threads)
    return graph_of(weights(lists, kind, workers.threads), objective, lists.order, workers=workers), subset[lists.order]


def structureless(X: NDArray[np.float32], n: int, seed: int) -> NDArray[np.float32]:
    """`n` rows of one Gaussian with the mean and the covariance of `X`."""
    rng = seeds.rng(seed, "structureless")
    centred = X - X.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(centred.T).reshape(X.shape[1], X.shape[1]))
    return (rng.normal(size=(n, len(values))) * np.sqrt(np.maximum(values, 0)) @ vectors.T).astype(np.float32)


def null_curve(
    X: NDArray[np.float32],
    k: int,
    kind: str,
    *,
    resolutions: Sequence[float],
    objective: str,
    n_subsamples: int,
    fraction: float,
    seed: int,
    workers: Pool,
) -> tuple[NDArray, NDArray]:
    """Mean cluster number and stability of structureless data at every resolution."""
    Z = structureless(X, min(len(X), NULL_CELLS), seed)
    lists = knn(Z, min(k, len(Z) - 1), 0.95, seed=seed, threads=workers.threads)
    graph = graph_of(weights(lists, kind, workers.threads), objective, lists.order, workers=workers)
    runs = subsample_labels(
        graph, resolutions, objective, n_subsamples=n_subsamples, fraction=fraction, seed=seed + 1, workers=workers
    )
    counts = runs.max(axis=2).mean(axis=0) + 1
    return counts, np.array([pair_agreement(runs[:, r]).mean() for r in range(len(resolutions))])
