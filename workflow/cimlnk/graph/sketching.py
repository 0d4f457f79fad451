"""A sketch for very many cells, and the transfer of labels and positions from it to the others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .search import Index

CHUNK = 200_000
K = 15


class Transfer(NamedTuple):
    """Labels and confidence of all cells, and how well transfer reproduces the sketch's own labels."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    agreement: float


def sketch(X: NDArray[np.float32], n: int, seed: int = 0) -> NDArray[np.int64]:
    """`n` random rows, sorted; drawn uniformly, so that the shares of populations stay as they are."""
    if n >= len(X):
        return np.arange(len(X), dtype=np.int64)
    return np.sort(seeds.rng(seed, "sketch").choice(len(X), n, replace=False))


def vote(
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    labels: NDArray[np.int32],
    confidence: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Label with the largest weight among the neighbours, and its share times the voters' own mean confidence."""
    weight = 1.0 / (distances + 0.1 * distances.mean(axis=1, keepdims=True) + 1e-12)
    near = labels[indices]
    # k is small: compare every pair of neighbours instead of building a table over all labels
    score = np.einsum("nij,nj->ni", (near[:, :, None] == near[:, None, :]).astype(np.float32), weight)
    best = score.argmax(axis=1)
    rows = np.arange(len(near))
    winner = near[rows, best]
    voters = (near == winner[:, None]) * weight
    own = (voters * confidence[indices]).sum(axis=1) / voters.sum(axis=1)
    return winner.astype(np.int32), (score[rows, best] / weight.sum(axis=1) * own).astype(np.float32)


def transfer(
    X: NDArray[np.float32],
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    confidence: NDArray[np.float32] | None = None,
    seed: int = 0,
    threads: int | None = None,
    k: int = K,
) -> Transfer:
    """Give every row of `X` the label that most of its nearest sketch cells carry.

    Parameters
    ----------
    X
        n x d, may be a memory map: it is read in pieces of CHUNK rows, so memory stays flat.
    rows, labels, confidence
        The sketch's rows, their labels from 0 and (optional) confidence; sketch cells keep theirs.

    Returns
    -------
    Transfer; `agreement` is the share of sketch cells whose own label their sketch neighbours give back.
    """
    sure = np.ones(len(rows), np.float32) if confidence is None else confidence
    base = np.asarray(X[rows])
    index = Index(base, threads=threads, seed=seed)
    inner = index.query(base, k + 1)
    own = np.arange(len(rows))[:, None]
    # drop the cell itself, or the farthest neighbour if duplicates have crowded it out
    other = np.argsort(inner.indices == own, axis=1, kind="stable")[:, :k]
    back, _ = vote(
        np.take_along_axis(inner.indices, other, 1), np.take_along_axis(inner.distances, other, 1), labels, sure
    )
    out, share = np.empty(len(X), np.int32), np.empty(len(X), np.float32)
    for a in range(0, len(X), CHUNK):
        b = min(len(X), a + CHUNK)
        found = index.query(np.asarray(X[a:b]), k)
        out[a:b], share[a:b] = vote(found.indices, found.distances, labels, sure)
    out[rows], share[rows] = labels, sure
    return Transfer(out, share, float(np.mean(back == labels)))


def place(
    X: NDArray[np.float32],
    rows: NDArray[np.int64],
    points: NDArray[np.float32],
    seed: int = 0,
    threads: int | None = None,
    k: int = 3,
) -> NDArray[np.float32]:
    """Positions of all rows in the sketch's picture: the weighted mean of the `k` nearest sketch cells' positions."""
    index = Index(np.asarray(X[rows]), threads=threads, seed=seed)
    out = np.empty((len(X), 2), np.float32)
    for a in range(0, len(X), CHUNK):
        b = min(len(X), a + CHUNK)
        found = index.query(np.asarray(X[a:b]), k)
        weight = 1.0 / (found.distances + 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        out[a:b] = np.einsum("nk,nkc->nc", weight, points[found.indices])
    out[rows] = points
    return out
