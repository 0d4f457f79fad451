"""A sketch for very many cells, and the transfer of labels and positions from it to the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .nearest import checked, knn, refuse_bad
from .search import Found, Index, query
from .tasks import pool

CHUNK = 200_000
K = 15
NEAREST = 3  # sketch cells between which a cell is placed in the picture
RECALL = 0.9  # of the neighbours that vote; a vote of 15 does not need them all


Span = tuple[int, int]  # first row, and the one behind the last


class Known(NamedTuple):
    """The sketch: its rows' features (m x d) and their numbers among all rows, ascending."""

    base: NDArray[np.float32]
    rows: NDArray[np.int64]

    def within(self, first: int, last: int) -> slice:
        """The sketch's cells among the rows first..last."""
        a, b = np.searchsorted(self.rows, [first, last])
        return slice(int(a), int(b))

    def covers(self, first: int, last: int) -> bool:
        """Whether all rows first..last are the sketch's own."""
        own = self.within(first, last)
        return own.stop - own.start == last - first


class Transfer(NamedTuple):
    """Labels and confidence of all cells, and how well transfer reproduces the sketch's own labels."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    agreement: float


class Extension(NamedTuple):
    """Labels and confidence of new cells, how far they lie from the known ones (above 1: unusually far), and which
    known cells are nearest (m x k rows and distances)."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    strangeness: NDArray[np.float32]
    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


def finite(part: NDArray[np.float32], start: int) -> NDArray[np.float32]:
    """`part`, or a ValueError naming the first row that is not finite."""
    good = np.isfinite(part).all(axis=1)
    if not good.all():
        raise ValueError(f"row {start + int(np.argmin(good))} holds NaN or infinite values")
    return part


def sketch(X: NDArray[np.float32], n: int, seed: int = 0) -> NDArray[np.int64]:
    """`n` random rows, sorted; drawn uniformly, so that the shares of populations stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.graph import sketch
    >>> rows = sketch(np.zeros((1000, 5), np.float32), 100)
    >>> len(rows), bool((np.diff(rows) > 0).all())
    (100, True)
    """
    if n >= len(X):
        return np.arange(len(X), dtype=np.int64)
    return np.sort(seeds.rng(seed, "sketch").choice(len(X), n, replace=False))


def vote(
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    labels: NDArray[np.int32],
    *,
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
    *,
    confidence: NDArray[np.float32] | None = None,
    seed: int = 0,
    threads: int | None = None,
    k: int = K,
    spans: Sequence[Span] | None = None,
) -> Transfer:
    """Give every row of `X` the label that most of its nearest sketch cells carry.

    Parameters
    ----------
    X
        n x d, may be a memory map: it is read in pieces of CHUNK rows, so memory stays flat.
    rows, labels, confidence
        The sketch's rows, their labels from 0 and (optional) confidence; sketch cells keep theirs.
    spans
        Ranges of rows that no piece crosses (the samples), default one.

    Returns
    -------
    Transfer; `agreement` is the share of sketch cells whose own label their sketch neighbours give back.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.graph import sketch, transfer
    >>> X = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    >>> X[:300] += 20
    >>> rows = sketch(X, 200)
    >>> found = transfer(X, rows, (rows >= 300).astype(np.int32))
    >>> bool((found.labels == np.repeat([0, 1], 300)).all())
    True
    """
    sure = np.ones(len(rows), np.float32) if confidence is None else confidence
    base = np.asarray(X[rows])
    agreement = reproduced(base, labels, sure, seed=seed, threads=threads, k=k)
    known = Known(base, rows)
    return Transfer(
        *labelled(X, known, labels, confidence=sure, seed=seed, threads=threads, k=k, spans=spans), agreement
    )


def reproduced(
    base: NDArray[np.float32],
    labels: NDArray[np.int32],
    confidence: NDArray[np.float32],
    *,
    seed: int,
    threads: int | None,
    k: int = K,
) -> float:
    """Share of the sketch's cells whose own label their sketch neighbours give back."""
    inner = knn(base, k, RECALL, seed=seed, threads=threads)
    back, _ = vote(inner.indices, inner.distances, labels, confidence=confidence)
    return float(np.mean(back == labels))


def labelled(
    X: NDArray[np.float32],
    known: Known,
    labels: NDArray[np.int32],
    *,
    confidence: NDArray[np.float32],
    seed: int = 0,
    threads: int | None = None,
    k: int = K,
    spans: Sequence[Span] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Labels and confidence of the rows in `spans` (default all), one span after the other.

    A span gets the same bytes whether it is done alone or with others.
    """
    spans = [(0, len(X))] if spans is None else spans
    at, size = offsets(spans)
    out, share = np.empty(size, np.int32), np.empty(size, np.float32)
    for a, b, start, found in nearest_in(known, X, k, seed=seed, threads=threads, spans=spans):
        out[start : start + b - a], share[start : start + b - a] = vote(
            found.indices, found.distances, labels, confidence=confidence
        )
    for (first, last), start in zip(spans, at, strict=True):
        own = known.within(first, last)
        here = known.rows[own] - first + start
        out[here], share[here] = labels[own], confidence[own]
    return out, share


def offsets(spans: Sequence[Span]) -> tuple[list[int], int]:
    """Where each span begins when they are laid one after the other, and how many rows they have together."""
    ends = np.cumsum([0, *(last - first for first, last in spans)])
    return [int(v) for v in ends[:-1]], int(ends[-1])


def nearest_in(
    known: Known, X: NDArray[np.float32], k: int, *, seed: int, threads: int | None, spans: Sequence[Span]
) -> Iterator[tuple[int, int, int, Found]]:
    """The `k` sketch rows nearest to the rows of `X` in `spans`.

    Pieces of at most CHUNK rows that never cross the end of a span: the search is in single precision with matrix
    products, whose rounding may depend on which rows are searched together. Yields first row, end, place of the first
    row when the spans are laid one after the other, neighbours. A span of sketch rows alone needs no search.
    """
    at, _ = offsets(spans)
    wanted = [
        (first, last, start) for (first, last), start in zip(spans, at, strict=True) if not known.covers(first, last)
    ]
    if not wanted:
        return
    with pool(threads) as workers:
        base = checked(known.base, k)
        refuse_bad(base, workers)
        index = Index(base, workers, seed)
        budget = 0.0 if index.exact else index.calibrated(k, 1 - RECALL).budget
        for first, last, start in wanted:
            for a in range(first, last, CHUNK):
                b = min(last, a + CHUNK)
                yield a, b, start + a - first, query(index, finite(np.asarray(X[a:b], np.float32), a), k, budget=budget)


def extend(
    known: NDArray[np.float32],
    labels: NDArray[np.int32],
    new: NDArray[np.float32],
    *,
    confidence: NDArray[np.float32] | None = None,
    reach: NDArray[np.float32] | None = None,
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
    reach
        Distance of every known cell to its k-th neighbour, if that is known already.
    """
    sure = np.ones(len(known), np.float32) if confidence is None else confidence
    inner = knn(known, k, RECALL, seed=seed, threads=threads).distances[:, -1] if reach is None else reach
    usual = np.array(
        [np.quantile(inner[labels == c], 0.99) if (labels == c).any() else 0 for c in range(labels.max() + 1)]
    )
    out, share = np.empty(len(new), np.int32), np.empty(len(new), np.float32)
    strange = np.empty(len(new), np.float32)
    indices, distances = np.empty((len(new), k), np.int32), np.empty((len(new), k), np.float32)
    nobody = Known(known, np.empty(0, np.int64))  # no new row is a known one
    for a, b, _, found in nearest_in(nobody, new, k, seed=seed, threads=threads, spans=[(0, len(new))]):
        out[a:b], share[a:b] = vote(found.indices, found.distances, labels, confidence=sure)
        strange[a:b] = found.distances[:, -1] / np.maximum(usual[out[a:b]], 1e-12)
        indices[a:b], distances[a:b] = found.indices, found.distances
    return Extension(out, share, strange, indices, distances)


def place(
    X: NDArray[np.float32],
    known: Known,
    points: NDArray[np.float32],
    *,
    seed: int = 0,
    threads: int | None = None,
    k: int = NEAREST,
    spans: Sequence[Span] | None = None,
) -> NDArray[np.float32]:
    """Positions in the sketch's picture: the weighted mean of the `k` nearest sketch cells' positions.

    Of the rows in `spans` (default all), one span after the other; sketch cells keep theirs.
    """
    spans = [(0, len(X))] if spans is None else spans
    at, size = offsets(spans)
    out = np.empty((size, 2), np.float32)
    for a, b, start, found in nearest_in(known, X, k, seed=seed, threads=threads, spans=spans):
        weight = 1.0 / (found.distances + 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        out[start : start + b - a] = np.einsum("nk,nkc->nc", weight, points[found.indices])
    for (first, last), start in zip(spans, at, strict=True):
        own = known.within(first, last)
        out[known.rows[own] - first + start] = points[own]
    return out
