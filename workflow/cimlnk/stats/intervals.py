"""Intervals of shares, of products and of ratios, from variances of different origin. Array functions only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]
Z95 = 1.959963984540054  # standard errors from the middle of a normal distribution to the ends of its 95 % interval


def label_variance(cells: Array, moved: Array, doubt: Array, *, root_doubt: Array, correlation: float) -> Array:
    """Variance of the number of cells of each population when labels are uncertain.

    Every cell leaves its population with probability 1 - confidence, and joins another one in proportion to the sizes
    of the others. Cells do not err independently: the same boundary moves for all of them, so the moves have an
    intraclass correlation (as in a beta-binomial count), without which the variance of a million cells would vanish.

    Parameters
    ----------
    cells
        Cells per sample and population, samples × populations.
    moved
        Sum of 1 - c over the cells of each entry, c the confidence in the label.
    doubt
        Sum of c (1 - c).
    root_doubt
        Sum of sqrt(c (1 - c)).
    correlation
        Intraclass correlation of labelling errors, 0 to 1.

    Returns
    -------
    Array
        Variance of the cell counts, samples × populations.
    """
    out = (1.0 - correlation) * doubt + correlation * root_doubt**2
    total = cells.sum(axis=1, keepdims=True)
    others = np.maximum(total - cells, 1.0)
    arrivals = np.zeros_like(cells)
    for source in range(cells.shape[1]):
        share = cells / others[:, [source]]
        share[:, source] = 0.0
        arrivals += out[:, [source]] * share**2 + (1.0 - correlation) * moved[:, [source]] * share * (1.0 - share)
    return out + arrivals


def share_interval(
    n_cells: ArrayLike,
    n_total: ArrayLike,
    *,
    overdispersion: float,
    variance: ArrayLike = 0.0,
    gate_sd: ArrayLike = 0.0,
    level: float = 0.95,
) -> tuple[Array, Array, Array]:
    """Share, and its interval from a beta distribution with the moments of all errors together.

    Counting error is beta-binomial with intraclass correlation `overdispersion` (tube-to-tube variation: at zero a file
    of a million cells would claim six digits). `variance` (of the cell count, from labels) and `gate_sd` (standard
    deviation of log n_total from the gate's uncertainty, which moves the log odds by as much) are added. The limits are
    Jeffreys' (Brown, Cai & DasGupta 2001, Stat Sci 16:101) at the effective number of cells that matches the total
    variance: the lower limit is 0 for no cells, the upper 1 for all.

    Returns
    -------
    tuple of Array
        share, low, high; NaN where n_total is 0 or NaN.
    """
    y, n = np.broadcast_arrays(np.asarray(n_cells, float), np.asarray(n_total, float))
    known = np.isfinite(y) & (n > 0)
    n = np.where(known, n, 1.0)
    y = np.where(known, y, 0.0)
    smooth = (y + 0.5) / (n + 1.0)
    binomial = smooth * (1.0 - smooth)
    total = binomial / n * (1.0 + (n - 1.0) * overdispersion)
    total = total + np.asarray(variance, float) / n**2 + (binomial * np.asarray(gate_sd, float)) ** 2
    effective = np.minimum(binomial / total, n)
    share = y / n
    a, b = share * effective + 0.5, (1.0 - share) * effective + 0.5
    tail = (1.0 - level) / 2.0
    low = np.where(y <= 0, 0.0, special.betaincinv(a, b, tail))
    high = np.where(y >= n, 1.0, special.betaincinv(a, b, 1.0 - tail))
    blank = np.where(known, 0.0, np.nan)
    return share + blank, low + blank, high + blank


def log_limits(value: ArrayLike, log_sd: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Limits of a log-normal value with standard deviation `log_sd` of its logarithm."""
    z = special.ndtri(0.5 + level / 2.0)
    value, log_sd = np.asarray(value, float), np.asarray(log_sd, float)
    return value * np.exp(-z * log_sd), value * np.exp(z * log_sd)


def _log(x: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def product_limits(first: Sequence[ArrayLike], second: Sequence[ArrayLike], sign: int = 1) -> tuple[Array, Array]:
    """Limits of first × second (`sign` 1) or first / second (`sign` -1) from (estimate, low, high) of each.

    The method of variance estimates recovery on the log scale (Donner & Zou 2012, Stat Methods Med Res 21:347): it
    needs no symmetry, so a share near zero keeps its skewed interval. A zero estimate gives a lower limit of 0 (for a
    product or as numerator); its distance to the upper limit is measured from the middle of its interval.
    """
    parts = []
    for triple in (first, second):
        estimate, low, high = (np.asarray(v, float) for v in triple)
        zero = estimate <= 0
        centre = _log(np.where(zero, high / 2.0, estimate))
        below = np.where(zero, np.inf, centre - _log(low))
        parts.append((centre, below, _log(high) - centre))
    (c1, b1, a1), (c2, b2, a2) = parts
    if sign < 0:
        b2, a2 = a2, b2
    centre = c1 + sign * c2
    return np.exp(centre - np.hypot(b1, b2)), np.exp(centre + np.hypot(a1, a2))


def wilson(share: float, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a share (1927, JASA 22:209).

    Examples
    --------
    >>> from cimlnk.stats import wilson
    >>> [round(limit, 3) for limit in wilson(0.0, 10)]
    [0.0, 0.278]
    """
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return float(centre - half), float(centre + half)


def t_interval(effect: ArrayLike, se: ArrayLike, df: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array, Array]:
    """Limits and two-sided p of an estimate that is t distributed about the truth.

    Parameters
    ----------
    effect, se, df
        Estimate, its standard error and degrees of freedom; they broadcast, NaN stays NaN.
    level
        Coverage of the interval.

    Returns
    -------
    tuple of Array
        low, high, p of a zero effect.

    Examples
    --------
    >>> low, high, p = t_interval(1.0, 0.5, 5)
    >>> print(f"{low:.3f} {high:.3f} {p:.3f}")
    -0.285 2.285 0.102
    """
    effect, se = np.asarray(effect, float), np.asarray(se, float)
    half = special.stdtrit(df, 0.5 + level / 2) * se
    with np.errstate(divide="ignore", invalid="ignore"):  # an effect without any error is as certain as can be
        p = 2 * special.stdtr(df, -np.abs(effect) / se)
    return effect - half, effect + half, p
