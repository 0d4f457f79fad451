"""Paired tests for a handful of patients, many features at once: t with moderated variances, Welch between arms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .intervals import t_interval
from .linear_mixed import NO_SCATTER
from .moderation import effective_rows, squeeze_variances

Floats = NDArray[np.float64]


class Tested(NamedTuple):
    """Per row of the input: number of patients, effect, its error and interval, p, the least p, and a reason."""

    n: NDArray[np.int64]
    effect: Floats
    se: Floats
    df: Floats
    low: Floats
    high: Floats
    p: Floats
    p_floor: Floats
    reason: NDArray[np.object_]


def few_pairs(n: int, least: int) -> str:
    """Why so few patients are not tested.

    Examples
    --------
    >>> few_pairs(1, 3)
    '1 patient has both time points, 3 are needed'
    """
    return f"{n} patient{'' if n == 1 else 's'} {'has' if n == 1 else 'have'} both time points, {least} are needed"


def too_few(n: NDArray[np.int64], least: int) -> NDArray[np.object_]:
    """For every row why there is no test (:func:`few_pairs`), None where it has `least` patients."""
    reason = np.full(len(n), None, dtype=object)
    for i in np.flatnonzero(n < least):
        reason[i] = few_pairs(n[i], least)
    return reason


def moderated_paired(diff: Floats, level: float = 0.95, least: int = 3) -> Tested:
    """Paired t test of the mean difference with variances moderated across rows.

    The per-patient difference is free of the patient's own level; the variance belongs to this contrast alone, so
    time points that vary more than others do not disturb it (a pooled mixed model would). With 6 patients the
    variance has 5 degrees of freedom; sharing information between features (limma's moderation) steadies it.

    Parameters
    ----------
    diff
        Rows x patients, NaN where a patient lacks one of the time points.
    level
        Coverage of the interval.
    least
        Fewest patients for which anything is computed.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.stats import moderated_paired
    >>> found = moderated_paired(np.array([[1.0, 1.2, 0.9, 1.1, 1.3, 0.8], [0.1, -0.2, 0.0, 0.2, -0.1, 0.1]]))
    >>> found.effect.round(3).tolist(), (found.p < 0.05).tolist()
    ([1.05, 0.017], [True, False])
    """
    n = np.isfinite(diff).sum(axis=1)
    reason = too_few(n, least)
    ok = n >= least
    effect, s2 = np.full(len(n), np.nan), np.full(len(n), np.nan)
    if ok.any():
        effect[ok] = np.nanmean(diff[ok], axis=1)
        s2[ok] = np.nanvar(diff[ok], axis=1, ddof=1)
    flat = ok & (s2 <= 1e-12 * np.maximum(effect**2, 1e-12))
    for i in np.flatnonzero(flat):
        reason[i] = NO_SCATTER
    ok &= ~flat
    df = np.where(ok, n - 1.0, 0.0)
    posterior, _, df0 = squeeze_variances(np.where(ok, s2, np.nan), df)
    # Rows that move together (counts of populations share the count of NK cells) know the prior as well as few do.
    rows = effective_rows(diff[ok] - effect[ok, None]) if ok.any() else 1.0
    total = np.maximum(np.minimum(df + df0, rows * df), df)
    total[~ok] = np.nan
    low, high, p, se = (np.full(len(n), np.nan) for _ in range(4))
    se[ok] = np.sqrt(posterior[ok] / n[ok])
    low[ok], high[ok], p[ok] = t_interval(effect[ok], se[ok], total[ok], level=level)
    return Tested(n, effect, se, total, low, high, p, np.where(ok, 0.0, np.nan), reason)


def welch(first: Floats, second: Floats, level: float = 0.95, *, least: int = 3) -> Tested:
    """Difference of the mean per-patient differences of two arms, variances of the arms apart (Welch 1947)."""
    n1, n2 = np.isfinite(first).sum(axis=1), np.isfinite(second).sum(axis=1)
    reason = too_few(np.minimum(n1, n2), least)
    ok = np.minimum(n1, n2) >= least
    effect, se, df, low, high, p = (np.full(len(n1), np.nan) for _ in range(6))
    if ok.any():
        m1, m2 = np.nanmean(first[ok], axis=1), np.nanmean(second[ok], axis=1)
        v1 = np.nanvar(first[ok], axis=1, ddof=1) / n1[ok]
        v2 = np.nanvar(second[ok], axis=1, ddof=1) / n2[ok]
        effect[ok] = m1 - m2
        flat = v1 + v2 <= 1e-12 * np.maximum(effect[ok] ** 2, 1e-12)
        with np.errstate(invalid="ignore", divide="ignore"):
            df[ok] = np.where(flat, np.nan, (v1 + v2) ** 2 / (v1**2 / (n1[ok] - 1) + v2**2 / (n2[ok] - 1)))
            se[ok] = np.where(flat, np.nan, np.sqrt(v1 + v2))
            low[ok], high[ok], p[ok] = t_interval(effect[ok], se[ok], df[ok], level=level)
        for i in np.flatnonzero(ok)[flat]:
            reason[i] = NO_SCATTER
    return Tested(n1 + n2, effect, se, df, low, high, p, np.where(np.isfinite(p), 0.0, np.nan), reason)
