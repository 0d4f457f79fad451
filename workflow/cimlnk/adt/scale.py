"""Antibody counts on the scale of cytometry: arcsinh of counts, where ten counts is the level of the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import Background

COFACTOR = 5.0
NOISE = 10.0  # counts of the noise on the scale of cytometry (populations.positivity, cytof.lineage)
STICKY = 0.5  # share of the isotype controls above their noise from which a cell binds antibodies unspecifically

Floats = NDArray[np.floating]


def to_scale(counts: Floats, background: Background) -> NDArray[np.float32]:
    """Put one sample's counts on the analysis scale.

    Parameters
    ----------
    counts
        Cells × antibodies.
    background
        Of the sample; an antibody without one becomes NaN.

    Returns
    -------
    numpy.ndarray
        arcsinh(10 count / noise / 5), float32. So all that reads cytometry (lineages, thresholds, names) reads antibody
        counts with a cofactor of 5: nothing is positive below the noise, twice the noise is bright, four times is
        unmistakable.

    Examples
    --------
    >>> b = Background(np.array([20.0]), np.array([60.0]), np.array([0.25]), ["negative mode"], [None])
    >>> [f"{v:.2f}" for v in to_scale(np.array([[60.0], [240.0]]), b).ravel()]
    ['1.44', '2.78']
    """
    with np.errstate(invalid="ignore"):
        values = np.arcsinh(NOISE / COFACTOR * counts / np.maximum(background.noise, 1.0))
    values[:, ~np.isfinite(background.noise)] = np.nan
    return values.astype(np.float32)


def sticky_cells(counts: Floats, background: Background, isotypes: list[int]) -> NDArray[np.bool_]:
    """Cells above the noise in at least half of the isotype controls: what they show may be bound by anything.

    No cell without isotype controls.
    """
    known = [j for j in isotypes if np.isfinite(background.noise[j])]
    if not known:
        return np.zeros(len(counts), bool)
    return (counts[:, known] > background.noise[known]).mean(axis=1) >= STICKY
