"""Where the cells of two time points lie among each other: identity that does not depend on how each was cut up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
    near: NDArray[np.integer],
    later: NDArray[np.bool_],
    label: NDArray[np.integer],
    *,
    patient: NDArray[np.integer],
    shape: tuple[int, int, int],
) -> Mixing:
    """Count, for the cells of two time points together, neighbours of the other time point by cluster.

    Parameters
    ----------
    near : (cells, k)
        Nearest other cells of every cell of both time points (:func:`.near.within`).
    later
        Which of them are of the later one.
    label, patient
        Own cluster of the time point, and patient, of every cell.
    shape
        Patients, clusters of the earlier, clusters of the later time point.
    """
    n, s, t = shape
    k = near.shape[1]
    across = later[near] != later[:, None]
    who, whom = np.repeat(np.arange(len(near)), across.sum(axis=1)), near[across]
    counted = []
    for asked in (True, False):
        own = later[who] == asked
        i, j = (whom[own], who[own]) if asked else (who[own], whom[own])
        flat = (patient[who[own]] * s + label[i]) * t + label[j]
        chance = max((later != asked).mean() * k, 1e-12)
        counted.append(np.bincount(flat, minlength=n * s * t).reshape(n, s, t) / chance)
    asked_later = np.bincount(patient[later] * t + label[later], minlength=n * t).reshape(n, t)
    asked_earlier = np.bincount(patient[~later] * s + label[~later], minlength=n * s).reshape(n, s)
    return Mixing(counted[0], counted[1], asked_later.astype(float), asked_earlier.astype(float))
