"""A linear mixed model with one random intercept per patient, fitted by REML; small, exact, and able to say no."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]


NO_SCATTER = "the difference is the same in every patient, no variance to test with"


class MixedFit(NamedTuple):
    """Coefficients and their covariance; `df` are those of effects within patients."""

    beta: Floats
    cov: Floats
    df: int
    sigma2: float
    patient_variance: float
    converged: bool
    reason: str | None


def random_intercept(y: Floats, design: Floats, patient: NDArray[np.int64]) -> MixedFit:
    """Fit ``y = design @ beta + u[patient] + e`` by restricted maximum likelihood.

    The likelihood is profiled over the ratio of the two variances and its maximum is searched on one axis, so a
    variance at its bound (no patient effect) is an ordinary result. The covariance of `beta` is the plug-in one.
    Degrees of freedom follow the within/between rule (Schluchter & Elashoff 1990, J Stat Comput Simul 37:69):
    observations - patients - columns of the design that vary within patients; they are right for contrasts within
    patients, the only ones asked for here.

    Parameters
    ----------
    y : (n,)
    design : (n, q)
        Of full column rank.
    patient : (n,)
        Patient of every row, coded 0, 1, ...

    Returns
    -------
    MixedFit
        ``converged`` is False with a reason where nothing can be fitted (rank, no degree of freedom, no variance).
    """
    n, q = design.shape
    counts = np.bincount(patient).astype(float)
    groups = int((counts > 0).sum())
    blank = np.full(q, np.nan)

    def refuse(reason: str) -> MixedFit:
        return MixedFit(blank, np.full((q, q), np.nan), 0, np.nan, np.nan, False, reason)

    if np.linalg.matrix_rank(design) < q:
        return refuse("the design has aliased columns")
    sums = np.zeros((len(counts), q))
    np.add.at(sums, patient, design)
    y_sums = np.bincount(patient, weights=y, minlength=len(counts))
    centred = design - (sums / np.maximum(counts, 1)[:, None])[patient]
    within = int(np.linalg.matrix_rank(centred))
    df = n - groups - within
    if df < 1:
        return refuse("no degrees of freedom within patients")
    if np.ptp(y) <= 1e-12 * max(1.0, float(np.abs(y).max())):
        return refuse("the value is the same in every sample")
    own = y - (y_sums / np.maximum(counts, 1))[patient]
    left = own - centred @ np.linalg.lstsq(centred, own, rcond=None)[0]
    # what rounding leaves of nothing is no noise: p would be 0, for an effect of 0 too
    if float(left @ left) <= 1e-12 * df * max(1.0, float(np.abs(y).max()) ** 2):
        return refuse(NO_SCATTER)
    xx, xy, yy = design.T @ design, design.T @ y, float(y @ y)

    def solve(ratio: float) -> tuple[float, Floats, Floats, float]:
        weight = ratio / (1 + counts * ratio)
        a = xx - (sums * weight[:, None]).T @ sums
        b = xy - sums.T @ (weight * y_sums)
        c = yy - float((weight * y_sums**2).sum())
        inverse = np.linalg.inv(a)
        beta = inverse @ b
        sigma2 = max((c - float(b @ beta)) / (n - q), 1e-300)
        sign, logdet = np.linalg.slogdet(a)
        minus2 = (n - q) * np.log(sigma2) + logdet + float(np.log1p(counts * ratio).sum())
        return minus2, beta, inverse * sigma2, sigma2

    grid = np.concatenate([[0.0], np.exp(np.linspace(-6, 8, 29))])
    values = [solve(g)[0] for g in grid]
    best = int(np.argmin(values))
    ratio = float(grid[best])
    if 0 < best:
        low, high = np.log(max(grid[best - 1], 1e-4)), np.log(grid[min(best + 1, len(grid) - 1)])
        found = optimize.minimize_scalar(lambda t: solve(float(np.exp(t)))[0], bounds=(low, high), method="bounded")
        ratio = float(np.exp(found.x)) if found.fun < values[best] else ratio
    _, beta, cov, sigma2 = solve(ratio)
    return MixedFit(beta, cov, df, sigma2, ratio * sigma2, True, None)
