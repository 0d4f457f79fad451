"""Time to choose the resolution: ten with twenty subsamples each, ``sweep.py DATA CELLS [STABILITY_CELLS]``.

Without STABILITY_CELLS the subsamples are drawn from the whole graph. Neighbours and weights are not counted.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from data import make

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "workflow"))

from cimlnk.graph import choose_resolution, knn, weights  # noqa: E402

RESOLUTIONS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.5)


def main() -> None:
    data, cells = sys.argv[1], int(sys.argv[2])
    of = int(sys.argv[3]) if len(sys.argv) > 3 else cells
    X = np.load(f"{make(ROOT / 'out' / 'data', data, cells)}_X.npy")
    lists = knn(X, 15)
    W = weights(lists)
    wall, cpu = time.perf_counter(), time.process_time()
    found = choose_resolution(W, X, RESOLUTIONS, n_subsamples=20, order=lists.order, stability_cells=of)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{data} {cells:,}, subsamples of {found.cells:,}: {wall:.0f} s, {cpu:.0f} CPU s; "
        f"resolution {found.resolution:g}, {found.labels.max() + 1} clusters, {found.verdict}"
    )


main()
