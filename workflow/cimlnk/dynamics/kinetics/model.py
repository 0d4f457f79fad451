"""Expansion, peak, contraction and plateau of a cell count: exact posteriors on a grid, pooled across patients.

The curve (log cells/µL, b its level before infusion):

- before day 0: b;
- from day 0 to the peak at day p: a straight line from b + d (d the log fold right after infusion, negative after
  lymphodepletion) to b + a (a the log peak fold);
- after the peak: b + a + log(r + (1 - r) 2^(-(t - p)/h)): decay with half-life h to a plateau at r times the peak.

Given p, h and r the model is linear in (b, a, d) with Gaussian errors, so these three are integrated exactly; the other
three are summed over a grid. Nothing is sampled until the very end, nothing can fail to converge, and eight points per
patient are enough because all six parameters have priors whose means and spreads are estimated from the patients of an
arm together (empirical Bayes by EM: partial pooling).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

#: Parameters in the order of all arrays: log level, log peak fold, log fold after infusion (linear);
#: log peak day, log half-life, log plateau / peak (grid).
PARAMETERS = ("level", "peak", "start", "peak_day", "half_life", "plateau")
PEAK_DAYS = np.geomspace(2.5, 60.0, 40)
HALF_LIVES = np.geomspace(1.0, 120.0, 20)
PLATEAUS = np.geomspace(0.004, 0.97, 16)
#: Prior mean and spread of each parameter before any data, and how many patients' worth of weight they have.
PRIOR_MEAN = np.array([1.0, np.log(8.0), np.log(0.5), np.log(10.0), np.log(8.0), np.log(0.2)])
PRIOR_SD = np.array([3.0, 1.2, 0.7, 0.45, 0.7, 1.0])
MEAN_WEIGHT = 0.3
SPREAD_WEIGHT = 3.0
EXTRA_SD = (0.0, 0.05, 0.1, 0.15, 0.22, 0.32, 0.5)


@dataclass(frozen=True)
class Series:
    """One patient's measurements: days, log cells/µL and standard deviations of their errors."""

    day: Array
    log_value: Array
    log_sd: Array


@dataclass(frozen=True)
class Prior:
    """Mean and spread of every parameter over patients, and the error beyond the stated one (log scale)."""

    mean: Array
    sd: Array
    extra_sd: float = 0.0


#: The prior before any patient was seen.
BASE = Prior(PRIOR_MEAN, PRIOR_SD)


@dataclass(frozen=True)
class Posterior:
    """Weights over the grid (peak day × half-life × plateau) and, per grid point, the linear parameters."""

    weight: Array
    mean: Array
    covariance: Array
    evidence: float

    def moments(self) -> tuple[Array, Array]:
        """Posterior mean and variance of all six parameters."""
        grid = np.stack(np.meshgrid(np.log(PEAK_DAYS), np.log(HALF_LIVES), np.log(PLATEAUS), indexing="ij"))
        nonlinear = (grid * self.weight).sum(axis=(1, 2, 3))
        nonlinear_variance = ((grid - nonlinear[:, None, None, None]) ** 2 * self.weight).sum(axis=(1, 2, 3))
        linear = (self.mean * self.weight[..., None]).sum(axis=(0, 1, 2))
        spread = ((self.mean - linear) ** 2 * self.weight[..., None]).sum(axis=(0, 1, 2))
        within = (np.diagonal(self.covariance, axis1=1, axis2=2) * self.weight.sum(axis=(1, 2))[:, None]).sum(axis=0)
        return np.concatenate([linear, nonlinear]), np.concatenate([spread + within, nonlinear_variance])

    def draw(self, n: int, random: np.random.Generator) -> Array:
        """`n` draws of all six parameters, n × 6 (log scale, PARAMETERS order)."""
        flat = random.choice(self.weight.size, n, p=self.weight.ravel())
        i, j, k = np.unravel_index(flat, self.weight.shape)
        root = np.linalg.cholesky(self.covariance)
        linear = self.mean[i, j, k] + np.einsum("nab,nb->na", root[i], random.standard_normal((n, 3)))
        # Within a cell of the grid the density is taken as flat: limits do not fall on grid values.
        jitter = random.uniform(-0.5, 0.5, (n, 3))
        axes = [np.log(PEAK_DAYS), np.log(HALF_LIVES), np.log(PLATEAUS)]
        steps = np.array([axis[1] - axis[0] for axis in axes])
        nonlinear = np.column_stack([axis[at] for axis, at in zip(axes, (i, j, k), strict=True)]) + jitter * steps
        nonlinear[:, 2] = np.minimum(nonlinear[:, 2], 0.0)
        return np.column_stack([linear, nonlinear])


def curve(parameters: Array, day: Array) -> Array:
    """Log cells/µL of the curve(s): parameters n × 6, days m, result n × m."""
    level, peak, start, peak_day, half_life, plateau = (c[:, None] for c in np.atleast_2d(parameters).T)
    t, p, h, r = np.asarray(day, float)[None, :], np.exp(peak_day), np.exp(half_life), np.exp(plateau)
    rising = start + (peak - start) * t / p
    falling = peak + np.log(r + (1.0 - r) * np.exp2(-np.maximum(t - p, 0.0) / h))
    return level + np.where(t < 0, 0.0, np.where(t <= p, rising, falling))


def posterior(series: Series, prior: Prior) -> Posterior:
    """The posterior of one patient's parameters under `prior`."""
    t = series.day
    variance = series.log_sd**2 + prior.extra_sd**2
    p = PEAK_DAYS[:, None]
    after = t[None, :] > p
    ramp = np.where(t < 0, 0.0, np.where(after, 1.0, t / p))
    design = np.stack([np.ones_like(ramp), ramp, np.where((t >= 0) & ~after, 1.0 - t / p, 0.0)], axis=2)
    weighted = design / variance[None, :, None]
    precision = np.einsum("pti,ptj->pij", weighted, design) + np.diag(1.0 / prior.sd[:3] ** 2)
    covariance = np.linalg.inv(precision)

    since = np.maximum(t[None, :] - p, 0.0)[:, None, None, :]
    r = PLATEAUS[None, None, :, None]
    offset = np.log(r + (1.0 - r) * np.exp2(-since / HALF_LIVES[None, :, None, None]))
    rest = series.log_value - offset
    right = rest @ weighted[:, None] + prior.mean[:3] / prior.sd[:3] ** 2
    mean = right @ covariance[:, None]
    constant = np.log(variance).sum() + (prior.mean[:3] ** 2 / prior.sd[:3] ** 2).sum() + 2 * np.log(prior.sd[:3]).sum()
    quadratic = (rest**2 / variance).sum(axis=-1) - (right * mean).sum(axis=-1)
    log_det = np.linalg.slogdet(precision)[1]
    log_weight = -0.5 * (quadratic + constant + log_det[:, None, None])
    for axis, values, c in ((0, PEAK_DAYS, 3), (1, HALF_LIVES, 4), (2, PLATEAUS, 5)):
        density = -0.5 * ((np.log(values) - prior.mean[c]) / prior.sd[c]) ** 2
        density -= special.logsumexp(density)
        log_weight = log_weight + np.expand_dims(density, tuple(a for a in range(3) if a != axis))
    evidence = float(special.logsumexp(log_weight))
    return Posterior(np.exp(log_weight - evidence), mean, covariance, evidence)


def start_of(pooled: Prior) -> Prior:
    """The prior of subsets before their own data: as of nothing, but the fall before infusion is that of all NK cells.

    Subsets are measured on few days, rarely before day 7; blood counts tell how deep lymphodepletion went.
    """
    mean, sd = PRIOR_MEAN.copy(), PRIOR_SD.copy()
    mean[2], sd[2] = pooled.mean[2], min(float(np.hypot(pooled.sd[2], 0.35)), PRIOR_SD[2])
    return Prior(mean, sd)


def pool(series: list[Series], base: Prior = BASE, *, rounds: int = 10) -> Prior:
    """Estimate the prior of a group of patients from all of them together, starting from `base`.

    Means and spreads by EM, held back by the starting prior (`MEAN_WEIGHT` and `SPREAD_WEIGHT` patients' worth), so
    that a group of one patient keeps nearly that prior. The extra error is the one of `EXTRA_SD` with the highest
    evidence over all patients: composition wanders between days by more than counting explains.
    """
    prior = base
    for step in range(rounds):
        if step in (0, rounds // 2):
            evidence = [sum(posterior(s, replace(prior, extra_sd=e)).evidence for s in series) for e in EXTRA_SD]
            prior = replace(prior, extra_sd=EXTRA_SD[int(np.argmax(evidence))])
        moments = [posterior(s, prior).moments() for s in series]
        means, variances = np.array([m for m, _ in moments]), np.array([v for _, v in moments])
        n = len(series)
        mean = (MEAN_WEIGHT * base.mean + means.sum(axis=0)) / (MEAN_WEIGHT + n)
        spread = variances + (means - mean) ** 2
        variance = (SPREAD_WEIGHT * base.sd**2 + spread.sum(axis=0)) / (SPREAD_WEIGHT + n)
        # The level differs between populations and patients for reasons of its own: it is never pooled.
        mean[0], variance[0] = float(means[:, 0].mean()), base.sd[0] ** 2
        prior = Prior(mean, np.sqrt(variance), prior.extra_sd)
    return prior
