"""Variances of many features shrunk towards each other: few patients, many rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


def squeeze_variances(s2: Floats, df: Floats) -> tuple[Floats, float, float]:
    """Shrink variances towards a common value (empirical Bayes; Smyth 2004, SAGMB 3:3).

    Parameters
    ----------
    s2, df
        Variances and their degrees of freedom, one per row; rows with ``s2 <= 0`` or ``df <= 0`` do not inform the
        prior.

    Returns
    -------
    posterior variances, prior variance, prior degrees of freedom
        Prior df is ``inf`` if the variances differ by no more than chance, 0 if fewer than 3 rows inform it.
    """
    use = (s2 > 0) & (df > 0) & np.isfinite(s2)
    if use.sum() < 3:
        return s2.copy(), float("nan"), 0.0
    x, d = s2[use], df[use]
    x = np.maximum(x, 1e-5 * np.median(x))
    e = np.log(x) - special.digamma(d / 2) + np.log(d / 2)
    mean = e.mean()
    excess = ((e - mean) ** 2).sum() / (len(e) - 1) - special.polygamma(1, d / 2).mean()
    if excess > 0:
        df0 = 2 * _trigamma_inverse(float(excess))
        s20 = float(np.exp(mean + special.digamma(df0 / 2) - np.log(df0 / 2)))
    else:
        df0, s20 = float("inf"), float(np.exp(mean))
    if np.isinf(df0):
        posterior = np.where(np.isfinite(s2), s20, s2)
    else:
        posterior = (df0 * s20 + df * s2) / (df0 + df)
    return posterior, s20, df0


def effective_rows(residual: Floats) -> float:
    """To how many independent rows the variances of correlated rows amount (between 1 and their number).

    Sums of squares of two rows correlate by the squared correlation of the rows; the mean of R of them is as sure as
    that of R² / Σ ρ² independent ones. Squared correlations of few values are freed of what chance adds to them.

    Parameters
    ----------
    residual : (rows, values)
        Centred; NaN where there is no value.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = np.random.default_rng(1).normal(size=(30, 6))
    >>> effective_rows(np.tile(drawn[:1], (30, 1))), bool(effective_rows(drawn) > 15)
    (1.0, True)
    """
    known = np.isfinite(residual)
    value = np.where(known, residual, 0.0)
    size = np.sqrt((value**2).sum(axis=1))
    value, known = value[size > 0] / size[size > 0, None], known[size > 0]
    rows = len(value)
    if rows < 2:
        return 1.0
    df = float(np.median(known.sum(axis=1))) - 1.0
    if df <= 1:
        return 1.0
    gram = value.T @ value  # values × values: as many squares as rows × rows, and far smaller
    off = float((gram**2).sum()) - rows
    shared = max((df * off - rows * (rows - 1)) / (df - 1), 0.0)
    return max(rows**2 / (rows + shared), 1.0)


def _trigamma_inverse(x: float) -> float:
    """Solve trigamma(y) = x by Newton's method on 1/trigamma, which is nearly linear in y."""
    if x > 1e7:
        return 1 / np.sqrt(x)
    if x < 1e-6:
        return 1 / x
    y = 0.5 + 1 / x
    for _ in range(50):
        tri = float(special.polygamma(1, y))
        step = tri * (1 - tri / x) / float(special.polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y
