"""Rows prepared for neighbour search: exact below a size, in small cells above it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .kernels import partition as cut
from .kernels import probe_partitions as kernel
from .kernels.by_label import by_label
from .kernels.lists_i16 import fresh, room
from .kernels.tile_f32 import WIDTH, pack, scan
from .kernels.tile_i16 import largest, pack_whole, rounded
from .tasks import Pool, pieces

EXACT_BELOW = 30_000  # up to here exact search is as fast as any other
CELL = 200  # rows per cell
PULLED = 10  # times as far as half of the rows lie: no centre of them
QUERIES = 1000  # random rows searched exactly, to set the effort and to measure the recall
GROUP = 128  # queries that share one pass over the panels
SPARE = 2  # candidates more than asked for at most, which settles what the whole numbers leave open; one at least
ROUNDING = 1.0  # steps of the whole numbers by which a distance may be wrong: two and a half standard deviations
SLICE = 500  # cells whose rows are laid out at a time for an exact search above that size
SOME = 10_000  # evenly spaced rows that tell the centre, the spread and the typical size of a coordinate, or a few more
TYPICAL = 0.999  # this quantile of the coordinates takes a quarter of the whole numbers; what is farther out is cut off
BUDGETS = (500, 64_000)


def wider(k: int) -> int:
    """Entries of a list that is to give `k`: no line of the cache is begun for the last of the spare ones."""
    return k + 1 if room(k + 1) < room(k + SPARE) else k + SPARE


class Lists(NamedTuple):
    """Squared distances (scaled units) and positions, nearest first."""

    value: NDArray[np.float32]
    ident: NDArray[np.int32]


class Effort(NamedTuple):
    """Budget of compared rows, and the truth it was set on: query positions and their k-th squared distances."""

    budget: float
    queries: NDArray[np.int64]
    limit: NDArray[np.float32]


def centre(some: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of rows, or their median where few rows far out pull the mean away from all others.

    Rows are compared by squares of their distance from here: in single precision what they differ by is lost where it
    is a few thousand times smaller.
    """
    mean = some.mean(axis=0, dtype=np.float64).astype(np.float32)
    middle = np.median(some, axis=0)
    typical = float(np.median(np.linalg.norm((some - middle).astype(np.float64), axis=1)))
    pulled = float(np.linalg.norm((mean - middle).astype(np.float64)))
    return middle.astype(np.float32) if 0 < PULLED * typical < pulled else mean


class Index:
    """Rows in search order.

    Attributes
    ----------
    Z, order
        The rows, centred and scaled to unit root mean square, cell after cell; their original numbers.
    start
        First row of every cell.
    exact
        Whether search compares with every row.
    """

    def __init__(self, X: NDArray[np.float32], workers: Pool, seed: int = 0, *, exact: bool | None = None) -> None:
        n, d = X.shape
        self.workers, self.seed = workers, seed
        self.exact = n <= EXACT_BELOW if exact is None else exact
        some = X[:: 1 if n <= EXACT_BELOW else max(1, n // SOME)]
        self.mean = centre(some)
        spread = np.sqrt(np.mean(np.square(some - self.mean, dtype=np.float64)))
        self.scale = float(spread) if spread > 0 else 1.0
        self.factor = np.float32(1 / self.scale)
        if self.exact:
            self.order = np.arange(n, dtype=np.int32)
            self.Z = self.normalised(X)
            self.start = np.array([0, n], np.int64)
        else:
            self._partition(X)
        sizes = np.diff(self.start)
        self.first = np.concatenate([[0], np.cumsum((sizes + WIDTH - 1) // WIDTH)])
        if self.exact:
            self.panels = np.empty((self.first[-1], d + 1, WIDTH), np.float32)
            pack(self.Z, self.start, self.first, self.panels, 0, 1)
        else:
            far = float(np.quantile(np.abs(self.Z[:: max(1, n // SOME)]), TYPICAL))
            self.unit = np.float32(largest(d) / (4 * far) if far > 0 else 1)
            self.words = self.in_words(self.Z)
            self.panels = np.empty((self.first[-1], self.words.shape[1] + 1, WIDTH), np.int32)
            tasks = [(self.words, self.start, self.first, self.panels, a, b) for a, b in pieces(len(sizes), 64)]
            workers.run(pack_whole, tasks)
            self.C = np.empty((len(sizes), d), np.float32)
            workers.spread(lambda a, b: cut.means(self.Z, self.start, self.C, a, b), len(sizes), 256)
            self.half = cut.half_squares(self.C)
            self.lists = np.empty((0, 0), np.int32)

    @property
    def n(self) -> int:
        return len(self.Z)

    @property
    def n_cells(self) -> int:
        return len(self.start) - 1

    def normalised(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows in the index's centre and unit."""
        return (X - self.mean) * self.factor

    def in_words(self, Z: NDArray[np.float32]) -> NDArray[np.int32]:
        """Rows as whole numbers of 16 bits, two to a word."""
        words = np.empty((len(Z), (Z.shape[1] + 1) // 2), np.int32)
        most = largest(Z.shape[1])
        self.workers.spread(lambda a, b: rounded(Z, self.unit, most, words, a, b), len(Z), 16384)
        return words

    def _partition(self, X: NDArray[np.float32]) -> None:
        n, run = len(X), self.workers
        tops = max(1, round((n / CELL) ** 0.5))
        rows = np.sort(seeds.rng(self.seed, "cells").choice(n, min(n, tops * 256), replace=False))
        sample = self.normalised(X[seeds.rng(self.seed, "cells", "order").permutation(rows)])
        C = cut.k_means(sample, tops, 8)
        across, half = np.ascontiguousarray(C.T), cut.half_squares(C)
        label = np.empty(n, np.int32)
        unit = (self.mean, self.factor)
        run.spread(lambda a, b: cut.assign_raw(X, *unit, across, half, label, a, b), n, 16384)
        start, order = by_label(label, tops)
        self.Z = np.empty((n, X.shape[1]), np.float32)
        run.spread(lambda a, b: cut.gather(X, order, *unit, self.Z, a, b), n, 16384)
        local = np.empty(n, np.int32)
        big_first = np.argsort(-np.diff(start), kind="stable")
        done = run.run(cut.split, [(self.Z, start[c], start[c + 1], CELL, 4 * CELL, 3, local) for c in big_first])
        sizes = [np.empty(0, np.int64)] * tops
        for c, s in zip(big_first, done, strict=True):
            sizes[c] = s
        joined = np.concatenate(sizes)
        joined = joined[joined > 0]
        self.start = np.concatenate([[0], np.cumsum(joined)]).astype(np.int64)
        self.order = order[local]

    def cells_in_reach(self, budget: float, *, share: int = 5, ahead: float = 0) -> NDArray[np.int32]:
        """Per cell the nearest cells worth probing for `budget` rows per query.

        They hold `share` times as many rows. Lists are kept, as long as a budget of `ahead` would ask for.
        """
        count = min(self.n_cells, int(share * budget / CELL) + 8)
        if self.lists.shape[1] < count:
            width = min(self.n_cells, max(count, int(share * ahead / CELL) + 8))
            self.lists = np.empty((self.n_cells, width), np.int32)
            tasks = [(self.C, self.half, a, b, self.lists) for a, b in pieces(self.n_cells, 64)]
            self.workers.run(cut.nearest_cells, tasks)
        return np.ascontiguousarray(self.lists[:, :count])

    def cell_of(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """The cells that rows lie in."""
        return np.searchsorted(self.start, rows, side="right") - 1

    def fresh(self, m: int, k: int) -> Lists:
        """Empty lists of `m` queries."""
        return Lists(np.full((m, k), np.float32(-3e38)), np.full((m, k), np.int32(-1)))

    def scanned(self, Q: NDArray[np.float32], own: NDArray[np.int32], k: int) -> Lists:
        """Exact lists: every row compared. A few more candidates than asked settle what rounding leaves open."""
        wide = min(k + 4, self.n - (1 if (own >= 0).any() else 0))
        found = self.fresh(len(Q), wide)
        if self.exact:
            shared = (Q, own, self.panels, self.start, self.first, *found)
            self.workers.spread(lambda a, b: scan(*shared, a, b), len(Q), GROUP)
        for c, e in [] if self.exact else pieces(self.n_cells, SLICE):
            start, first = self.start[c : e + 1], self.first[c : e + 1] - self.first[c]
            panels = np.empty((first[-1], Q.shape[1] + 1, WIDTH), np.float32)
            self.workers.run(pack, [(self.Z, start, first, panels, a, b) for a, b in pieces(e - c, 64)])
            part = (Q, own, panels, start, first, *found)
            self.workers.spread(lambda a, b, part=part: scan(*part, a, b), len(Q), GROUP)
        return self.ranked(Q, found.ident, k)

    def surveyed(self, q: NDArray[np.integer], k: int) -> Lists:
        """Exact lists of the indexed rows `q`, themselves left out.

        They are chosen in whole numbers, a few more than asked for. Whoever is not chosen is by these numbers no nearer
        than the last one chosen; rows whose k-th neighbour is no nearer than that (coordinates are cut off far out,
        and steps are too large for rows that lie close together beside others far away) are compared with all anew.
        """
        own, wide = q.astype(np.int32), k + 2 * SPARE
        scores, ident = fresh(len(q), wide)
        words = self.words[q]
        shared = (words, own, self.panels, self.start, self.first, scores, ident, wide)
        self.workers.spread(lambda a, b: kernel.scan_whole(*shared, a, b), len(q), GROUP)
        Q = np.ascontiguousarray(self.Z[q])
        found = self.ranked(Q, ident[:, :wide], k)
        squares = np.square(words.view(np.int16).astype(np.int64)).sum(axis=1)
        last = np.sqrt(np.maximum(0, squares - 2 * scores[:, wide - 1].astype(np.int64)))
        unsure = np.flatnonzero(np.sqrt(found.value[:, -1]) * self.unit + ROUNDING > last)
        if len(unsure):
            exact = self.scanned(Q[unsure], own[unsure], k)
            found.value[unsure], found.ident[unsure] = exact.value, exact.ident
        return found

    def probed(
        self, Q: NDArray[np.float32], at: NDArray[np.int64], own: NDArray[np.int32], *, k: int, budget: float
    ) -> Lists:
        """Approximate lists; the queries come cell after cell, cell c has the rows at[c]..at[c + 1]."""
        wide = wider(k)
        candidates = np.full((len(Q), room(wide)), np.int32(-1))
        reach = self.cells_in_reach(budget, ahead=16_000)
        words = self.words if Q is self.Z else self.in_words(Q)
        index = (self.panels, self.start, self.first, self.C, self.half, reach)
        shared = (Q, words, at, own, *index, np.float32(budget), candidates, wide)
        step = 8 if len(Q) > self.n_cells * 20 else 64
        self.workers.spread(lambda a, b: kernel.probe(*shared, a, b), self.n_cells, step)
        return self.settled(Q, own, candidates[:, :wide], k=k)

    def ranked(self, Q: NDArray[np.float32], candidates: NDArray[np.int32], k: int) -> Lists:
        """The k nearest of each row's candidates (-1: none) by exact distances."""
        candidates = np.ascontiguousarray(candidates)
        found = Lists(np.empty((len(Q), k), np.float32), np.empty((len(Q), k), np.int32))
        self.workers.spread(lambda a, b: kernel.rerank(Q, self.Z, candidates, *found, a, b), len(Q), 8192)
        return found

    def settled(
        self, Q: NDArray[np.float32], own: NDArray[np.int32], candidates: NDArray[np.int32], *, k: int
    ) -> Lists:
        """The same, where rows with fewer candidates are searched again."""
        found = self.ranked(Q, candidates, k)
        missing = np.flatnonzero(found.ident[:, -1] < 0)
        if len(missing):
            full = self.scanned(np.ascontiguousarray(Q[missing]), own[missing], k)
            found.value[missing], found.ident[missing] = full.value, full.ident
        return found

    def calibrated(self, k: int, miss: float) -> Effort:
        """The budget at which a search misses about the share `miss` of the true neighbours of random rows."""
        m = min(self.n, QUERIES)
        q = np.sort(seeds.rng(self.seed, "queries").choice(self.n, m, replace=False))
        Q, own = np.ascontiguousarray(self.Z[q]), q.astype(np.int32)
        limit = self.scanned(Q, own, k).value[:, -1]
        at = np.searchsorted(q, self.start).astype(np.int64)
        budget, before = float(BUDGETS[0]), (0.0, 1.0)
        while True:
            rate = 1 - found_share(self.probed(Q, at, own, k=k, budget=budget).value, limit)
            if rate <= miss or budget >= min(self.n, BUDGETS[1]):
                break
            before = (budget, rate)
            budget *= 2
        if before[0] > 0 and rate < miss:
            # misses fall about like a power of the budget: interpolate on logarithms
            x = np.log(before[1] / miss) / np.log(before[1] / max(rate, 1e-6))
            budget = before[0] * 2.0 ** float(x)
        return Effort(float(round(budget)), q, limit)


def per_query(value: NDArray[np.float32], limit: NDArray[np.float32]) -> NDArray[np.float64]:
    """Recall of every query by distance: entries no farther than its true k-th neighbour, rounding forgiven."""
    return (value <= (limit * np.float32(1 + 1e-5) + np.float32(1e-12))[:, None]).mean(axis=1)


def found_share(value: NDArray[np.float32], limit: NDArray[np.float32]) -> float:
    """Mean recall of the queries; ties count as found."""
    return float(per_query(value, limit).mean())


class Found(NamedTuple):
    """Neighbours of new rows among indexed rows: original row numbers and distances, nearest first."""

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


def query(index: Index, Y: NDArray[np.float32], k: int, *, budget: float) -> Found:
    """The `k` nearest indexed rows of every row of `Y`; `budget` from :meth:`Index.calibrated` (unused if exact)."""
    Q = index.normalised(np.ascontiguousarray(Y, np.float32))
    nobody = np.full(len(Q), -1, np.int32)
    back: NDArray[np.intp]
    if index.exact:
        found, back = index.scanned(Q, nobody, k), np.arange(len(Q))
    else:
        label = np.empty(len(Q), np.int32)
        across = np.ascontiguousarray(index.C.T)
        index.workers.spread(lambda a, b: cut.assign(Q, across, index.half, label, a, b), len(Q), 16384)
        at, order = by_label(label, index.n_cells)
        found = index.probed(np.ascontiguousarray(Q[order]), at, nobody, k=k, budget=budget)
        back = np.argsort(order, kind="stable")
    return Found(index.order[found.ident[back]], np.sqrt(found.value[back]) * np.float32(index.scale))
