"""Modularity of the Leiden implementations on one graph over seeds: ``leiden.py DATA CELLS SEEDS [RESOLUTION]``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from data import make

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "workflow"))

from cimlnk.graph import knn, leiden, weights  # noqa: E402


def main() -> None:
    data, cells, seeds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resolution = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
    stem = make(ROOT / "out" / "data", data, cells)
    lists = knn(np.load(f"{stem}_X.npy"), 14)
    W = weights(lists)
    for backend, n in (("cimlnk", None), ("igraph", 2)):
        start = time.process_time()
        found = [
            leiden(W, resolution, seed=s, n_iterations=n, backend=backend, order=lists.order) for s in range(seeds)
        ]
        q = [p.quality for p in found]
        spent = (time.process_time() - start) / seeds
        print(
            f"{data} {cells:,} {backend}: {min(q):.5f} to {max(q):.5f} over {seeds} seeds, {spent:.2f} CPU s",
            flush=True,
        )


main()
