"""A weighted graph as arrays, and what is computed of it in fixed pieces, whatever the number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .edges import Arrays
from .kernels import aggregate, components, subgraphs
from .kernels import leiden as kernel
from .kernels.by_label import by_label
from .tasks import Pool, pieces

PIECE = 65_536  # nodes of one piece of work; sums are added up in this order
CHUNKS = 32  # pieces of work when a graph is collapsed


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


def run(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], workers: Pool | None) -> list[Any]:
    """Results of ``function(*task)`` for every task, in this thread if there are no `workers`."""
    return [function(*t) for t in tasks] if workers is None else workers.run(function, tasks)


def spread(function: Callable[..., Any], shared: tuple[Any, ...], n: int, *, workers: Pool | None) -> list[Any]:
    """Results of ``function(*shared, a, b)`` for the pieces a..b of `n` nodes."""
    return run(function, [(*shared, a, b) for a, b in pieces(n, PIECE)], workers)


def weighed(arrays: Arrays, objective: str, local: bool, *, workers: Pool | None = None) -> Graph:
    """Row pointers, columns and weights with the node masses of the objective."""
    n = len(arrays[0]) - 1
    mass = strengths(arrays, workers=workers) if objective == "modularity" else np.ones(n)
    return Graph(*arrays, mass, local)


def strengths(arrays: Arrays, *, workers: Pool | None = None) -> NDArray[np.float64]:
    """Sum of the weights of every node."""
    out = np.empty(len(arrays[0]) - 1, np.float64)
    spread(kernel.row_sums, (arrays[0], arrays[2], out), len(out), workers=workers)
    return out


def quality(graph: Graph, labels: NDArray[np.int32], price: float, *, workers: Pool | None = None) -> float:
    """Weight inside communities minus `price` times their squared masses."""
    masses = np.bincount(labels, graph.mass)
    inside = sum(spread(subgraphs.inner_weight, (*graph[:3], labels), graph.n, workers=workers))
    return float(inside - price * np.square(masses).sum())


def links(
    graph: Graph, labels: NDArray[np.int32], partner: NDArray[np.int32], *, workers: Pool | None = None
) -> NDArray[np.float64]:
    """Weight between every community and its partner (-1: none)."""
    out = np.zeros(len(partner), np.float64)
    used = partner[: int(labels.max(initial=-1)) + 1]  # every piece has sums of its own: no more of them than needed
    for part in spread(subgraphs.links, (*graph[:3], labels, used), graph.n, workers=workers):
        out[: len(used)] += part
    return out


def connected(graph: Graph, labels: NDArray[np.int32], *, workers: Pool | None = None) -> NDArray[np.int32]:
    """Connected pieces of the communities, numbered in the order of their first nodes."""
    root = np.empty(graph.n, np.int32)
    spread(components.pieces_inside, (*graph[:2], labels, root), graph.n, workers=workers)
    for pairs in spread(components.bridges, (*graph[:2], labels, root), graph.n, workers=workers):
        components.join(root, pairs)
    return components.numbered(root)[0]


def chunks(start: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """About `count` ranges of groups with about equally many members; group g has start[g]..start[g + 1]."""
    last = len(start) - 1
    bounds = np.searchsorted(start, np.linspace(0, start[-1], count + 1))
    bounds[0], bounds[-1] = 0, last
    return [(int(a), int(b)) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]


class Room:
    """Memory for collapsed graphs, each of which takes the place of the one before its last.

    Memory that is touched for the first time can cost more than the work itself. A graph from here lasts until the
    second collapse after it, or until :meth:`begin`.
    """

    def __init__(self) -> None:
        self.kept = [(np.empty(0, np.int32), np.empty(0, np.float32))] * 2

    def begin(self) -> None:
        """No graph from here is needed any more: the next, which is the largest as a rule, takes the largest place.

        Else both places would come to hold one of that size, as the largest graphs would take turns in them.
        """
        self.kept.sort(key=lambda place: -len(place[0]))

    def __call__(self, entries: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Arrays for so many columns and values."""
        oldest = self.kept.pop(0)
        if len(oldest[0]) < entries:
            oldest = np.empty(entries, np.int32), np.empty(entries, np.float32)
        self.kept.append(oldest)
        return oldest[0][:entries], oldest[1][:entries]


def collapsed(
    graph: Graph, parts: NDArray[np.int32], count: int, *, workers: Pool | None, into: Room | None = None
) -> Graph:
    """The graph whose nodes are the parts.

    All pieces of work write into the same two arrays, each from a place that leaves room for the ones before it, and
    are then moved together: memory that is touched for the first time costs more than the work itself.
    """
    start, nodes = by_label(parts, count)
    bounds = chunks(start, CHUNKS) if count > 2000 else [(0, count)]
    # one place more than each piece can need: there the edges inside its parts end
    room = np.cumsum([0, *[aggregate.degrees(graph.indptr, start, nodes, a, b) + 1 for a, b in bounds]])
    columns, values = (into or Room())(int(room[-1]))
    entries = np.empty(count, np.int64)
    shared = (*graph[:3], parts, start, nodes, count, columns, values)
    # places are remembered in four bytes, which is faster, unless a piece has more of them
    nowhere = np.int32(-1) if int(np.diff(room).max()) <= np.iinfo(np.int32).max else np.int64(-1)
    tasks = [
        (*shared, r, end - 1, entries, nowhere, a, b) for r, end, (a, b) in zip(room, room[1:], bounds, strict=False)
    ]
    filled = 0
    for r, size in zip(room[:-1], run(aggregate.collapse, tasks, workers), strict=True):
        aggregate.close_up(columns, values, r, filled, size)
        filled += size
    indptr = np.concatenate([[0], np.cumsum(entries)])
    mass = np.bincount(parts, graph.mass, count).astype(np.float64)
    return Graph(indptr, columns[:filled], values[:filled], mass, graph.local)
