"""Distances of single cells from the thresholds, steadied by neighbours, those of the same cluster above all.

One cell's counts are too noisy to be positive or negative by, and a cluster's median hides that its cells lie on both
sides of a threshold. A mean over a cell's neighbours in the graph, with the cell itself for a quarter of it, lies
between. Who speaks, and how loudly:

- The more alike two cells are in all distances at once, the more one says about the other: exp(-d^2 / 2 h^2). A cell
  beside a border of one marker is told by the others on which side its like are. `h` is wide in the first round, while
  cells still carry their own noise, and narrow in those after it.
- A neighbour of another cluster has a tenth of the say. Clusters differ from seed to seed, so a border of theirs
  should not silence cells that are alike; but where markers are noisy and a population has few cells, most neighbours
  of its cells are others, and only the cluster keeps them apart.

Weights by likeness are the idea of the bilateral filter (Tomasi and Manduchi, ICCV 1998) and of non-local means (Buades
et al., CVPR 2005), on the graph's neighbours in place of an image's.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

ROUNDS = 4  # neighbours of neighbours, and so on: of 15 neighbours each, some hundred cells that lie near
FIRST, LATER = 3.0, 1.4  # h of the first round, of raw distances, and of the others, whose noise is averaged out
STRANGER = 0.1  # say of a neighbour of another cluster: with none, clusters cost names; with all, rare cells are lost
OWN = 0.25  # weight of the cell itself beside them: near a border it is of one side, whatever its neighbours are
FAR = 2.0  # distances beyond are equally far from a threshold
LEAST = -30.0  # log of the least likeness: where nobody is alike, float32 still holds the mean of those who are near
ROWS = 1_000  # cells compared with their neighbours at once, in a few MB

Floats = NDArray[np.floating]


def smoothed(
    values: Floats, indices: NDArray[np.int32], cluster: NDArray[np.integer], *, rounds: int = ROUNDS, first: int = 0
) -> tuple[Floats, Floats]:
    """Means of every cell and its neighbours by likeness and cluster, taken `rounds` times.

    Parameters
    ----------
    values
        Cells × columns, float32, distances from the thresholds on the analysis scale; NaN where a cell has none, which
        its neighbours fill.
    indices
        Cells × k places of the neighbours, the cell itself not among them.
    cluster
        Of every cell; a neighbour of another one weighs a tenth.
    rounds
        How often the means are taken of the means before.
    first
        From which cell on means are wanted: of the others only what those are made of is computed.

    Returns
    -------
    around, alone : (cells from `first` on, columns)
        Means in which the cell itself weighs 1, and the same with its neighbours alone in the last round. NaN where no
        cell that takes part has a value; without neighbours (k = 0) both are `values`.

    Examples
    --------
    >>> values = np.array([[0.0], [0.0], [2.0]], np.float32)
    >>> smoothed(values, np.array([[1], [0], [0]]), np.array([0, 0, 1]), rounds=1)[0].round(2).ravel().tolist()
    [0.0, 0.0, 1.850000023841858]
    """
    n, k = indices.shape
    if k == 0:  # one cell in all
        return values[first:], values[first:]
    known = np.isfinite(values)
    held = known.any(axis=0)
    if not held.all():  # columns that nobody has stay empty, and cost nothing
        out = np.full((2, n - first, values.shape[1]), np.nan, np.float32)
        out[:, :, held] = smoothed(np.ascontiguousarray(values[:, held]), indices, cluster, rounds=rounds, first=first)
        return out[0], out[1]
    same = cluster[indices] == cluster[:, None]
    gaps = np.flatnonzero(~known.all(axis=0))  # columns that some cells lack: the others need not be asked
    there = known[:, gaps]
    around, cut = np.where(known, values, np.float32(0)), np.clip(values, -FAR, FAR)
    for i, needed in enumerate(_needed(indices, first, rounds)):
        which, mine, own, alike = indices[needed], around[needed], cut[needed], same[needed]
        m = len(which)
        weight = np.empty((m, k), np.float32)
        for a in range(0, m, ROWS):
            rows = slice(a, a + ROWS)
            near = np.take(cut, which[rows], axis=0, mode="clip")  # the mode is four times as fast; all exist
            weight[rows] = _say(own[rows], near, alike[rows], gaps=gaps, width=LATER if i else FIRST)
        graph = sp.csr_matrix((weight.ravel(), which.ravel(), np.arange(0, m * k + 1, k)), shape=(m, n))
        total, heard = graph @ around, graph @ there.astype(np.float32)
        # with gaps added up in the order of the columns that have some
        count = graph @ np.ones((n, 1), np.float32) if len(gaps) else weight.sum(axis=1)[:, None]
        if i == rounds - 1:
            alone = total / count
            alone[:, gaps] = _ratio(total[:, gaps], heard)
        total += mine
        joined = total / (count + np.float32(1))
        joined[:, gaps] = _ratio(total[:, gaps], heard + there[needed])
        if i == rounds - 1:
            return joined, alone
        cut[needed] = np.clip(joined, -FAR, FAR)
        there[needed] = np.isfinite(joined[:, gaps])
        joined[:, gaps] = np.nan_to_num(joined[:, gaps])
        around[needed] = joined
        left = ~there.all(axis=0)
        gaps, there = gaps[left], there[:, left]
    return values[first:], values[first:]  # no rounds


def _needed(indices: NDArray[np.int32], first: int, rounds: int) -> list[slice | NDArray[np.intp]]:
    """The cells whose means are needed in each round: in the last those from `first` on, before it their neighbours,
    too, and so on."""
    if first == 0:
        return [slice(None)] * rounds
    needed = np.zeros(len(indices), bool)
    needed[first:] = True
    found = [np.flatnonzero(needed)]
    for _ in range(rounds - 1):
        needed[indices[found[-1]].ravel()] = True
        found.append(np.flatnonzero(needed))
    return list(reversed(found))


def _ratio(total: Floats, count: Floats) -> Floats:
    return np.divide(total, count, out=np.full(total.shape, np.nan, np.float32), where=count > 0)


def _say(own: Floats, near: Floats, same: NDArray[np.bool_], *, gaps: NDArray[np.intp], width: float) -> Floats:
    """Weights (m × k) of the neighbours (m × k × columns; both cut at FAR) of m cells; a column that one of two cells
    lacks, which is one of `gaps`, does not count between them. `near` is overwritten."""
    near -= own[:, None]
    for column in gaps:
        np.copyto(near[:, :, column], 0, where=np.isnan(near[:, :, column]))
    alike = np.einsum("ijk,ijk->ij", near, near)
    alike *= np.float32(-0.5 / width**2)
    np.exp(np.maximum(alike, np.float32(LEAST), out=alike), out=alike)
    alike *= np.where(same, np.float32(1), np.float32(STRANGER))
    return alike


def beside(mine: Floats, near: Floats, same: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """:func:`steadied` for cells outside of the graph, of which their nearest cells in it speak, in one round.

    Parameters
    ----------
    mine
        m × columns, the cells' own values.
    near
        m × k × columns, those of the nearest cells of the graph, steadied already.
    same
        m × k, whether these are of the same cluster.

    Returns
    -------
    around, alone : (m, columns)
        As of :func:`steadied`.
    """
    known, there = np.isfinite(mine), np.isfinite(near)
    gaps = np.flatnonzero(~(known.all(axis=0) & there.all(axis=(0, 1))))
    weight = _say(np.clip(mine, -FAR, FAR), np.clip(near, -FAR, FAR), same, gaps=gaps, width=FIRST)
    total = np.einsum("ij,ijk->ik", weight, np.where(there, near, np.float32(0)))
    count = np.einsum("ij,ijk->ik", weight, there.astype(np.float32))
    joined = _ratio(total + np.where(known, mine, np.float32(0)), count + known.astype(np.float32))
    return _with_own(mine, joined), _ratio(total, count)


def steadied(
    values: Floats, indices: NDArray[np.int32], cluster: NDArray[np.integer], *, first: int = 0
) -> tuple[Floats, Floats]:
    """Values that a cell is named by: a quarter its own, the rest smoothed over its neighbours.

    Parameters
    ----------
    values, indices, cluster, first
        As of :func:`smoothed`.

    Returns
    -------
    around, alone : (cells from `first` on, columns)
        These values; and what the neighbours alone say, so that a cell that is unlike all of them by its own noise does
        not confirm itself.
    """
    around, alone = smoothed(values, indices, cluster, first=first)
    return _with_own(values[first:], around), alone


def _with_own(own: Floats, around: Floats) -> Floats:
    """Both by their weights; what is around alone where the cell has no value."""
    return np.where(np.isfinite(own), np.float32(OWN) * own + np.float32(1 - OWN) * around, around)
