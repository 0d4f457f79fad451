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
BLOCKS = 256  # of rows at most, where the matrix is made symmetric
Arrays = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]  # row pointers, columns, values


def weights(
    knn: Knn, kind: str = "umap", threads: int | None = None, *, k: int | None = None, ordered: bool = False
) -> sp.csr_matrix:
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
    k
        Use the nearest `k` of every list only; by default all.
    ordered
        Leave rows and columns in the order of the search: row r is row ``knn.order[r]`` of the data, entries within a
        row not sorted. For :func:`cimlnk.graph.leiden` with its `ordered`; spares half of the time.

    Returns
    -------
    n x n float32; unless `ordered` in the order of the data and canonical (sorted). No duplicates, no zeros on or off
    the diagonal in either.

    Raises
    ------
    ValueError
        For an unknown `kind`, or more neighbours than the lists have.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.graph import knn, weights
    >>> weights(knn(np.float32([[0], [1], [3], [7]]), k=1), "unweighted").toarray().astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of weights {kind!r}, expected one of {KINDS}")
    k = knn.k if k is None else k
    if k > knn.k:
        raise ValueError(f"k = {k} neighbours asked for, the lists have {knn.k}")
    with pool(threads) as workers:
        indptr, indices, data = _weights(knn, kind, k, workers=workers)
        if ordered:
            return csr(indptr, indices, data, in_order=False)
        place = np.empty(knn.n, np.int32)
        place[knn.order] = np.arange(knn.n, dtype=np.int32)
        return csr(*moved((indptr, indices, data), place, knn.order, in_order=True, workers=workers))


def _weights(knn: Knn, kind: str, k: int, *, workers: Pool) -> Arrays:
    """Row pointers, columns and values in the order of the search: neighbours far apart in memory cost most time."""
    n = knn.n
    names, distances = knn.near, knn.far
    w = np.ones((n, k), np.float32)
    partner = np.empty((n, k), np.uint8 if k < 255 else np.int32)
    rule = kernel.MAXIMUM
    if kind == "umap":
        workers.run(kernel.memberships, [(distances, k, w, a, b) for a, b in pieces(n, STEP)])
        rule = kernel.UNION
    elif kind == "jaccard":
        workers.run(kernel.shared, [(names, k, w, a, b) for a, b in pieces(n, STEP)])
        rule = kernel.MEAN
    elif kind == "gaussian":
        scale = np.median(distances[:, :k], axis=1).astype(np.float32)
        positive = scale[scale > 0]
        # cells lying on top of their neighbours have no width of their own: give them the smallest one seen
        scale = np.maximum(scale, positive.min() if len(positive) else np.float32(1))
        workers.run(kernel.gaussian, [(names, distances, k, scale, w, a, b) for a, b in pieces(n, STEP)])
    workers.run(kernel.partners, [(names, k, partner, a, b) for a, b in pieces(n, STEP)])
    return symmetric(names, w, partner, rule=rule, workers=workers)


def symmetric(
    names: NDArray[np.int32], w: NDArray[np.float32], partner: NDArray[np.integer], *, rule: int, workers: Pool
) -> Arrays:
    """Row pointers, columns and values of the symmetric matrix of directed weights, rows not sorted.

    Edges without a way back are first sorted by the block of rows that they lead to, so that every block of rows can be
    written by itself.
    """
    n = len(names)
    step = max(STEP, -(-n // BLOCKS))
    blocks = pieces(n, step)
    directed = (names, w, partner)
    counts = np.zeros((len(blocks), len(blocks)), np.int64)  # from, to
    workers.run(kernel.one_way_counts, [(*directed, step, counts[s], a, b) for s, (a, b) in enumerate(blocks)])
    bounds = np.concatenate([[0], np.cumsum(counts.T)])  # to, from
    place = np.array(bounds[:-1].reshape(counts.shape).T, order="C", copy=True)  # where the next edge goes
    first = bounds[:: len(blocks)]
    edges = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32), np.empty(first[-1], np.float32)
    workers.run(kernel.one_way_edges, [(*directed, step, place[s], *edges, a, b) for s, (a, b) in enumerate(blocks)])
    indptr = np.zeros(n + 1, np.int64)
    spans = [(first[t], first[t + 1], a, b) for t, (a, b) in enumerate(blocks)]
    workers.run(kernel.row_lengths, [(*directed, edges[0], e, f, indptr[1:], a, b) for e, f, a, b in spans])
    np.cumsum(indptr, out=indptr)
    ix, data = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    workers.run(
        kernel.symmetric_rows, [(*directed, rule, *edges, e, f, indptr, ix, data, a, b) for e, f, a, b in spans]
    )
    return indptr, ix, data


def csr(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32], *, in_order: bool = True
) -> sp.csr_matrix:
    """A csr_matrix around the arrays, without scipy's checks and copies; canonical if its rows are `in_order`."""
    n = len(indptr) - 1
    kind = np.int32 if len(indices) < 2**31 else np.int64  # scipy wants one type for both
    matrix = sp.csr_matrix((n, n), dtype=np.float32)
    matrix.data, matrix.indices = data, indices.astype(kind, copy=False)
    matrix.indptr = indptr.astype(kind, copy=False)
    matrix.has_sorted_indices = in_order
    matrix.has_canonical_format = in_order
    return matrix


def arrays_of(W: sp.csr_matrix) -> Arrays:
    """Row pointers, columns and values in the types the kernels are compiled for."""
    return W.indptr.astype(np.int64), W.indices.astype(np.int32, copy=False), W.data.astype(np.float32, copy=False)


def permuted(W: sp.csr_matrix, order: NDArray[np.int32], workers: Pool) -> Arrays:
    """Row pointers, columns and values of ``W[order][:, order]``, columns within a row not sorted."""
    rank = np.empty(W.shape[0], np.int32)
    rank[order] = np.arange(W.shape[0], dtype=np.int32)
    return moved(arrays_of(W), order, rank, in_order=False, workers=workers)


def moved(
    source: Arrays,
    order: NDArray[np.int32],
    rank: NDArray[np.int32],
    *,
    in_order: bool,
    workers: Pool,
) -> Arrays:
    """Row pointers, columns and values with the rows in `order`, each column c named ``rank[c]``, sorted if asked."""
    indptr, columns, values = source
    start = np.concatenate([[0], np.cumsum(np.diff(indptr)[order])])
    ix, data = np.empty(len(columns), np.int32), np.empty(len(values), np.float32)
    tasks = [
        (indptr, columns, values, order, rank, start, ix, data, in_order, a, b) for a, b in pieces(len(order), STEP)
    ]
    workers.run(kernel.permute_rows, tasks)
    return start, ix, data
