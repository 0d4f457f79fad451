"""Local moving of many nodes side by side, with the same result for every number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import rounds as kernel
from .kernels import team
from .network import Graph, run
from .tasks import Pool, pieces

STEP = 16_384  # about so many edges make one piece of work; what nodes wish does not depend on it
QUIET = 0.002  # share of active nodes below which the moving ends
SWEEPS = 100  # at most; graphs of cells need 5 to 20


def move_in_rounds(
    graph: Graph, labels: NDArray[np.int32], price: float, *, workers: Pool | None, sweeps: int = SWEEPS
) -> int:
    """Move nodes to the communities where they gain most until almost none wants to; changes `labels` in place.

    At most so many `sweeps` over all nodes are made. Returns the number of moves.
    """
    n = graph.n
    place = labels, np.bincount(labels, graph.mass, n), np.bincount(labels, minlength=n).astype(np.int32)
    most = n // kernel.GROUPS + 1
    room = *(np.empty(most, np.int32) for _ in range(3)), *(np.empty(most, np.float32) for _ in range(2))
    step = max(32, STEP * n // max(1, len(graph.ix)))
    state = np.zeros(team.STATE, np.int64)
    shared = (*graph[:4], price), place, np.ones(n, np.uint8), room, np.empty(n, np.int32)
    call = (state, step, sweeps, int(QUIET * n), *shared)
    size = kernel.places(int(np.diff(graph.indptr).max(initial=0)))
    # all memory is asked for here: a thread that got none on its way would leave the others waiting
    tables = [kernel.table(size) for _ in range(1 if workers is None else workers.threads)]
    return sum(run(kernel.sweeps, [(*call, own) for own in tables], workers))


def restless(graph: Graph, labels: NDArray[np.int32], price: float, *, workers: Pool | None) -> NDArray[np.bool_]:
    """The nodes that would move if nothing else did."""
    n = graph.n
    total = np.bincount(labels, graph.mass, n)
    size = np.bincount(labels, minlength=n).astype(np.int32)
    wish = np.empty(n, np.int32)
    stay, go = np.empty(n, np.float32), np.empty(n, np.float32)
    nodes = np.arange(n, dtype=np.int32)
    shared = (*graph[:4], labels, total, size, price, nodes, wish, stay, go)
    spread(kernel.wishes, shared, n, step=max(32, STEP * n // max(1, len(graph.ix))), workers=workers)
    return wish != labels


def spread(
    function: Callable[..., Any], shared: tuple[Any, ...], count: int, *, step: int, workers: Pool | None
) -> None:
    """``function(*shared, a, b)`` over 0..count, in pieces of `step` side by side where there is more than one."""
    if workers is None or count <= step:
        function(*shared, 0, count)
    else:
        workers.run(function, [(*shared, a, b) for a, b in pieces(count, step)])
