"""The Leiden algorithm's passes over a graph: group, refine, collapse, cut, and again until nothing is gained."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

from .kernels import aggregate
from .kernels import leiden as kernel
from .kernels.bisect import bisect
from .kernels.by_label import by_label
from .network import Graph, Room, chunks, collapsed, links, quality, run
from .rounds import move_in_rounds, restless
from .tasks import Pool, pieces

LARGE = 20_000  # above this many nodes a graph is visited in memory order
BLOCK = 65_536  # nodes of a large graph in memory order that are grouped without looking at the others
WIDE = 400_000  # above this many nodes they move in rounds, which takes a third more work but uses many threads
FEW = 3  # visits of every node before its graph is collapsed, where a large graph is first grouped
SCREENED = 4_000  # above this many nodes those that want to move are found side by side before they move one by one
ROUNDS = 4_000  # where such a graph is collapsed, down to this many nodes
CUTS = 4  # rounds of cutting communities in two, at most
SLACK = 2.0  # cuts on the collapsed graph that cost less than so many times what they may are tried on the whole one
TRIES, MORE = 3, 2  # tries and additional passes up to LARGE nodes
PASSES, RESTLESS = 5, 0.02  # without a number given: passes at most, and share of moved nodes that asks for another


def blocks(graph: Graph) -> list[tuple[int, int]]:
    """Ranges of nodes that may be grouped by themselves: one, unless the graph is large and local.

    Only graphs that are visited in memory order may be cut: of a shuffled order a part would leave its range.
    """
    if not graph.local or graph.n <= max(BLOCK, LARGE):
        return [(0, graph.n)]
    count = -(-graph.n // BLOCK)
    return pieces(graph.n, -(-graph.n // (count + count % 2)))


def optimise(
    graph: Graph,
    price: float,
    seed: int,
    *,
    passes: int | None = None,
    start: NDArray[np.int32] | None = None,
    workers: Pool | None = None,
    rounds: bool | None = None,
    tries: int = 1,
) -> NDArray[np.int32]:
    """Labels after `passes` descents, the first of them a rough start unless there are labels to start from.

    Without a number there are at least two and at most :data:`PASSES`; another one is made while the last moved many
    nodes. Of the last, in which less than 2 % move, only this moving is done: what follows raised the modularity by
    0.0002 to 0.0014 on real cells and took a third of the time. The high resolutions, where more move, need three or
    four. `rounds` moves many nodes side by side (:mod:`.rounds`); by default where there are more than :data:`WIDE`.
    Of small graphs, where it costs little and luck weighs more, the best of several `tries` is taken, which have
    :data:`MORE` passes.
    """
    if tries > 1 and graph.n <= LARGE and start is None:
        tasks = [(graph, price, seeds.derive(seed, "try", t)) for t in range(tries)]
        found = run(partial(optimise, passes=(passes or 2) + MORE, rounds=False), tasks, workers)
        return found[int(np.argmax([quality(graph, f, price) for f in found]))]
    wide = graph.n > WIDE if rounds is None else rounds
    into = Room()
    labels = rough(graph, price, (seed, -1), workers=workers, wide=wide, into=into) if start is None else start
    for i in range((passes or PASSES) - (start is None)):
        brief = passes is None and i > 0
        stream = (seed, i)
        into.begin()
        labels, moved = descend(graph, labels, price, stream=stream, workers=workers, wide=wide, brief=brief, into=into)
        if passes is None and moved <= RESTLESS * graph.n:
            break
    return labels


def rough(
    graph: Graph, price: float, stream: tuple[int, ...], *, workers: Pool | None, wide: bool, into: Room
) -> NDArray[np.int32]:
    """A first clustering: two visits per node, block by block, then the groups are grouped.

    In a large graph step by step (:func:`grown`), in another by a full descent.
    """
    labels = np.arange(graph.n, dtype=np.int32)
    total = graph.mass.copy()
    order = visiting(graph, stream)
    tasks = [(*graph[:4], labels, total, price, order[a:b], 2 * (b - a), a, b) for a, b in blocks(graph)]
    run(kernel.move, tasks, workers)
    labels, count = aggregate.relabel(labels)
    small = collapsed(graph, labels, count, workers=workers, into=into)
    if graph.n > LARGE:
        above = grown(small, price, stream=(*stream, 0), workers=workers)
        settle(small, above, price, order=visiting(small, stream), wide=wide, workers=workers)
    else:
        alone = np.arange(count, dtype=np.int32)
        above, _ = descend(small, alone, price, stream=(*stream, 0), workers=workers, wide=wide, cutting=False)
    return above[labels]


def grown(graph: Graph, price: float, *, stream: tuple[int, ...], workers: Pool | None) -> NDArray[np.int32]:
    """A clustering in small steps: nodes move :data:`FEW` times, then their groups are the nodes, until they are few.

    Moved until they are at rest, the nodes of the first collapsed graph take most of the time of a large graph: they
    wander together to far fewer groups than are joined at once. Moving them once more with the groups that come of
    this leads as high.
    """
    maps: list[NDArray[np.int32]] = []
    into = Room()
    labels = np.arange(graph.n, dtype=np.int32)
    while graph.n > ROUNDS:
        move_in_rounds(graph, labels, price, workers=workers, sweeps=FEW)
        labels, count = aggregate.relabel(labels)
        if count == graph.n:
            break
        maps.append(labels)
        graph = collapsed(graph, labels, count, workers=workers, into=into)
        labels = np.arange(count, dtype=np.int32)
    labels, _ = descend(graph, labels, price, stream=stream, workers=workers, wide=False, cutting=False)
    for above in reversed(maps):
        labels = labels[above]
    return labels


def visiting(graph: Graph, stream: tuple[int, ...]) -> NDArray[np.int32]:
    """Visiting order of the nodes: shuffled, or as in memory if there are many, which is several times faster."""
    if graph.n > LARGE:
        return np.arange(graph.n, dtype=np.int32)
    return seeds.rng(stream[0], "leiden", *stream[1:]).permutation(graph.n).astype(np.int32)


def settle(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    *,
    order: NDArray[np.int32],
    wide: bool,
    workers: Pool | None,
) -> int:
    """Move nodes until none gains (almost none, in rounds); changes `labels` in place, returns the moves.

    `wide`: the graph, or the one it was collapsed from, is large; then many nodes are moved in rounds, side by side.
    """
    n = graph.n
    if wide and n > ROUNDS:
        return move_in_rounds(graph, labels, price, workers=workers)
    total = np.bincount(labels, graph.mass, n)
    if n > SCREENED and int(labels.max()) < n - 1:  # of nodes on their own all want to
        order = order[restless(graph, labels, price, workers=workers)[order]]
    return kernel.move(*graph[:4], labels, total, price, order, 1000 * n, 0, n)[1]


def refined(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    *,
    order: NDArray[np.int32],
    wide: bool,
    workers: Pool | None,
) -> tuple[NDArray[np.int32], int]:
    """Well-connected parts of the communities, and their number.

    The work is divided by communities, which changes nothing. If `wide`, as for :func:`settle`, it is divided into
    blocks of nodes where there are several: working space is then a block's, and the cut that a million cells of the
    benchmark need was only found with the smaller parts that blocks leave.
    """
    n = graph.n
    total = np.bincount(labels, graph.mass, n)
    parts = np.empty(n, np.int32)
    space = np.empty(n, np.float64), np.empty(n, np.uint8), np.empty(n, np.float64)
    shared = (*graph[:4], labels, total, price)
    ranges = blocks(graph)
    if wide and len(ranges) > 1:
        tasks = [(*shared, order[a:b], parts, *space, a, b) for a, b in ranges]
    else:
        start, places = by_label(labels[order], int(labels.max()) + 1)
        nodes = order[places]
        tasks = [(*shared, nodes[start[a] : start[b]], parts, *space, 0, n) for a, b in chunks(start, 16)]
    run(kernel.refine, tasks, workers)
    return aggregate.relabel(parts)


def descend(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    *,
    stream: tuple[int, ...],
    workers: Pool | None,
    wide: bool,
    cutting: bool = True,
    brief: bool = False,
    into: Room | None = None,
) -> tuple[NDArray[np.int32], int]:
    """Move, refine, collapse, and again on the smaller graph until nothing changes; labels, moves on the whole graph.

    Moving nodes one by one rarely cuts a large community in two, so whether two halves were once merged is left to
    the luck of the visiting order. Therefore, as soon as the collapsed graph is small enough, every community is also
    tried in two; if that and the moves after it raise the quality, it stays. Cuts that would gain only with a better
    border than the collapsed nodes allow are tried again on the whole graph (:func:`tried_in_two`). If it is to be
    `brief`, it ends where almost no node of the whole graph has moved. Collapsed graphs go `into` memory that is
    there, if it is given; then `graph` must not be needed afterwards should it lie there, too.
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
        moved.append(settle(graph, labels, price, order=order, wide=wide, workers=workers))
        labels, count = aggregate.relabel(labels)
        if count == n or (brief and not maps and moved[0] <= RESTLESS * n):
            break
        parts, n_parts = refined(graph, labels, price, order=order, wide=wide, workers=workers)
        if n_parts == n:
            break
        graph = collapsed(graph, parts, n_parts, workers=workers, into=into)
        maps.append(parts)
        above = np.empty(n_parts, np.int32)
        above[parts] = labels
        labels = above
        if cutting and n_parts <= enough:
            labels, halves = _cut(graph, labels, price, stream=stream, workers=workers, wide=wide)
            break
    for parts in reversed(maps):
        labels = labels[parts]
        halves = None if halves is None else halves[parts]
    if halves is None:
        return np.ascontiguousarray(labels), moved[0]
    return tried_in_two(whole, labels, halves, price=price, wide=wide, workers=workers), moved[0]


def _cut(
    graph: Graph,
    labels: NDArray[np.int32],
    price: float,
    *,
    stream: tuple[int, ...],
    workers: Pool | None,
    wide: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """The rest of a descent, with communities cut in two wherever that gains; and those cut where it nearly gains."""
    best, _ = descend(graph, labels, price, stream=(*stream, 1000), workers=workers, wide=wide, cutting=False)
    best = aggregate.relabel(best)[0]
    score = quality(graph, best, price, workers=workers)
    for i in range(CUTS + 1):
        halves, nearly = halved(graph, best, price, workers=workers)
        if halves is None or i == CUTS:
            break
        found, _ = descend(graph, halves, price, stream=(*stream, 1001 + i), workers=workers, wide=wide, cutting=False)
        better = quality(graph, found, price, workers=workers)
        if better <= score + 1e-9 * abs(score):
            break
        best, score = aggregate.relabel(found)[0], better
    return best, nearly


def halved(
    graph: Graph, labels: NDArray[np.int32], price: float, *, workers: Pool | None
) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]:
    """Labels (0, 1, ... on entry) with every community cut in two that gains by it, and with all that nearly gain.

    None where there are none.
    """
    count = int(labels.max()) + 1
    start, nodes = by_label(labels, count)
    place = np.empty(graph.n, np.int32)
    place[nodes] = np.arange(graph.n, dtype=np.int32)
    bounds = chunks(start, 16)
    tasks = [(*graph[:4], labels, start, nodes, place, price, SLACK, a, b) for a, b in bounds]
    found = run(bisect, tasks, workers)

    def cut(way: int) -> NDArray[np.int32] | None:
        fresh = count
        out = labels.copy()
        for half, owner in (ways[way] for ways in found):
            if len(half):
                turn = np.concatenate([[0], np.cumsum(np.diff(owner) != 0)])
                out[half] = fresh + turn
                fresh += int(turn[-1]) + 1
        return None if fresh == count or fresh > graph.n else out

    return cut(0), cut(1)


def tried_in_two(
    graph: Graph,
    labels: NDArray[np.int32],
    halves: NDArray[np.int32],
    *,
    price: float,
    wide: bool = False,
    workers: Pool | None = None,
) -> NDArray[np.int32]:
    """The better of `labels` and of `halves` with their borders improved, where only halves that gain are kept apart.

    `halves` numbers the second half of a community with a label that `labels` does not have.
    """
    partner = np.full(graph.n, -1, np.int32)
    partner[halves] = labels  # of every half the community it was cut from
    partner[: int(labels.max()) + 1] = -1
    new = halves.copy()
    order = np.arange(graph.n, dtype=np.int32)
    settle(graph, new, price, order=order, wide=wide, workers=workers)
    total = np.bincount(new, graph.mass, graph.n)
    gain = links(graph, new, partner, workers=workers) - price * total * np.where(partner < 0, 0, total[partner])
    back = np.where((partner >= 0) & (gain > 0), partner, np.arange(graph.n, dtype=np.int32))
    new = back[new]
    better, before = (quality(graph, x, price, workers=workers) for x in (new, labels))
    return new if better > before else labels
