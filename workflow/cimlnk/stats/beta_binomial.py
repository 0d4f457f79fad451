"""A beta-binomial mixed model with one random intercept per patient, for many populations (or data sets) at once.

    logit(mu) = X beta + u[patient],   u ~ N(0, sigma²),   y ~ BetaBinomial(n, mu, rho)

rho is the intraclass correlation of cells of one sample beyond what the model explains. With thousands of cells per
sample it, and not binomial counting, is the error of a share: without it every difference is significant.

Fitting. beta and u are found together by Newton steps; (sigma, rho) maximise the restricted likelihood, in which beta
is integrated out with u (Laplace's approximation, flat prior on beta): the small-sample correction that REML is to a
linear model. Six patients give a maximum-likelihood sigma and rho that are far too small. The search runs on two axes
from a grid by shrinking steps, so a variance at its bound is an ordinary result and not a failure.

Sources: Crowder 1978 (Appl Stat 27:34) for the likelihood; Breslow & Clayton 1993 (JASA 88:9) for Laplace in mixed
models. Everything has a leading axis of B rows that share the design: all populations of a cohort, or 500 simulated
data sets, are one call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LOG_SIGMA = (np.log(0.02), np.log(4.0))
LOG_PHI = (np.log(2.0), np.log(3e6))  # phi = (1 - rho) / rho
STEP_END = 0.02  # in log sigma and log phi: 2 % of a standard deviation moves no conclusion
RIDGE = 1e-6  # on beta: keeps the Newton matrix regular where the data say nothing (separation)


class MixedCounts(NamedTuple):
    """Fits of B rows: `beta` B × p, `cov` B × p × p, `sigma`, `rho`, `log_likelihood` (restricted), `converged`.

    `cov_even` is the covariance of the same estimate if the logits of all samples were equally noisy, as they are when
    composition wanders by a factor and not by sampling; see :meth:`standard_error`.
    """

    beta: Floats
    cov: Floats
    cov_even: Floats
    sigma: Floats
    rho: Floats
    log_likelihood: Floats
    converged: Flags

    def standard_error(self, weights: Floats) -> Floats:
        """Standard error of the contrast `weights` @ beta (B rows): the larger of two.

        A beta-binomial share of 2 % has a noisier logit than one of 20 %. If that is not so, patients and days with
        large shares get too much weight and the model's own error is too small (by the squared coefficient of variation
        of the weights); which of the two holds cannot be seen in 24 samples.
        """
        own = np.einsum("i,bij,j->b", weights, self.cov, weights)
        even = np.einsum("i,bij,j->b", weights, self.cov_even, weights)
        return np.asarray(np.sqrt(np.maximum(own, even)), dtype=np.float64)


def fit_counts(
    y: Floats, n: Floats, design: Floats, *, group: NDArray[np.int64], overdispersion: bool = True
) -> MixedCounts:
    """Fit the model to every row of `y`.

    Parameters
    ----------
    y
        Cells of the population, B × N samples.
    n
        NK cells of the sample, N or B × N. A sample with 0 carries no information and does no harm.
    design
        X, N × p, of full column rank (see :func:`cimlnk.dynamics.designs.make_design`).
    group
        Patient of every sample, 0 … q - 1.
    overdispersion
        False fits the plain binomial mixed model (rho 0). It is here to show that it fails.

    Returns
    -------
    MixedCounts
        `cov` is the covariance of beta at the fitted (sigma, rho); tests use `standard_error` and a t distribution
        with the degrees of freedom of :mod:`cimlnk.dynamics.designs`. `converged` is False where the Newton steps did
        not converge.
    """
    y = np.atleast_2d(np.asarray(y, float))
    problem = _Problem(
        y, np.broadcast_to(np.asarray(n, float), y.shape), np.asarray(design, float), group=np.asarray(group)
    )
    phis = np.linspace(*LOG_PHI, 7) if overdispersion else np.array([np.log(1e9)])
    sigmas = np.linspace(*LOG_SIGMA, 6)
    state = problem.start()
    best = np.full(len(y), -np.inf)
    place = np.zeros((len(y), 2))
    for log_phi in phis:
        for log_sigma in sigmas:
            trial = np.tile([log_sigma, log_phi], (len(y), 1))
            value, state, _ = problem.restricted(trial, state)
            place[value > best] = [log_sigma, log_phi]
            best = np.maximum(best, value)
    step = np.tile([(sigmas[1] - sigmas[0]) / 2, (phis[1] - phis[0]) / 2 if overdispersion else 0.0], (len(y), 1))
    bounds = np.array([LOG_SIGMA, LOG_PHI if overdispersion else (np.log(1e9),) * 2])
    _, state, _ = problem.restricted(place, state)
    active = np.arange(len(y))
    while len(active):
        sub = problem.rows(active)
        moved = np.zeros(len(active), bool)
        for axis, sign in ((0, 1), (1, 1), (0, -1), (1, -1)):
            if axis == 1 and not overdispersion:
                continue
            trial = place[active].copy()
            trial[:, axis] = np.clip(trial[:, axis] + sign * step[active, axis], *bounds[axis])
            value, theta, _ = sub.restricted(trial, state[active])
            better = value > best[active] + 1e-9
            chosen = active[better]
            place[chosen], best[chosen], state[chosen] = trial[better], value[better], theta[better]
            moved |= better
        step[active[~moved]] /= 2.0
        active = active[(step[active].max(axis=1) > STEP_END)]
    value, state, settled = problem.restricted(place, state)
    cov, even = problem.covariances(place, state)
    rho = 1.0 / (1.0 + np.exp(place[:, 1])) if overdispersion else np.zeros(len(y))
    p = problem.design.shape[1]
    return MixedCounts(
        state[:, :p], cov[:, :p, :p], even[:, :p, :p], np.exp(place[:, 0]), rho, value, settled & np.isfinite(value)
    )


class _Problem:
    """Data of B rows and the functions of (sigma, phi) and theta = (beta, v), where u = sigma v."""

    def __init__(self, y: Floats, n: Floats, design: Floats, *, group: NDArray[np.int64]) -> None:
        self.y, self.n, self.design, self.group = y, n, design, group
        q = int(group.max()) + 1
        self.p, self.q = design.shape[1], q
        self.indicator = np.eye(q)[group]
        self.prior = np.concatenate([np.full(self.p, RIDGE), np.ones(q)])

    def rows(self, which: NDArray[np.int64]) -> _Problem:
        return _Problem(self.y[which], self.n[which], self.design, group=self.group)

    def start(self) -> Floats:
        """Least squares on smoothed logits."""
        logit = np.log((self.y + 0.5) / (self.n - self.y + 0.5))
        beta = logit @ np.linalg.pinv(self.design).T
        return np.concatenate([beta, np.zeros((len(self.y), self.q))], axis=1)

    def _full(self, place: Floats) -> Floats:
        sigma = np.exp(place[:, 0])[:, None, None]
        wide = np.broadcast_to(self.design, (len(place), *self.design.shape))
        return np.concatenate([wide, sigma * self.indicator], axis=2)

    def _objective(self, eta: Floats, phi: Floats, theta: Floats) -> Floats:
        return log_likelihood(eta, self.y, self.n, phi=phi) - 0.5 * (theta**2 * self.prior).sum(axis=1)

    def _mode(self, place: Floats, theta: Floats) -> tuple[Floats, Floats, Flags]:
        """Newton steps (halved while they make things worse) to the mode of (beta, v)."""
        full, phi = self._full(place), np.exp(place[:, 1])[:, None]
        theta = theta.copy()
        eta = _linear(full, theta)
        value = self._objective(eta, phi, theta)
        settled = np.zeros(len(theta), bool)
        for _ in range(60):
            slope, weight = derivatives(eta, self.y, self.n, phi=phi)
            gradient = (full * slope[..., None]).sum(axis=1) - theta * self.prior
            hessian = np.swapaxes(full * weight[..., None], 1, 2) @ full
            hessian[:, np.arange(self.p + self.q), np.arange(self.p + self.q)] += self.prior
            step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
            decrement = (step * gradient).sum(axis=1)
            settled = decrement < 1e-7
            if settled.all():
                break
            scale = np.where(settled, 0.0, np.minimum(1.0, 4.0 / np.maximum(np.abs(step).max(axis=1), 1e-12)))
            for _ in range(12):
                trial = theta + scale[:, None] * step
                trial_eta = _linear(full, trial)
                trial_value = self._objective(trial_eta, phi, trial)
                worse = ~(trial_value >= value - 1e-9) & (scale > 0)
                if not worse.any():
                    break
                scale = np.where(worse, scale / 3.0, scale)
            keep = ~worse
            theta[keep], eta[keep], value[keep] = trial[keep], trial_eta[keep], trial_value[keep]
            if worse[~settled].all():
                break
        return theta, eta, settled

    def restricted(self, place: Floats, theta: Floats) -> tuple[Floats, Floats, Flags]:
        """Restricted log likelihood at `place` (log sigma, log phi), the mode, and whether Newton came to rest."""
        theta, eta, settled = self._mode(place, theta)
        phi = np.exp(place[:, 1])[:, None]
        log_det = np.linalg.slogdet(self._information(place, eta))[1]
        value = self._objective(eta, phi, theta) - 0.5 * log_det
        return np.where(np.isfinite(value), value, -np.inf), theta, settled

    def _information(self, place: Floats, eta: Floats) -> Floats:
        full = self._full(place)
        _, weight = derivatives(eta, self.y, self.n, phi=np.exp(place[:, 1])[:, None])
        return np.swapaxes(full * weight[..., None], 1, 2) @ full + np.diag(self.prior)

    def covariances(self, place: Floats, theta: Floats) -> tuple[Floats, Floats]:
        """Inverse information; and the sandwich for errors of the logit that are alike in all samples."""
        full = self._full(place)
        eta = _linear(full, theta)
        inverse = np.linalg.inv(self._information(place, eta))
        _, weight = derivatives(eta, self.y, self.n, phi=np.exp(place[:, 1])[:, None])
        scale = weight**2 * (self.n > 0).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        meat = np.swapaxes(full * scale[..., None], 1, 2) @ full + np.diag(self.prior)
        return np.asarray(inverse), np.asarray(inverse @ meat @ inverse)


def _linear(full: Floats, theta: Floats) -> Floats:
    return np.clip((full @ theta[..., None])[..., 0], -30.0, 30.0)


def log_likelihood(eta: Floats, y: Floats, n: Floats, *, phi: Floats) -> Floats:
    """Beta-binomial log likelihood per row, without the binomial coefficients; phi ≥ 1e8 is binomial."""
    if phi.min() >= 1e8:
        return (y * eta - n * np.logaddexp(0.0, eta)).sum(axis=1)
    a, b = special.expit(eta) * phi, special.expit(-eta) * phi
    g = special.gammaln
    each = g(y + a) - g(a) + g(n - y + b) - g(b) + g(phi) - g(n + phi)
    return each.sum(axis=1)


def derivatives(eta: Floats, y: Floats, n: Floats, *, phi: Floats) -> tuple[Floats, Floats]:
    """First derivative of the log likelihood in eta, and minus the second, kept above a tenth of its expectation."""
    mu, rest = special.expit(eta), special.expit(-eta)
    m = mu * rest
    if phi.min() >= 1e8:
        return y - n * mu, np.maximum(n * m, 1e-12)
    a, b = mu * phi, rest * phi
    first = special.digamma(y + a) - special.digamma(a) - special.digamma(n - y + b) + special.digamma(b)
    second = trigamma(y + a) - trigamma(a) + trigamma(n - y + b) - trigamma(b)
    slope = phi * first * m
    weight = -(phi**2 * second * m**2 + slope * (rest - mu))
    expected = n * m / (1.0 + (n - 1.0).clip(0.0) / (1.0 + phi))
    return slope, np.maximum(weight, 0.1 * expected + 1e-12)


def trigamma(x: Floats) -> Floats:
    """Second derivative of log gamma for x > 0 (shift to x + 8, then the asymptotic series; relative error < 1e-12)."""
    shifted = np.zeros_like(x)
    for k in range(8):
        shifted += 1.0 / (x + k) ** 2
    z = x + 8.0
    w = 1.0 / (z * z)
    series = w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w * (1 / 30 - w * (5 / 66 - w * (691 / 2730 - w * 7 / 6))))))
    return shifted + (1.0 + 0.5 / z + series) / z
