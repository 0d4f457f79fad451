"""The Leiden algorithm's passes over a graph: group, refine, collapse, cut, and again until nothing is gained."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .kernels import leiden as kernel
from .kernels.bisect import bisect
from .tasks import Pool, pieces

LARGE = 20_000  # above this many nodes a graph is visited in memory order
BLOCK = 65_536  # nodes of a large graph in memory order that are grouped without looking at the others
CUTS = 4  # rounds of cutting communities in two, at most
SLACK = 2.0  # cuts on the collapsed graph that cost less than so many times what they may are tried on the whole one
TRIES, MORE = 3, 2  # tries and additional passes up to LARGE nodes
PASSES, RESTLESS = 5, 0.02  # without a number given: passes at most, and share of moved nodes that asks for another


class Graph(NamedTuple):
    """Row pointers (int64), columns (int32), weights (float32), node masses (float64); symmetric, no self-loops.

    `local` says that nodes close in memory are close in the graph.
    """

    indptr: NDArray[np.int64]
    ix: NDArray[np.int32]
    w: NDArray[np.float32]
    mass: NDArray[np.float64]
    local: bool = False

    @property
    def n(self) -> int:
        return len(self.indptr) - 1

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Ranges of nodes that may be grouped by themselves: one, unless the graph is large and local."""
        if not self.local or self.n <= BLOCK:
            return [(0, self.n)]
        return pieces(self.n, -(-self.n // -(-self.n // BLOCK)))


def quality(graph: Graph, labels: NDArray[np.int32], price: float) -> float:
    """Weight inside communities minus `price` times their squared masses."""
    masses = np.bincount(labels, graph.mass)
    return float(kernel.inner_weight(*graph[:3], labels) - price * np.square(masses).sum())


def optimise(
    graph: Graph, price: float, seed: int, *, passes: int | None, start: NDArray[np.int32] | None, workers: Pool | None
) -> NDArray[np.int32]:
    """Labels after `passes` descents, the first of them a rough start unless there are labels to start from.

    Without a number there are at least two and at most :data:`PASSES`; another one is made while the last moved many
    nodes. Below 2 % the next pass raised the modularity by less than 0.0001 on every graph tried; the high
    resolutions, where more move, need three or four.
    """
    labels = rough(graph, price, (seed, -1), workers=workers) if start is None else start
    for i in range((passes or PASSES) - (start is None)):
        labels, moved = descend(graph, labels, price, stream=(seed, i), workers=workers)
        if passes is None and moved <= RESTLESS * graph.n:
            break
    return labels


def thorough(
    graph: Graph, price: float, seed: int, *, passes: int | None, start: NDArray[np.int32] | None, workers: Pool | None
) -> NDArray[np.int32]:
    """As :func:`optimise`; on small graphs, where it costs little and luck weighs more, the best of several tries."""
    if graph.n > LARGE or start is not None:
        return optimise(graph, price, seed, passes=passes, start=start, workers=workers)
    tasks = [(graph, price, seeds.derive(seed, "try", t)) for t in range(TRIES)]
    found = _run(partial(optimise, passes=(passes or 2) + MORE, start=None, workers=None), tasks, workers)
    return found[int(np.argmax([quality(graph, f, price) for f in found]))]


def _run(function, tasks, workers):
    return [function(*t) for t in tasks] if workers is None else workers.run(function, tasks)


def rough(graph: Graph, price: float, stream: tuple[int, ...], *, workers: Pool | None) -> NDArray[np.int32]:
    """A first clustering: two visits per node, block by block, then a full descent on the graph of the groups."""
    labels = np.arange(graph.n, dtype=np.int32)
    total = graph.mass.copy()
    order = visiting(graph, stream)
    tasks = [(*graph[:4], labels, total, price, order[a:b], 2 * (b - a), a, b) for a, b in graph.blocks]
    _run(kernel.move, tasks, workers)
    labels, count = kernel.relabel(labels)
    small = collapsed(graph, labels, count, workers=workers)
    return descend(small, np.arange(count, dtype=np.int32), price, stream=(*stream, 0), workers=workers, cutting=False)[
        0
    ][labels]


def visiting(graph: Graph, stream: tuple[int, ...]) -> NDArray[np.int32]:
    """Visiting order of the nodes: shuffled, or as in memory if there are many, which is several times faster."""
    if graph.n > LARGE:
        return np.arange(graph.n, dtype=np.int32)
    return seeds.rng(stream[0], "leiden", *stream[1:]).permutation(graph.n).astype(np.int32)


def refined(
    graph: Graph, labels: NDArray[np.int32], price: float, *, order: NDArray[np.int32], workers: Pool | None
) -> tuple[NDArray[np.int32], int]:
    """Well-connected parts of the communities, and their number."""
    total = np.bincount(labels, graph.mass, graph.n)
    parts = np.empty(graph.n, np.int32)
    tasks = [(*graph[:4], labels, total, price, order[a:b], parts, a, b) for a, b in graph.blocks]
    _run(kernel.refine, tasks, workers)
    return kernel.relabel(parts)


def descend(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    *,
    stream: tuple[int, ...],
    workers: Pool | None,
    cutting: bool = True,
) -> tuple[NDArray[np.int32], int]:
    """Move, refine, collapse, and again on the smaller graph until nothing changes; labels, moves on the whole graph.

    Moving nodes one by one hardly ever cuts a large community in two, so whether two halves were once merged is left to
    the luck of the visiting order. Therefore, as soon as the collapsed graph is small enough, every community is also
    tried in two; if that and the moves after it raise the quality, it stays. Cuts that would gain only with a better
    border than the collapsed nodes allow are tried again on the whole graph (:func:`tried_in_two`).
    """
    whole = graph
    maps: list[NDArray[np.int32]] = []
    moved = []
    halves = None
    enough = max(LARGE, graph.n // 40)
    while True:
        n = graph.n
        order = visiting(graph, (*stream, len(maps)))
        labels = labels.copy()
        total = np.bincount(labels, graph.mass, n)
        moved.append(kernel.move(*graph[:4], labels, total, price, order, 1000 * n, 0, n)[1])
        labels, count = kernel.relabel(labels)
        if count == n:
            break
        parts, n_parts = refined(graph, labels, price, order=order, workers=workers)
        if n_parts == n:
            break
        graph = collapsed(graph, parts, n_parts, workers=workers)
        maps.append(parts)
        above = np.empty(n_parts, np.int32)
        above[parts] = labels
        labels = above
        if cutting and n_parts <= enough:
            labels = kernel.relabel(_cut(graph, labels, price, stream=stream, workers=workers))[0]
            halves = halved(graph, labels, price, workers=workers, slack=SLACK)
            break
    for parts in reversed(maps):
        labels = labels[parts]
        halves = None if halves is None else halves[parts]
    if halves is None:
        return np.ascontiguousarray(labels), moved[0]
    return tried_in_two(whole, labels, halves, price=price), moved[0]


def _cut(
    graph: Graph, labels: NDArray[np.int32], price: float, *, stream: tuple[int, ...], workers: Pool | None
) -> NDArray[np.int32]:
    """The rest of a descent, with communities cut in two wherever that gains."""
    best, _ = descend(graph, labels, price, stream=(*stream, 1000), workers=workers, cutting=False)
    score = quality(graph, best, price)
    for i in range(CUTS):
        halves = halved(graph, best, price, workers=workers)
        if halves is None:
            break
        found, _ = descend(graph, halves, price, stream=(*stream, 1001 + i), workers=workers, cutting=False)
        better = quality(graph, found, price)
        if better <= score + 1e-9 * abs(score):
            break
        best, score = found, better
    return best


def halved(
    graph: Graph, labels: NDArray[np.int32], price: float, *, workers: Pool | None, slack: float = 1.0
) -> NDArray[np.int32] | None:
    """Labels with every community cut in two that gains by it (or nearly, with `slack` above 1); None if none does."""
    labels, count = kernel.relabel(labels)
    start, nodes = kernel.members(labels, count)
    place = np.empty(graph.n, np.int32)
    place[nodes] = np.arange(graph.n, dtype=np.int32)
    bounds = chunks(start, 16)
    tasks = [(*graph[:4], labels, start, nodes, place, price, slack, a, b) for a, b in bounds]
    fresh = count
    out = labels.copy()
    for half, owner in _run(bisect, tasks, workers):
        if len(half):
            turn = np.concatenate([[0], np.cumsum(np.diff(owner) != 0)])
            out[half] = fresh + turn
            fresh += int(turn[-1]) + 1
    return None if fresh == count or fresh > graph.n else out


def tried_in_two(
    graph: Graph, labels: NDArray[np.int32], halves: NDArray[np.int32], *, price: float
) -> NDArray[np.int32]:
    """The better of `labels` and of `halves` with their borders improved, where only halves that gain are kept apart.

    `halves` numbers the second half of a community with a label that `labels` does not have.
    """
    partner = np.full(graph.n, -1, np.int32)
    partner[halves] = labels  # of every half the community it was cut from
    partner[: int(labels.max()) + 1] = -1
    new = halves.copy()
    total = np.bincount(new, graph.mass, graph.n)
    kernel.move(*graph[:4], new, total, price, np.arange(graph.n, dtype=np.int32), 1000 * graph.n, 0, graph.n)
    gain = kernel.links(*graph[:3], new, partner) - price * total * np.where(partner < 0, 0, total[partner])
    back = np.where((partner >= 0) & (gain > 0), partner, np.arange(graph.n, dtype=np.int32))
    new = back[new]
    return new if quality(graph, new, price) > quality(graph, labels, price) else labels


def chunks(start: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """About `count` ranges of groups with about equally many members; group g has start[g]..start[g + 1]."""
    last = len(start) - 1
    bounds = np.searchsorted(start, np.linspace(0, start[-1], count + 1))
    bounds[0], bounds[-1] = 0, last
    return [(int(a), int(b)) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]


def collapsed(graph: Graph, parts: NDArray[np.int32], count: int, *, workers: Pool | None) -> Graph:
    """The graph whose nodes are the parts.

    All pieces of work write into the same two arrays, each from a place that leaves room for the ones before it, and
    are then moved together: memory that is touched for the first time costs more than the work itself.
    """
    start, nodes = kernel.members(parts, count)
    bounds = chunks(start, 8) if count > 2000 else [(0, count)]
    room = np.cumsum([0, *[kernel.degrees(graph.indptr, start, nodes, a, b) for a, b in bounds]])
    columns, values = np.empty(room[-1], np.int32), np.empty(room[-1], np.float32)
    entries = np.empty(count, np.int64)
    shared = (*graph[:3], parts, start, nodes, count, columns, values)
    tasks = [(*shared, r, entries, a, b) for r, (a, b) in zip(room[:-1], bounds, strict=True)]
    filled = 0
    for r, size in zip(room[:-1], _run(kernel.collapse, tasks, workers), strict=True):
        kernel.close_up(columns, values, r, filled, size)
        filled += size
    indptr = np.concatenate([[0], np.cumsum(entries)])
    mass = np.bincount(parts, graph.mass, count).astype(np.float64)
    return Graph(indptr, columns[:filled], values[:filled], mass, graph.local)
