"""Where the engine's time goes: ``stages.py [DATA:CELLS,... [REPEATS [THREADS]]]``, all in one process.

For every matrix (by default the six that its speed is judged on) the median wall and CPU seconds of neighbours, weights
and Leiden over the repeats, after a first call that is not counted; then of the steps inside them, the sum of all calls
of each in one repeat. Recall is measured on 1,000 rows that the search did not see, modularity on the engine's own
graph; a hash of the labels shows whether anything changed. ``CIMLNK_BENCH_DATA`` names the folder of the matrices.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402  (the thread number above must be set first)

from data import make  # noqa: E402

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "workflow"))

from cimlnk.graph import communities, edges, knn, leiden, leiden_passes, nearest, search, weights  # noqa: E402
from cimlnk.graph import mutual_search as mutual  # noqa: E402

DATA = Path(os.environ.get("CIMLNK_BENCH_DATA", ROOT / "out" / "data"))
SIX = "cytof:1000000,rna:300000,bcrxl:172791,plex:100000,dcmononk:77737,imubac:74253"
K = 15
STEPS = {
    nearest: ("checked", "crowds", "Index", "self_search"),
    search.Index: ("_partition", "in_words", "cells_in_reach", "calibrated", "scanned", "probed"),
    mutual: ("calibrated", "compared", "backward", "through"),
    edges: ("_weights",),
    leiden_passes: ("rough", "settle", "refined", "collapsed", "halved", "_cut", "tried_in_two"),
    communities: ("weighed", "optimise", "connected", "quality", "by_size"),
}


class Clock:
    """Wall and CPU seconds by name."""

    def __init__(self) -> None:
        self.spent: dict[str, list[list[float]]] = defaultdict(list)

    def __call__(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = function(*args, **kwargs)
        self.spent[name].append([time.perf_counter() - wall, time.process_time() - cpu])
        return result

    def watch(self, owner: Any, name: str) -> None:
        """Have every call of a function counted."""
        inner = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            return self(f"  {name}", inner, *args, **kwargs)

        setattr(owner, name, counted)

    def reset(self) -> dict[str, tuple[float, float, int]]:
        """Sums and number of calls by name since the last time."""
        sums = {n: (sum(x[0] for x in v), sum(x[1] for x in v), len(v)) for n, v in self.spent.items()}
        self.spent.clear()
        return sums


def truth(stem: Path, X: Any) -> tuple[Any, Any]:
    """Random rows and the distances of their K-th neighbours, kept in a file beside where this runs."""
    kept = ROOT / "out" / "truth" / f"{stem.name}.npz"
    if not kept.exists():
        rows = np.random.default_rng(1).choice(len(X), 1000, replace=False)
        square = np.einsum("ij,ij->i", X, X)
        kth = np.empty(len(rows), np.float32)
        for a in range(0, len(rows), 50):
            q = rows[a : a + 50]
            d = square[None] + square[q, None] - 2 * X[q] @ X.T
            d[np.arange(len(q)), q] = np.inf
            near = np.argpartition(d, K + 5, axis=1)[:, : K + 6]
            exact = np.sort(np.square(X[near] - X[q][:, None]).sum(axis=2), axis=1)
            kth[a : a + 50] = np.sqrt(exact[:, K - 1])
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, rows=rows, kth=kth)
    with np.load(kept) as z:
        return z["rows"], z["kth"]


def main() -> None:
    wanted = (sys.argv[1] if len(sys.argv) > 1 else SIX).split(",")
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    clock = Clock()
    for owner, names in STEPS.items():
        for name in names:
            if hasattr(owner, name):
                clock.watch(owner, name)
    for one in wanted:
        data, cells = one.split(":")
        stem = DATA / f"{data}_{cells}"
        if not Path(f"{stem}_X.npy").exists():
            stem = make(DATA, data, int(cells))
        X = np.load(f"{stem}_X.npy")
        runs = []
        for _ in range(repeats + 1):
            clock.reset()
            lists = clock("neighbours", knn, X, K, threads=threads)
            W = clock("weights", weights, lists, threads=threads, k=K - 1, ordered=True)
            found = clock("leiden", leiden, W, order=lists.order, threads=threads, ordered=True)
            runs.append(clock.reset())
        runs = runs[1:] or runs
        rows, kth = truth(stem, X)
        reached = float((lists.distances[rows] <= kth[:, None] * (1 + 1e-5)).mean())
        total = [
            statistics.median(sum(r[s][i] for s in ("neighbours", "weights", "leiden")) for r in runs) for i in (0, 1)
        ]
        digest = hashlib.sha256(found.labels.tobytes()).hexdigest()[:12]
        print(
            f"{data} {cells}: {total[0]:.3f} s, {total[1]:.3f} CPU s; recall {reached:.4f}, budget {lists.effort}, "
            f"modularity {found.quality:.5f}, {found.n_clusters} clusters, {digest}",
            flush=True,
        )
        for name in sorted(runs[0], key=lambda n: -runs[0][n][0]):
            wall, cpu = (statistics.median(r[name][i] for r in runs if name in r) for i in (0, 1))
            print(f"    {name:<16} {wall:7.3f} s {cpu:7.3f} CPU s {runs[0][name][2]:4d} calls")


main()
