"""Neighbourhoods on the graph: representative places, their cells, and how many of each sample are there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

_HOPS = 8


class Neighbourhoods(NamedTuple):
    """Overlapping sets of cells.

    Attributes
    ----------
    centre : (u,)
        Row of the cell in the middle.
    members, start : (m,), (u + 1,)
        Rows of the cells of neighbourhood i: ``members[start[i]:start[i + 1]]``, nearest first, the centre included.
    radius : (u,)
        Distance from the centre to the farthest member.
    """

    centre: NDArray[np.int64]
    members: NDArray[np.int64]
    start: NDArray[np.int64]
    radius: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.start)


def find_neighbourhoods(
    features: NDArray[np.floating],
    neighbours: NDArray[np.integer],
    *,
    size: int,
    share: float = 0.05,
    most: int = 1500,
    seed: int = 0,
) -> Neighbourhoods:
    """Draw cells, move each to the middle of its surroundings, and collect the `size` cells around it.

    As in Milo (Dann 2022, Nat Biotechnol 40:245) random cells are refined to the cell nearest to the median profile
    of their neighbours, which gives fewer and more typical places. Milo's neighbourhood is a cell's k neighbours, so
    it must rebuild the graph with a k that grows with the number of samples; here the graph of the clustering stays
    and the neighbourhood grows along its edges until it has enough cells, then keeps the nearest.

    Parameters
    ----------
    features : (cells, d)
    neighbours : (cells, k)
        Nearest neighbours of every cell, itself not included.
    size
        Cells per neighbourhood (fewer where the graph's component is smaller).
    share, most
        Cells drawn: `share` of all, at most `most`.

    Returns
    -------
    Neighbourhoods
        In the order of the centres' rows; the same for a seed whatever the threads.
    """
    n = len(features)
    drawn = max(1, min(most, round(share * n)))
    picked = np.sort(rng(seed, "neighbourhoods").choice(n, drawn, replace=False))
    centres = np.unique([_refined(features, neighbours, int(c)) for c in picked])
    members, radius = [], []
    for centre in centres:
        near, distance = _around(features, neighbours, int(centre), size=size)
        members.append(near)
        radius.append(distance)
    start = np.concatenate([[0], np.cumsum([len(m) for m in members])])
    return Neighbourhoods(centres, np.concatenate(members), start, np.array(radius))


def _refined(features: NDArray[np.floating], neighbours: NDArray[np.integer], cell: int) -> int:
    around = np.unique(np.append(neighbours[cell], cell))
    block = np.asarray(features[around], dtype=np.float64)
    return int(around[((block - np.median(block, axis=0)) ** 2).sum(axis=1).argmin()])


def _around(
    features: NDArray[np.floating], neighbours: NDArray[np.integer], centre: int, *, size: int
) -> tuple[NDArray[np.int64], float]:
    """The `size` cells nearest to `centre` among those reached along edges, nearest first, and the last distance."""
    reached = np.unique(np.append(neighbours[centre], centre))
    for _ in range(_HOPS):
        if len(reached) >= 2 * size:  # twice as many, so that the nearest `size` are not cut short by the edges' order
            break
        further = np.unique(np.append(neighbours[reached].ravel(), reached))
        if len(further) == len(reached):
            break
        reached = further
    block = np.asarray(features[reached], dtype=np.float64)
    distance = np.sqrt(((block - np.asarray(features[centre], dtype=np.float64)) ** 2).sum(axis=1))
    order = np.lexsort((reached, distance))[:size]
    return reached[order].astype(np.int64), float(distance[order[-1]])


def count_samples(found: Neighbourhoods, sample: NDArray[np.integer], n_samples: int) -> NDArray[np.int64]:
    """Neighbourhoods x samples: cells of every sample in every neighbourhood."""
    which = np.repeat(np.arange(len(found.centre)), found.sizes)
    flat = which * n_samples + sample[found.members]
    return np.bincount(flat, minlength=len(found.centre) * n_samples).reshape(-1, n_samples)


def majority(found: Neighbourhoods, label: NDArray) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The most frequent label of every neighbourhood (ties: first in the alphabet) and its share."""
    names, codes = np.unique(label.astype(str), return_inverse=True)
    counts = count_samples(found, codes.ravel(), len(names))
    best = counts.argmax(axis=1)
    return names[best].astype(object), counts.max(axis=1) / found.sizes
