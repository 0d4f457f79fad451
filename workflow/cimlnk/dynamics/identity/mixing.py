"""Where the cells of two time points lie among each other: identity that does not depend on how each was cut up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEIGHBOURS = 15


class Mixing(NamedTuple):
    """Neighbours across time, by the patient whose cells were asked.

    Attributes
    ----------
    forward : (patients, s, t)
        For the later cells of a cluster: neighbours that are earlier cells of a cluster, relative to chance mixing.
    backward : (patients, s, t)
        For the earlier cells of a cluster: neighbours that are later cells of a cluster.
    later, earlier : (patients, t), (patients, s)
        Cells asked.
    """

    forward: Floats
    backward: Floats
    later: Floats
    earlier: Floats

    def shares(self, weight: Floats) -> tuple[Floats, Floats]:
        """Forward and backward share of neighbours (s x t), 1 = as many as thorough mixing gives."""
        ahead = np.maximum((weight[:, None] * self.later).sum(axis=0), 1e-12)[None]
        back = np.maximum((weight[:, None] * self.earlier).sum(axis=0), 1e-12)[:, None]
        w = weight[:, None, None]
        return (w * self.forward).sum(axis=0) / ahead, (w * self.backward).sum(axis=0) / back


def mixing(
    features: NDArray[np.floating],
    later: NDArray[np.bool_],
    label: NDArray[np.integer],
    *,
    patient: NDArray[np.integer],
    shape: tuple[int, int, int],
    threads: int = 1,
) -> Mixing:
    """Count, for the cells of two time points together, neighbours of the other time point by cluster.

    Parameters
    ----------
    features : (cells, d)
        Cells of both time points.
    later
        Which of them are of the later one.
    label, patient
        Own cluster of the time point, and patient, of every cell.
    shape
        Patients, clusters of the earlier, clusters of the later time point.
    """
    from cimlnk.graph import knn

    n, s, t = shape
    k = min(NEIGHBOURS, len(features) - 1)
    near = knn(np.ascontiguousarray(features, dtype=np.float32), k=k, recall=1.0, threads=threads).indices
    forward, backward = np.zeros((n, s, t)), np.zeros((n, s, t))
    for asked, counted in ((True, forward), (False, backward)):
        rows = np.flatnonzero(later == asked)
        others = near[rows]
        across = later[others] != asked
        chance = (later != asked).mean() * k
        who = np.repeat(rows, across.sum(axis=1))
        whom = others[across]
        i, j = (label[whom], label[who]) if asked else (label[who], label[whom])
        np.add.at(counted, (patient[who], i, j), 1 / chance)
    asked_later, asked_earlier = np.zeros((n, t)), np.zeros((n, s))
    np.add.at(asked_later, (patient[later], label[later]), 1)
    np.add.at(asked_earlier, (patient[~later], label[~later]), 1)
    return Mixing(forward, backward, asked_later, asked_earlier)
