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
    what the row's other days say; to how many independent rows all of them amount; patients."""

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


def contrast_noise(residual: Floats, variance: Floats, *, after: int, before: int) -> ContrastNoise:
    """Compare the scatter of per-patient differences with what a model of all days expects of them.

    A mixed model has one noise for all days, so that it rejects too often on a day that is noisier than the others
    and rarely elsewhere. How many times noisier a day is, is mostly the same for all populations or markers (few
    cells, a bad stain, blood drawn late), so it is learnt from all rows (:func:`day_factors`). Of each row two parts
    are independent then: its differences between the two days, and what is left of its other days. The second is the
    row's own prior for the first, as strong as the spread of their ratio over the rows allows (empirical Bayes; Smyth
    2004, SAGMB 3:3) and no stronger than its degrees of freedom. Rows that move together count as fewer.

    Parameters
    ----------
    residual : (rows, patients, days)
        What fixed effects leave, patients' own levels in it; NaN where there is no sample.
    variance : (rows, patients, days)
        Its variance by the model.
    after, before
        Days of the contrast.

    Returns
    -------
    ContrastNoise
        NaN where fewer than two patients have both; there the model's noise is all that is known.

    Examples
    --------
    One day three times as noisy as the others, where the model knows the mean of their variances, which is three:

    >>> import numpy as np
    >>> drawn = np.random.default_rng(1).normal(size=(40, 6, 4)) * [1, 3, 1, 1]
    >>> found = contrast_noise(drawn, np.full(drawn.shape, 3.0), after=1, before=0)
    >>> bool(abs(np.median(found.factor) - (9 + 1) / (3 + 3)) < 0.3), bool(found.freedom(15.0).min() > 12)
    (True, True)
    """
    n = residual.shape[1]
    level = day_factors(residual, variance)
    known = np.isfinite(residual) & np.isfinite(variance) & (variance > 0)
    value, weight = _centred(residual, variance * level)
    both = known[:, :, after] & known[:, :, before]
    own = both.sum(axis=1) - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(both, value[:, :, after] - value[:, :, before], np.nan)
        by_model = variance[:, :, after] + variance[:, :, before]
        by_day = variance[:, :, after] * level[after] + variance[:, :, before] * level[before]
        alone = np.where(both, 1 / by_day, 0.0)
        mean = np.nansum(alone * difference, axis=1) / alone.sum(axis=1)
        apart = (difference - mean[:, None]) / np.sqrt(by_day)
        square = np.nansum(apart**2, axis=1) / own
        spare = known.sum(axis=(1, 2)) - known.any(axis=2).sum(axis=1) - known.any(axis=1).sum(axis=1) + 1.0 - own
        left = (weight * value**2).sum(axis=(1, 2)) - np.nansum(difference**2 * alone, axis=1)
        rest = np.where(spare >= 1, left / spare, 0.0)
        # how much the days' noise makes of what the model expects, for a typical patient of the row
        change = np.nansum(np.where(both, by_day, np.nan), axis=1) / np.nansum(np.where(both, by_model, np.nan), axis=1)
    usable = (own >= 1) & np.isfinite(square) & (square > 1e-12)  # rounding of equal differences is no scatter
    factor, moderated, rows = np.full(len(own), np.nan), np.full(len(own), np.nan), 1.0
    if usable.any():
        f, s = own[usable], np.where(rest[usable] > 0, spare[usable], 0.0)
        prior, strength = _prior(square[usable], f, rest=rest[usable], spare=s)
        factor[usable] = change[usable] * (strength * prior + f * square[usable]) / (strength + f)
        moderated[usable], rows = f + strength, effective_rows(apart[usable])
    return ContrastNoise(factor, np.where(usable, own, np.nan), moderated, rows, n)


def _prior(square: Floats, own: Floats, *, rest: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """Expected square of each row's differences from its other days, and the degrees of freedom that is worth."""
    told = spare >= 1
    if told.sum() < 3:  # as few as cannot say how far the two parts of a row differ
        return square, np.zeros(len(square))
    ratio = square[told] / rest[told]
    _, common, strength = squeeze_variances(ratio, own[told])
    most = np.minimum(strength, spare)
    if np.isinf(strength):  # the spread is chance: ratios of the two parts are those of F
        x = np.log(ratio) - special.digamma(own[told] / 2) + np.log(own[told] / 2)
        common = float(np.exp(np.mean(x + special.digamma(spare[told] / 2) - np.log(spare[told] / 2))))
    return np.where(told, common * rest, square), np.where(told, most, 0.0)


def day_factors(residual: Floats, variance: Floats, *, rounds: int = 60) -> Floats:
    """How noisy each day is in all rows, over the days' geometric mean; ones where fewer than three are known.

    Restricted likelihood of variances by day, with each row's own scale profiled out, found by repeated division of
    squares by what their leverage leaves of them. One further row that is equally noisy on all days stands in for the
    prior: it keeps a day from taking all the weight where rows are few.

    Parameters
    ----------
    residual, variance : (rows, patients, days)
        As in :func:`contrast_noise`.

    Returns
    -------
    Floats : (days,)

    Examples
    --------
    >>> import numpy as np
    >>> drawn = np.random.default_rng(1).normal(size=(60, 6, 4)) * [1, 3, 1, 1]
    >>> day_factors(drawn, np.ones(drawn.shape)).round(1).tolist()
    [0.4, 5.0, 0.7, 0.6]
    """
    known = np.isfinite(residual) & np.isfinite(variance) & (variance > 0)
    patients, days = known.shape[1:]
    level = np.ones(days)
    seen = known.any(axis=(0, 1))
    if seen.sum() < 3:
        return level
    inside = known.sum(axis=(1, 2)) - known.any(axis=2).sum(axis=1) - known.any(axis=1).sum(axis=1) + 1.0
    prior = (patients - 1) * (1 - 1 / seen.sum())
    alike = _patterns(known, variance)
    for _ in range(rounds):
        value, weight = _centred(residual, variance * level)
        scaled = weight * value**2
        squares = scaled.sum(axis=(1, 2))
        used = (inside >= 1) & (squares > 1e-12)
        if not used.any():
            return level
        scale = np.where(used, squares / np.maximum(inside, 1), 1.0)
        free = sum((used[of].sum() * _free(v * level) for of, v in alike), np.zeros(days))
        found = (scaled / scale[:, None, None])[used].sum(axis=(0, 1)) * level + prior
        new = np.where(seen, found / (free + prior), 1.0)
        new = new / np.exp(np.log(new[seen]).mean())
        moved = np.abs(np.log(new[seen] / level[seen])).max()
        level = np.where(seen, new, 1.0)
        if moved < 5e-3:  # half a percent of a variance moves no conclusion
            break
    return level


def _patterns(known: NDArray[np.bool_], variance: Floats) -> list[tuple[NDArray[np.bool_], Floats]]:
    """Rows with the same samples, and the variances of those as they are in a typical row of them (NaN: no sample)."""
    patterns, which = np.unique(known.reshape(len(known), -1), axis=0, return_inverse=True)
    found = []
    for k, there in enumerate(patterns):
        of = which.ravel() == k
        logs = np.log(np.where(there, variance[of].reshape(of.sum(), -1), 1.0))
        typical = np.exp(logs.mean(axis=0)) if there.any() else np.ones(len(there))
        found.append((of, np.where(there, typical, np.nan).reshape(known.shape[1:])))
    return found


def _free(variance: Floats) -> Floats:
    """Degrees of freedom that each day keeps in a row once patients and days are taken out (one less the leverage)."""
    patient, day = np.nonzero(np.isfinite(variance))
    root = 1.0 / np.sqrt(variance[patient, day])
    design = np.hstack([np.eye(variance.shape[0])[patient], np.eye(variance.shape[1])[day]]) * root[:, None]
    hat = np.einsum("ij,jk,ik->i", design, np.linalg.pinv(design.T @ design), design)
    return np.asarray(np.bincount(day, weights=1.0 - hat, minlength=variance.shape[1]), dtype=np.float64)


def _centred(residual: Floats, variance: Floats, *, turns: int = 4) -> tuple[Floats, Floats]:
    """Residuals about patients' weighted means (0 where there is no sample), and weights.

    Days' means are taken out again with the weights, by turns with those of patients: what a model of equal noise took
    out is not their mean where visits are missing.
    """
    known = np.isfinite(residual) & np.isfinite(variance) & (variance > 0)
    weight = np.where(known, 1.0 / np.where(known, variance, 1.0), 0.0)
    value = np.where(known, residual, 0.0)
    whole, daily = (np.maximum(weight.sum(axis=a, keepdims=True), 1e-300) for a in (2, 1))
    for turn in range(turns):
        value = np.where(known, value - (weight * value).sum(axis=2, keepdims=True) / whole, 0.0)
        if turn < turns - 1:
            value = np.where(known, value - (weight * value).sum(axis=1, keepdims=True) / daily, 0.0)
    return value, weight


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
