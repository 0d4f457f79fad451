"""Leiden's longest thread for several numbers of threads, from one busy core: ``critical.py DATA CELLS [RESOLUTION]``.

Every task of every parallel section is timed (CPU time of the thread) while all are done one after the other; then
the tasks are packed in their order onto so many threads, and the longest thread of every section and all serial work
are added up. Waiting and memory bandwidth are not counted. Printed for nodes moved one by one and in rounds.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data import make

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "workflow"))

from cimlnk.graph import communities, knn, leiden, leiden_passes, rounds, tasks, weights  # noqa: E402
from cimlnk.graph.kernels import rounds as kernel  # noqa: E402

THREADS = (2, 4, 8, 16)


class Timed(tasks.Pool):
    """Does all tasks in the calling thread and keeps their times by section."""

    def __init__(self) -> None:
        self.threads = 1
        self.sections: list[list[float]] = []

    def run(self, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        results, spent = [], []
        for task in tasks:
            start = time.thread_time()
            results.append(function(*task))
            spent.append(time.thread_time() - start)
        self.sections.append(spent)
        return results


def phase_by_phase(graph: Any, labels: Any, price: float, *, workers: Any, sweeps: int = rounds.SWEEPS) -> int:
    """What ``rounds.move_in_rounds`` does, with every phase a section of its own."""
    n = graph.n
    place = labels, np.bincount(labels, graph.mass, n), np.bincount(labels, minlength=n).astype(np.int32)
    most = n // kernel.GROUPS + 1
    nodes, wish, moved = (np.empty(most, np.int32) for _ in range(3))
    stay, go = (np.empty(most, np.float32) for _ in range(2))
    active, empty = np.ones(n, np.uint8), np.empty(n, np.int32)
    n_empty, moves = kernel.vacancies(place[2], empty), 0
    step = max(32, rounds.STEP * n // max(1, len(graph.ix)))
    for sweep in range(sweeps):
        for turn in range(kernel.GROUPS):
            count = kernel.due(active, sweep, turn, nodes)
            shared = (*graph[:4], *place, price, nodes, wish, stay, go)
            workers.run(kernel.wishes, [(*shared, a, b) for a, b in tasks.pieces(count, step)])
            state = (graph.mass, *place, price, empty, n_empty, active, moved)
            n_moved, n_empty = kernel.apply(nodes, count, wish, stay, go, *state)
            shared = (*graph[:2], labels, moved, active)
            workers.run(kernel.wake, [(*shared, a, b) for a, b in tasks.pieces(n_moved, step)])
            moves += n_moved
        if np.count_nonzero(active) <= rounds.QUIET * n:
            break
    return moves


def longest(spent: list[float], threads: int) -> float:
    """The longest of `threads` threads that take the tasks in order, each as soon as it is free."""
    busy = [0.0] * threads
    for t in spent:
        busy[busy.index(min(busy))] += t
    return max(busy)


def main() -> None:
    data, cells = sys.argv[1], int(sys.argv[2])
    resolution = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    stem = make(ROOT / "out" / "data", data, cells)
    lists = knn(np.load(f"{stem}_X.npy"), 14)
    W = weights(lists, ordered=True)
    leiden_passes.move_in_rounds = phase_by_phase
    for wide in (False, True):
        best: tuple[float, list[float]] | None = None
        for _ in range(3):  # the first compiles
            timed = Timed()

            @contextmanager
            def only(threads: int | None = None, timed: Timed = timed) -> Iterator[Timed]:
                yield timed

            communities.pool = only
            start = time.thread_time()
            found = leiden(W, resolution, order=lists.order, ordered=True, rounds=wide)
            total = time.thread_time() - start
            serial = total - sum(map(sum, timed.sections))
            if best is None or total < best[0]:
                best = total, [serial + sum(longest(s, t) for s in timed.sections) for t in THREADS]
        assert best is not None
        digest = hashlib.sha256(found.labels.tobytes()).hexdigest()[:12]
        many = ", ".join(f"{t}: {x:.2f} ({best[0] / x:.2f} x)" for t, x in zip(THREADS, best[1], strict=True))
        way = "in rounds" if wide else "one by one"
        print(f"{data} {cells:,} {way}: modularity {found.quality:.5f}, {digest}, {best[0]:.2f} CPU s; threads {many}")


main()
