"""A sketch for very many cells, and the transfer of labels and positions from it to the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .nearest import checked, knn
from .search import Found, Index, query
from .tasks import pool

CHUNK = 200_000
K = 15
RECALL = 0.9  # of the neighbours that vote; a vote of 15 does not need them all


class Transfer(NamedTuple):
    """Labels and confidence of all cells, and how well transfer reproduces the sketch's own labels."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    agreement: float


class Extension(NamedTuple):
    """Labels and confidence of new cells, and how far they lie from the known ones (above 1: unusually far)."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    strangeness: NDArray[np.float32]


def finite(part: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """`part`, or a ValueError naming the first row that is not finite."""
    good = np.isfinite(part).all(axis=1)
    if not good.all():
        raise ValueError(f"row {start + int(np.argmin(good))} holds NaN or infinite values")
    return part


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
    sure = np.minimum(score[rows, best] / weight.sum(axis=1) * own, 1)  # rounding can lift it above 1
    return winner.astype(np.int32), sure.astype(np.float32)


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
    out, share = np.empty(len(X), np.int32), np.empty(len(X), np.float32)
    base = np.asarray(X[rows])
    inner = knn(base, k, RECALL, seed, threads)
    back, _ = vote(inner.indices, inner.distances, labels, sure)
    for a, b, found in nearest_in(base, X, k, seed, threads):
        out[a:b], share[a:b] = vote(found.indices, found.distances, labels, sure)
    out[rows], share[rows] = labels, sure
    return Transfer(out, share, float(np.mean(back == labels)))


def nearest_in(
    base: NDArray[np.float32], X: NDArray[np.float32], k: int, seed: int, threads: int | None
) -> Iterator[tuple[int, int, Found]]:
    """The `k` rows of `base` nearest to every row of `X`, in pieces of CHUNK rows: first row, end, neighbours."""
    with pool(threads) as workers:
        index = Index(checked(base, k), workers, seed)
        budget = 0.0 if index.exact else index.calibrated(k, 1 - RECALL).budget
        for a in range(0, len(X), CHUNK):
            b = min(len(X), a + CHUNK)
            yield a, b, query(index, finite(np.asarray(X[a:b], np.float32), a), k, budget)


def extend(
    known: NDArray[np.float32],
    labels: NDArray[np.int32],
    new: NDArray[np.float32],
    confidence: NDArray[np.float32] | None = None,
    seed: int = 0,
    threads: int | None = None,
    k: int = K,
) -> Extension:
    """Add cells (a later time point) to an existing clustering without redoing it.

    Each new cell takes the label most of its nearest known cells carry. A population that did not exist before cannot
    get a label of its own this way, so every new cell also gets a strangeness: its distance to the k-th known
    neighbour over the 99th percentile of the same distance among the known cells of its label. Many cells above 1
    mean that the clustering should be redone.

    Parameters
    ----------
    known, labels, confidence
        n x d features of the clustered cells, their labels from 0, optional confidence.
    new
        m x d features in the same space.
    """
    rows = np.arange(len(known), dtype=np.int64)
    sure = np.ones(len(rows), np.float32) if confidence is None else confidence
    inner = knn(known, k, RECALL, seed, threads).distances[:, -1]
    usual = np.array(
        [np.quantile(inner[labels == c], 0.99) if (labels == c).any() else 0 for c in range(labels.max() + 1)]
    )
    out, share = np.empty(len(new), np.int32), np.empty(len(new), np.float32)
    strange = np.empty(len(new), np.float32)
    for a, b, found in nearest_in(known, new, k, seed, threads):
        out[a:b], share[a:b] = vote(found.indices, found.distances, labels, sure)
        strange[a:b] = found.distances[:, -1] / np.maximum(usual[out[a:b]], 1e-12)
    return Extension(out, share, strange)


def place(
    X: NDArray[np.float32],
    rows: NDArray[np.int64],
    points: NDArray[np.float32],
    seed: int = 0,
    threads: int | None = None,
    k: int = 3,
) -> NDArray[np.float32]:
    """Positions of all rows in the sketch's picture: the weighted mean of the `k` nearest sketch cells' positions."""
    out = np.empty((len(X), 2), np.float32)
    for a, b, found in nearest_in(np.asarray(X[rows]), X, k, seed, threads):
        weight = 1.0 / (found.distances + 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        out[a:b] = np.einsum("nk,nkc->nc", weight, points[found.indices])
    out[rows] = points
    return out
