"""Weighted symmetric graph from neighbour lists."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .kernels import weights as kernel
from .nearest import Knn
from .tasks import Pool, pieces, pool

KINDS = ("umap", "jaccard", "gaussian", "unweighted")
STEP = 8192


def weights(knn: Knn, kind: str = "umap", threads: int | None = None) -> sp.csr_matrix:
    """Symmetric edge weights of a neighbour graph.

    Parameters
    ----------
    knn
        Neighbour lists (n x k) of :func:`cimlnk.graph.knn`.
    kind
        ``umap``: fuzzy simplicial set (McInnes 2018), directed memberships joined by a + b - ab; equal to what scanpy
        writes into ``obsp["connectivities"]`` for ``n_neighbors = k + 1``.
        ``jaccard``: shared neighbours of the two lists, mean of both directions (Levine 2015, PhenoGraph).
        ``gaussian``: Gaussian kernel with each cell's median neighbour distance as width (Haghverdi 2016).
        ``unweighted``: 1 where either cell lists the other.

    Returns
    -------
    n x n float32, canonical (sorted, no duplicates, no zeros on or off the diagonal).

    Raises
    ------
    ValueError
        For an unknown `kind`.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of weights {kind!r}, expected one of {KINDS}")
    with pool(threads) as workers:
        return _weights(knn, kind, workers)


def _weights(knn: Knn, kind: str, workers: Pool) -> sp.csr_matrix:
    n, k = knn.indices.shape
    # neighbours far apart in memory cost most of the time: work in the order in which near rows are close together
    rank = np.empty(n, np.int32)
    rank[knn.order] = np.arange(n, dtype=np.int32)
    names, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    lists = (knn.indices, knn.distances, knn.order, rank, names, distances)
    workers.run(kernel.reorder, [(*lists, a, b) for a, b in pieces(n, STEP)])
    w = np.ones((n, k), np.float32)
    partner = np.empty((n, k), np.uint8 if k < 255 else np.int32)
    rule = kernel.MAXIMUM
    if kind == "umap":
        workers.run(kernel.memberships, [(distances, w, a, b) for a, b in pieces(n, STEP)])
        rule = kernel.UNION
    elif kind == "jaccard":
        workers.run(kernel.shared, [(names, w, a, b) for a, b in pieces(n, STEP)])
        rule = kernel.MEAN
    elif kind == "gaussian":
        scale = np.median(distances, axis=1).astype(np.float32)
        positive = scale[scale > 0]
        # cells lying on top of their neighbours have no width of their own: give them the smallest one seen
        scale = np.maximum(scale, positive.min() if len(positive) else np.float32(1))
        workers.run(kernel.gaussian, [(names, distances, scale, w, a, b) for a, b in pieces(n, STEP)])
    workers.run(kernel.partners, [(names, partner, a, b) for a, b in pieces(n, STEP)])
    indptr, indices, data = moved(kernel.symmetric(names, w, partner, rule), rank, knn.order, True, workers)
    return csr(indptr, indices, data)


def csr(indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32]) -> sp.csr_matrix:
    """A canonical csr_matrix around the arrays, without scipy's checks and copies."""
    n = len(indptr) - 1
    kind = np.int32 if len(indices) < 2**31 else np.int64  # scipy wants one type for both
    matrix = sp.csr_matrix((n, n), dtype=np.float32)
    matrix.data, matrix.indices = data, indices.astype(kind, copy=False)
    matrix.indptr = indptr.astype(kind, copy=False)
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


def permuted(W: sp.csr_matrix, order: NDArray[np.int32], workers: Pool) -> tuple[NDArray, NDArray, NDArray]:
    """Row pointers, columns and values of ``W[order][:, order]``, columns within a row not sorted."""
    rank = np.empty(W.shape[0], np.int32)
    rank[order] = np.arange(W.shape[0], dtype=np.int32)
    source = (W.indptr.astype(np.int64), W.indices.astype(np.int32, copy=False), W.data.astype(np.float32, copy=False))
    return moved(source, order, rank, False, workers)


def moved(
    source: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
    order: NDArray[np.int32],
    rank: NDArray[np.int32],
    in_order: bool,
    workers: Pool,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Row pointers, columns and values with the rows in `order`, each column c named ``rank[c]``, sorted if asked."""
    indptr, columns, values = source
    start = np.concatenate([[0], np.cumsum(np.diff(indptr)[order])])
    ix, data = np.empty(len(columns), np.int32), np.empty(len(values), np.float32)
    tasks = [
        (indptr, columns, values, order, rank, start, ix, data, in_order, a, b) for a, b in pieces(len(order), STEP)
    ]
    workers.run(kernel.permute_rows, tasks)
    return start, ix, data
