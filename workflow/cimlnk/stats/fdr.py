"""False discovery rates: plain, and weighted for overlapping neighbourhoods."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spatial_fdr(p: ArrayLike, radius: ArrayLike) -> NDArray[np.float64]:
    """Benjamini-Hochberg with neighbourhoods weighted by the inverse of their size in space.

    Neighbourhoods overlap most where cells are dense, so each is counted by the volume it stands for: weight is
    1 / distance to its farthest cell (Lun 2017, Nat Methods 14:707, for hyperspheres; Dann 2022, Nat Biotechnol
    40:245, for graphs).

    Parameters
    ----------
    p
        p values, NaN where there is none.
    radius
        Distance from the index cell to the farthest member, > 0 (a radius of 0, all duplicates, counts as the
        smallest positive one).

    Returns
    -------
    array
        Adjusted p values, NaN where `p` is NaN.
    """
    r = np.asarray(radius, dtype=float)
    positive = r[r > 0]
    r = np.maximum(r, positive.min()) if positive.size else np.ones_like(r)
    return _weighted_bh(np.asarray(p, dtype=float), 1 / r)


def fdr(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p values over the finite entries of `p`; NaN stays NaN.

    Examples
    --------
    >>> from cimlnk.stats.fdr import fdr
    >>> fdr([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    values = np.asarray(p, dtype=float)
    return _weighted_bh(values, np.ones_like(values))


def _weighted_bh(p: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    if known.size == 0:
        return adjusted
    order = known[np.argsort(p[known], kind="stable")]
    w = weights[order]
    raised = w.sum() * p[order] / np.cumsum(w)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(raised[::-1])[::-1])
    return adjusted
