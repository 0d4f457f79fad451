"""The search among the indexed rows themselves: every comparison serves both rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .kernels import cell_pairs, nn_descent
from .kernels import probe_pairs as kernel
from .kernels.lists_i16 import lists
from .kernels.tile_f32 import WIDTH
from .search import BUDGETS, CELL, QUERIES, Effort, Index, Lists, found_share, wider

SHARE = 10  # rows in the cells that a row may choose from, by rows that it looks into
BLOCKS = 32  # of cells: a task compares the cells of two of them; half as many tasks can be done side by side
ROUNDS = 2  # looks at the neighbours' neighbours before the budget is raised
LOOKS = (3, 4, 6, 8, 11, 15)  # how many neighbours of how many neighbours
AHEAD = 1.25  # the cells in reach are found for so many times the budget at hand, which seldom grows by more
CAUTION = 1.05  # share of the misses allowed at which the budget is set: pairs that nobody chose are met on the way


def self_search(index: Index, k: int, recall: float) -> tuple[Lists, Effort | None]:
    """Lists of all indexed rows, themselves left out."""
    if index.exact:
        return index.scanned(index.Z, np.arange(index.n, dtype=np.int32), k), None
    effort = calibrated(index, k, CAUTION * (1 - recall))
    while True:
        found = compared(index, k, effort.budget)
        for _ in range(ROUNDS):
            if found_share(found.value[effort.queries], effort.limit) >= recall:
                return found, effort
            found = backward(index, through(index, found, enough(index, found, effort, recall=recall)))
        if effort.budget >= min(index.n, BUDGETS[1]):
            return found, effort
        effort = effort._replace(budget=effort.budget * 1.3)


def calibrated(index: Index, k: int, miss: float) -> Effort:
    """The budget at which about the share `miss` of the true neighbours of random rows is not met.

    A pair of rows meets if either looks into the other's cell, for which it needs a budget that can be computed from
    the distances to the cells' centres: of each of the pairs the smaller one counts.
    """
    m = min(index.n, QUERIES)
    q = np.sort(seeds.rng(index.seed, "queries").choice(index.n, m, replace=False))
    found = index.surveyed(q, k)
    near, here = found.ident.ravel(), np.repeat(index.cell_of(q), k)
    there = index.cell_of(near)
    # both ways of every pair: the row and its cell, the cell that it has to look into, and what that takes
    ways = (np.repeat(q, k).astype(np.int32), here, there), (near, there, here)
    takes = [np.empty(m * k, np.float32) for _ in ways]
    shared = (index.Z, index.C, index.half, index.start)
    for (rows, _, target), out in zip(ways, takes, strict=True):
        index.workers.spread(lambda a, b, way=(rows, target, out): cell_pairs.needs(*shared, *way, a, b), m * k, 50 * k)

    def least(reach: NDArray[np.int32] | None) -> float:
        """The budget, if cells can be looked into that are in `reach` of the row's own."""
        need = [
            x if reach is None else np.where(cell_pairs.listed(reach, own, target), x, np.inf)
            for x, (_, own, target) in zip(takes, ways, strict=True)
        ]
        either = np.where(here == there, 0, np.minimum(*need))
        return float(np.partition(either, last := min(m * k - 1, int((1 - miss) * m * k)))[last])

    budget, wanted = 0.0, least(None)
    while wanted > 1.02 * budget and budget < BUDGETS[1]:
        budget = min(wanted, max(1.5 * budget, least(None)))  # a larger budget reaches more cells
        wanted = least(index.cells_in_reach(budget, share=SHARE, ahead=AHEAD * budget))
    return Effort(min(max(budget, CELL), BUDGETS[1], index.n), q, found.value[:, -1])


def compared(index: Index, k: int, budget: float) -> Lists:
    """Lists of all rows after every row looked into the cells nearest to it that hold about `budget` rows.

    Cells lie in blocks. A task changes the lists of two blocks, and those of a block change in a fixed order of tasks,
    so that the lists are the same for every number of threads.
    """
    n, cells, run = index.n, index.n_cells, index.workers
    reach = index.cells_in_reach(budget, share=SHARE)
    shared = (index.Z, index.start, index.C, index.half, reach, np.float32(budget))
    parts = run.spread(lambda a, b: cell_pairs.choices(*shared, a, b), cells, 64)
    numbers, others, bits = (np.concatenate([p[i] for p in parts]) for i in range(3))
    at = np.concatenate([[0], np.cumsum(numbers)])
    words = np.repeat((np.diff(index.start) + 63) // 64, numbers)
    bits_at = np.concatenate([[0], np.cumsum(words)])
    count = min(BLOCKS, max(1, cells // 8))
    block = (index.start[:-1] * count // n).astype(np.int32)
    *pairs, group = cell_pairs.meetings(at, others, block, count)

    wide = wider(k)
    best, ident = lists(n, wide), lists(n, wide)
    # a panel's last places may reach beyond the last row
    bars, squares = np.zeros(n + WIDTH, np.int32), np.empty(n, np.int32)
    own = np.arange(n, dtype=np.int32)
    layout = (index.panels, index.start, index.first)
    run.spread(lambda a, b: kernel.half_of_squares(index.words, squares, a, b), n, 65536)
    run.spread(lambda a, b: kernel.inside(index.words, own, squares, *layout, best, ident, bars, wide, a, b), cells, 8)
    index_of, lists_of = (index.words, squares, *layout), (best, ident, bars, wide)
    tasks, touched = [], []
    for later in (0, count * count):
        for p, q in order_of_meetings(count):
            a, b = group[later + p * count + q], group[later + p * count + q + 1]
            if a < b:
                tasks.append((index_of, tuple(pairs), bits, bits_at, lists_of, a, b))
                touched.append({p, q})
    run.run_apart(kernel.meet, tasks, touched)
    return index.settled(index.Z, own, ident[:, :wide], k=k)


def order_of_meetings(count: int) -> list[tuple[int, int]]:
    """All pairs p <= q of `count` blocks: first each with itself, then rounds in which every block has one partner."""
    seats = list(range(count + count % 2))
    out = [(p, p) for p in range(count)]
    for _ in range(len(seats) - 1):
        for i in range(len(seats) // 2):
            p, q = sorted((seats[i], seats[-1 - i]))
            if q < count:
                out.append((p, q))
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return out


def backward(index: Index, found: Lists) -> Lists:
    """Every row offered to those in its own list (one round of the reverse edges of Dong 2011), in place."""
    for offer in index.workers.spread(lambda a, b: nn_descent.offers(*found, a, b), index.n, 8192):
        nn_descent.accept(*found, *offer)
    return found


def through(index: Index, found: Lists, first: int, *, rows: NDArray[np.int32] | None = None) -> Lists:
    """Lists of `rows` (or all) after a look at the `first` neighbours of their `first` neighbours (Dong 2011)."""
    rows = np.arange(index.n, dtype=np.int32) if rows is None else rows
    shape = len(rows), found.ident.shape[1]
    new = Lists(np.empty(shape, np.float32), np.empty(shape, np.int32))
    few = min(first, shape[1])
    index.workers.spread(lambda a, b: nn_descent.through(index.Z, *found, rows, *new, few, a, b), len(rows), 8192)
    return new


def enough(index: Index, found: Lists, effort: Effort, *, recall: float) -> int:
    """How many neighbours' neighbours must be looked at to reach `recall`: the fewest of :data:`LOOKS` that do."""
    rows = effort.queries.astype(np.int32)
    for first in LOOKS[:-1]:
        if found_share(through(index, found, first, rows=rows).value, effort.limit) >= recall:
            return first
    return LOOKS[-1]
