"""Clusters of one time point that stand apart: parts of one cloud of cells are put together again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WINDOW = 0.15  # half width of the places where density is compared, in units of the distance of the two means


def valley(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Density between two sets of cells over the lower of the densities at their means, on the line through both.

    Near 0 for two clouds with a gap, about 1 or more for two parts of one cloud. Each set counts by its own size: else
    the fringe of a large cluster would outweigh a small one's middle, and every small cluster would be a part of it.

    Parameters
    ----------
    first, second : (cells, d)
    """
    a, b = first.mean(axis=0), second.mean(axis=0)
    gap = b - a
    length = float((gap**2).sum())
    if length == 0:
        return float("inf")
    places = [(cells - a) @ gap / length for cells in (first, second)]
    density = [sum(float((np.abs(p - at) <= _WINDOW).mean()) for p in places) for at in (0.0, 0.5, 1.0)]
    return density[1] / max(min(density[0], density[2]), 1e-12)


def merge_unseparated(
    x: NDArray[np.floating], label: NDArray[np.integer], *, most: float = 0.75, siblings: int = 3
) -> NDArray[np.int64]:
    """Merge clusters without a valley between them, nearest pairs first.

    Community detection cuts a homogeneous population too, each time elsewhere; such parts have no identity that
    could be followed. The pairs looked at are every cluster and its `siblings` nearest ones.

    Parameters
    ----------
    x : (cells, d)
    label : (cells,)
    most
        Clusters with a :func:`valley` above this are merged.

    Returns
    -------
    Labels from 0, the largest cluster first.
    """
    label = np.asarray(label, dtype=np.int64).copy()
    checked: dict[tuple[int, int], float] = {}
    while True:
        names = np.unique(label)
        if len(names) < 2:
            break
        mean = np.stack([x[label == k].mean(axis=0) for k in names])
        distance = ((mean[:, None] - mean[None]) ** 2).sum(axis=-1)
        np.fill_diagonal(distance, np.inf)
        near = np.argsort(distance, axis=1, kind="stable")[:, : min(siblings, len(names) - 1)]
        pairs = sorted({(min(i, j), max(i, j)) for i, row in enumerate(near.tolist()) for j in row})
        pairs.sort(key=lambda p: distance[p])
        for i, j in pairs:
            key = (int(names[i]), int(names[j]))
            if key not in checked:
                checked[key] = valley(x[label == names[i]], x[label == names[j]])
            if checked[key] > most:
                label[label == names[j]] = names[i]
                checked = {k: v for k, v in checked.items() if not {*k} & {*key}}
                break
        else:
            break
    names, inverse, counts = np.unique(label, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return rank[inverse.ravel()]
