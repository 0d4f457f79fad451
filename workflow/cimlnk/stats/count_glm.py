"""Many small count regressions at once: negative binomial mean, quasi-likelihood error, moderated over units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .intervals import t_interval
from .moderation import squeeze_variances

Floats = NDArray[np.float64]
_CHUNK = 4000
MAX_PRIOR_DF = 20.0


class NbFit(NamedTuple):
    """Per unit: coefficients (natural log), fitted means, deviance, inverse information, converged."""

    beta: Floats
    mean: Floats
    deviance: Floats
    inverse: Floats
    converged: NDArray[np.bool_]


class QlTested(NamedTuple):
    """Per unit: log2 effect with 95 % interval, degrees of freedom, p, flags."""

    effect: Floats
    low: Floats
    high: Floats
    se: Floats
    df: Floats
    p: Floats
    separated: NDArray[np.bool_]
    converged: NDArray[np.bool_]


def _column(dispersion: float | Floats, units: int) -> Floats:
    return np.broadcast_to(np.asarray(dispersion, dtype=float).reshape(-1, 1), (units, 1))


def deviance(counts: Floats, mean: Floats, dispersion: float | Floats) -> Floats:
    """Negative binomial unit deviances summed over samples (Poisson at dispersion 0); one dispersion, or one a unit."""
    mu = np.maximum(mean, 1e-12)
    first = np.where(counts > 0, counts * np.log(np.where(counts > 0, counts, 1) / mu), 0.0)
    if np.ndim(dispersion) == 0 and dispersion < 1e-8:
        return 2 * (first - (counts - mu)).sum(axis=1)
    size = 1 / np.maximum(_column(dispersion, len(counts)), 1e-8)
    return 2 * (first - (counts + size) * np.log((counts + size) / (mu + size))).sum(axis=1)


def fit_nb(
    counts: Floats, design: Floats, offset: Floats, *, dispersion: float | Floats, iterations: int = 60
) -> NbFit:
    """Log-linear negative binomial models with one dispersion, all units together (iteratively reweighted).

    Parameters
    ----------
    counts : (units, samples)
    design : (samples, q)
        Of full rank.
    offset : (samples,)
        Log of what the counts are shares of.
    dispersion
        Variance = mean + dispersion x mean^2; one for all units, or one a unit.

    Returns
    -------
    NbFit
        Converged if the deviance stopped changing; coefficients may run off to infinity for units without a count
        on one side, their means and deviances are then still right.
    """
    parts = [
        _fit_chunk(counts[i : i + _CHUNK], design, offset, dispersion=_part(dispersion, i), iterations=iterations)
        for i in range(0, max(len(counts), 1), _CHUNK)
    ]
    return NbFit(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _part(dispersion: float | Floats, start: int) -> float | Floats:
    return dispersion if np.ndim(dispersion) == 0 else np.asarray(dispersion)[start : start + _CHUNK]


def _fit_chunk(y: Floats, x: Floats, offset: Floats, *, dispersion: float | Floats, iterations: int) -> NbFit:
    q = x.shape[1]
    each = _column(dispersion, len(y))
    same = np.ndim(dispersion) == 0
    ridge = 1e-7 * np.eye(q)
    start = np.log((y.sum(axis=1) + 0.5) / np.exp(offset).sum())
    eta = 0.5 * (np.log(y + 0.5) - offset) + 0.5 * start[:, None] + offset
    mu = np.exp(eta)
    dev = np.full(len(y), np.inf)
    beta = np.zeros((len(y), q))
    active = np.ones(len(y), dtype=bool)
    for _ in range(iterations):
        rows = np.flatnonzero(active)
        if not rows.size:
            break
        m = mu[rows]
        w = m / (1 + each[rows] * m)
        z = np.log(m) - offset + (y[rows] - m) / m
        information = np.einsum("us,sq,sr->uqr", w, x, x, optimize=True) + ridge
        new = np.linalg.solve(information, ((w * z) @ x)[:, :, None])[:, :, 0]
        linear = np.clip(new @ x.T + offset, -25, 25)
        candidate = np.exp(linear)
        d = deviance(y[rows], candidate, dispersion if same else each[rows])
        worse = d > dev[rows] * (1 + 1e-6) + 1e-6
        for _ in range(8):  # half steps where a full one overshoots
            if not worse.any():
                break
            new[worse] = (new[worse] + beta[rows[worse]]) / 2
            candidate[worse] = np.exp(np.clip(new[worse] @ x.T + offset, -25, 25))
            d[worse] = deviance(y[rows[worse]], candidate[worse], dispersion if same else each[rows[worse]])
            worse = d > dev[rows] * (1 + 1e-6) + 1e-6
        done = np.abs(dev[rows] - d) <= 1e-8 * (np.abs(d) + 0.1)
        beta[rows], mu[rows], dev[rows] = new, candidate, d
        active[rows[done]] = False
    w = mu / (1 + each * mu)
    inverse = np.linalg.inv(np.einsum("us,sq,sr->uqr", w, x, x, optimize=True) + ridge)
    return NbFit(beta, mu, dev, inverse, ~active)


def residual_df(mean: Floats, design: Floats, zero: float = 1e-4) -> Floats:
    """Degrees of freedom left per unit: samples whose mean is fitted as 0 are uninformative and use up parameters."""
    alive = mean > zero
    patterns, which = np.unique(alive, axis=0, return_inverse=True)
    df = [a.sum() - np.linalg.matrix_rank(design[a]) if a.any() else 0 for a in patterns]
    return np.asarray(df, dtype=float)[which.ravel()]


def pearson(counts: Floats, mean: Floats, dispersion: float | Floats) -> Floats:
    """Pearson's chi-square per unit; samples fitted as 0 do not count."""
    mu = np.maximum(mean, 1e-12)
    variance = mu + _column(dispersion, len(counts)) * mu**2
    return np.where(mean > 1e-4, (counts - mu) ** 2 / variance, 0.0).sum(axis=1)


def common_dispersion(counts: Floats, design: Floats, offset: Floats, *, most_units: int = 400) -> float:
    """The one dispersion at which Pearson's chi-square of all units equals their degrees of freedom.

    Units are thinned evenly to `most_units`: one number needs no more.
    """
    step = max(1, len(counts) // most_units)
    some = counts[::step]

    def excess(log_dispersion: float) -> float:
        phi = float(np.exp(log_dispersion))
        fit = fit_nb(some, design, offset, dispersion=phi)
        df = residual_df(fit.mean, design)
        use = (df > 0) & fit.converged
        return float(pearson(some[use], fit.mean[use], phi).sum() - df[use].sum())

    low, high = np.log(1e-4), np.log(10.0)
    if excess(low) <= 0:
        return 0.0
    for _ in range(12):
        middle = (low + high) / 2
        if excess(middle) > 0:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def trended_dispersion(counts: Floats, design: Floats, offset: Floats, *, units_per_bin: int = 200) -> Floats:
    """A dispersion per unit, which follows the unit's mean count: :func:`common_dispersion` of bins of like units.

    Units are sorted by mean count and cut into bins of at least `units_per_bin`; between the bins' mean log counts the
    log dispersion is interpolated, beyond the outermost it is constant. One bin: the common dispersion.
    """
    level = np.log(counts.mean(axis=1) + 0.5)
    order = np.argsort(level, kind="stable")
    bins = np.array_split(order, min(12, max(1, len(counts) // units_per_bin)))
    found = np.array([max(common_dispersion(counts[b], design, offset), 1e-6) for b in bins])
    centre = np.array([level[b].mean() for b in bins])
    return np.asarray(np.exp(np.interp(level, centre, np.log(found))))


def ql_test(
    counts: Floats,
    design: Floats,
    offset: Floats,
    *,
    column: int,
    dispersion: float | Floats,
    level: float = 0.95,
    max_prior_df: float = MAX_PRIOR_DF,
) -> QlTested:
    """Test one coefficient of every unit by a moderated quasi-likelihood F test.

    The error of a unit is its Pearson chi-square over its degrees of freedom, shrunk towards that of all units
    (quasi-likelihood: Lund 2012, SAGMB 11(5); moderation: Smyth 2004). Units of one data set are not independent, so
    the prior never counts for more than `max_prior_df` degrees of freedom. The interval is Wald's with the same
    error and degrees of freedom. Where one side of the contrast has no count at all the ratio would be infinite:
    half a count is added to every sample of that unit for the effect (flag ``separated``), not for p.

    Parameters
    ----------
    column
        Column of `design` that is tested.
    """
    full = fit_nb(counts, design, offset, dispersion=dispersion)
    reduced = fit_nb(counts, np.delete(design, column, axis=1), offset, dispersion=dispersion)
    df = residual_df(full.mean, design)
    ok = full.converged & reduced.converged & (counts.sum(axis=1) > 0)
    own = ok & (df > 0)
    s2 = np.full(len(counts), np.nan)
    # a trend has one dispersion per unit, a common one is a number
    of_own = dispersion if np.ndim(dispersion) == 0 else np.asarray(dispersion, dtype=float).reshape(-1)[own]
    s2[own] = pearson(counts[own], full.mean[own], of_own) / df[own]
    posterior, prior, df0 = squeeze_variances(s2, np.where(own, df, 0.0))
    df0 = min(df0, max_prior_df)
    if df0 > 0:
        posterior = (df0 * prior + np.where(own, df * s2, 0.0)) / (df0 + df)
    ok &= own | (df0 > 0)  # one-sided units may have no error of their own and live on the prior
    # Counting error is the least there can be (edgeR bounds its errors in the same way).
    least = 1.0 / (1.0 + _column(dispersion, len(counts))[:, 0] * full.mean.mean(axis=1))
    posterior = np.maximum(posterior, least)
    total = np.where(ok, df + df0, np.nan)
    statistic = np.maximum(reduced.deviance - full.deviance, 0) / posterior
    p = np.where(ok, special.fdtrc(1, total, statistic), np.nan)
    # fewer than 1/50 of a cell fitted on one side: the coefficient is on its way to infinity
    separated = ok & (full.inverse[:, column, column] > 50)
    beta, inverse = full.beta.copy(), full.inverse.copy()
    if separated.any():
        own_dispersion = dispersion if np.ndim(dispersion) == 0 else np.asarray(dispersion)[separated]
        finite = fit_nb(counts[separated] + 0.5, design, offset, dispersion=own_dispersion)
        beta[separated], inverse[separated] = finite.beta, finite.inverse
    effect = np.where(ok, beta[:, column], np.nan) / np.log(2)
    se = np.sqrt(inverse[:, column, column] * posterior) / np.log(2)
    low, high, _ = t_interval(effect, se, total, level=level)
    return QlTested(effect, low, high, np.where(ok, se, np.nan), total, p, separated, ok)
