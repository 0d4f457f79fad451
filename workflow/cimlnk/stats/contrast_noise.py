"""How noisy one contrast is against the noise of all days that a mixed model assumes, learnt from many rows at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .beta_binomial import MixedCounts
from .moderation import effective_rows, squeeze_variances

Floats = NDArray[np.float64]


class ContrastNoise(NamedTuple):
    """Per row: variance of the contrast over the model's; degrees of freedom of the row's own differences, and with
    what other rows say; to how many independent rows these amount; patients."""

    factor: Floats
    own: Floats
    moderated: Floats
    rows: float
    patients: int

    def freedom(self, df: float | Floats) -> Floats:
        """Degrees of freedom of the contrast's variance, where the model's variance has `df`.

        A row alone has those of its own differences. With many rows it has those of the model, of which its own
        differences are a part: never more.
        """
        row = np.maximum(np.minimum(self.moderated, df), np.minimum(self.own, df))
        return np.asarray(1.0 / ((1.0 - 1.0 / self.rows) / row + 1.0 / (self.rows * self.own)))


def widened(se: Floats, df: float | Floats, *noises: ContrastNoise) -> tuple[Floats, Floats]:
    """Standard error and degrees of freedom of an estimate for which a model gave `se` with `df`.

    Two arms' contrasts have each its own noise (Welch 1947, Biometrika 34:28). Where fewer than two patients have both
    days the model's noise is all that is known, and it stays.
    """
    parts = np.array([n.factor / n.patients for n in noises])
    total = parts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = total**2 / (parts**2 / [n.freedom(df) for n in noises]).sum(axis=0)
    known = np.isfinite(total) & np.isfinite(freedom)
    factor = np.where(known, total / sum(1.0 / n.patients for n in noises), 1.0)
    return se * np.sqrt(factor), np.where(known, np.minimum(freedom, df), df)


def contrast_noise(difference: Floats, expected: Floats) -> ContrastNoise:
    """Compare the scatter of per-patient differences with what a model of all days expects of them.

    A mixed model has one noise for all days, so that it rejects too often on a day that is noisier than the others
    and rarely elsewhere. How many times noisier a day is, is mostly the same for all populations or markers (few
    cells, a bad stain, blood drawn late), so it is learnt from all rows and shrunk towards what they share (empirical
    Bayes; Smyth 2004, SAGMB 3:3). Rows that move together count as fewer.

    Parameters
    ----------
    difference : (rows, patients)
        Later less earlier, fixed effects taken out; NaN where a patient lacks one of them.
    expected : (rows, patients)
        Their variance by the model.

    Returns
    -------
    ContrastNoise
        NaN where fewer than two patients have both; there the model's noise is all that is known.

    Examples
    --------
    Differences with a variance of four where the model expects one:

    >>> import numpy as np
    >>> drawn = np.random.default_rng(1).normal(0, 2, (40, 6))
    >>> found = contrast_noise(drawn, np.ones_like(drawn))
    >>> bool(abs(np.median(found.factor) - 4) < 1), bool(found.freedom(15.0).min() > 12)
    (True, True)
    """
    known = np.isfinite(difference) & np.isfinite(expected) & (expected > 0)
    weight = np.where(known, 1.0 / np.where(known, expected, 1.0), 0.0)
    value = np.where(known, difference, 0.0)
    own = known.sum(axis=1) - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weight * value).sum(axis=1) / weight.sum(axis=1)
        scaled = np.where(known, (value - mean[:, None]) * np.sqrt(weight), np.nan)
        ratio = np.nansum(scaled**2, axis=1) / own
    usable = (own >= 1) & np.isfinite(ratio) & (ratio > 0)
    factor, moderated, rows = np.full(len(own), np.nan), np.full(len(own), np.nan), 1.0
    if usable.any():
        f = own[usable]
        posterior, _, prior = squeeze_variances(ratio[usable], f)
        if np.isinf(
            prior
        ):  # rows differ by chance alone: their mean, as good for rows that move together as for others
            posterior = np.full(len(f), float((ratio[usable] * f).sum() / f.sum()))
        factor[usable], moderated[usable], rows = posterior, f + prior, effective_rows(scaled[usable])
    return ContrastNoise(factor, np.where(usable, own, np.nan), moderated, rows, difference.shape[1])


def log_odds_scatter(
    y: Floats, n: Floats, fit: MixedCounts, *, design: Floats, group: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """What a beta-binomial model leaves of every sample's log odds, and their variance by it.

    Parameters
    ----------
    y, n, design, group
        As in :func:`.beta_binomial.fit_counts`, whose result `fit` is.

    Returns
    -------
    residual, variance : (rows, samples)
        Log odds less fixed effects, patients' own levels still in them; NaN where the fit did not converge.
    """
    fixed = fit.beta @ design.T
    residual = np.log((y + 0.5) / (n - y + 0.5)) - fixed
    patients = np.eye(int(group.max()) + 1)[group]
    own = (residual @ patients / patients.sum(axis=0)) @ patients.T
    share = special.expit(np.clip(fixed + own, -15, 15))
    lost = ~fit.converged[:, None] | (n <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (1 + (n - 1) * fit.rho[:, None]) / (n * share * (1 - share))
    return np.where(lost, np.nan, residual), np.where(lost, np.nan, variance)
