"""Paired tests for a handful of patients, many features at once: moderated t, exact sign flips, exact relabelling."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from cimlnk.common.seeds import rng

Floats = NDArray[np.float64]
EXACT_PATIENTS = 16  # 2^16 sign vectors are still cheap; above it they are sampled
EXACT_RELABELLINGS = 20_000
SAMPLED = 20_000


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


def _too_few(n: NDArray[np.int64], least: int) -> NDArray[np.object_]:
    reason = np.full(len(n), None, dtype=object)
    for i in np.flatnonzero(n < least):
        reason[i] = f"{n[i]} patients have both time points, {least} are needed"
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
    """
    n = np.isfinite(diff).sum(axis=1)
    reason = _too_few(n, least)
    ok = n >= least
    effect, s2 = np.full(len(n), np.nan), np.full(len(n), np.nan)
    if ok.any():
        effect[ok] = np.nanmean(diff[ok], axis=1)
        s2[ok] = np.nanvar(diff[ok], axis=1, ddof=1)
    flat = ok & (s2 <= 1e-12 * np.maximum(effect**2, 1e-12))
    for i in np.flatnonzero(flat):
        reason[i] = "the difference is the same in every patient, no variance to test with"
    ok &= ~flat
    df = np.where(ok, n - 1.0, 0.0)
    posterior, _, df0 = squeeze_variances(np.where(ok, s2, np.nan), df)
    # Correlated features overstate how well the prior is known: never more degrees of freedom than all rows have.
    total = np.minimum(df + df0, df.sum()) if ok.any() else df
    total[~ok] = np.nan
    low, high, p, se = (np.full(len(n), np.nan) for _ in range(4))
    se[ok] = np.sqrt(posterior[ok] / n[ok])
    half = stats.t.ppf(0.5 + level / 2, total[ok]) * se[ok]
    low[ok], high[ok] = effect[ok] - half, effect[ok] + half
    p[ok] = 2 * stats.t.sf(np.abs(effect[ok]) / se[ok], total[ok])
    return Tested(n, effect, se, total, low, high, p, np.where(ok, 0.0, np.nan), reason)


def _signs(n: int, seed: int) -> tuple[NDArray[np.floating], bool]:
    if n <= EXACT_PATIENTS:
        codes = np.arange(2**n, dtype=np.int64)[:, None] >> np.arange(n)
        return 1.0 - 2.0 * (codes & 1), True
    drawn = rng(seed, "sign_flip", n).choice([-1.0, 1.0], size=(SAMPLED, n))
    drawn[0] = 1.0
    return drawn, False


def sign_flip(diff: Floats, level: float = 0.95, seed: int = 0, least: int = 3) -> Tested:
    """Exact sign-flip test of a zero difference (Fisher's randomisation test for pairs) and its interval.

    All ``2^n`` sign patterns are enumerated up to 16 patients, sampled above. The least two-sided p is ``2 / 2^n``.
    The interval is made from the ordered means of all non-empty subsets of patients (Hartigan 1969, JASA 64:1303),
    which has exact coverage for symmetric differences; it does not exist if ``2 / 2^n > 1 - level``.
    """
    n = np.isfinite(diff).sum(axis=1)
    reason = _too_few(n, least)
    effect, low, high, p, floor = (np.full(len(n), np.nan) for _ in range(5))
    for size in sorted(set(n[n >= least].tolist())):
        rows = np.flatnonzero(n == size)
        block = diff[rows][np.isfinite(diff[rows])].reshape(len(rows), size)
        signs, exact = _signs(size, seed)
        effect[rows] = block.mean(axis=1)
        observed = np.abs(block.sum(axis=1))
        slack = 1e-9 * np.abs(block).sum(axis=1)
        floor[rows] = 2.0 / 2**size if exact else 1.0 / SAMPLED
        subsets = (signs < 0).astype(float)
        sizes = subsets.sum(axis=1)
        subsets, sizes = subsets[sizes > 0], sizes[sizes > 0]
        k = int(np.floor((1 - level) / 2 * (len(subsets) + 1) + 1e-9))
        for start in range(0, len(rows), 256):
            part = slice(start, start + 256)
            null = np.abs(block[part] @ signs.T)
            p[rows[part]] = (null >= (observed[part] - slack[part])[:, None]).mean(axis=1)
            if k >= 1:
                means = np.sort(block[part] @ subsets.T / sizes, axis=1)
                low[rows[part]], high[rows[part]] = means[:, k - 1], means[:, -k]
        if k < 1:
            for i in rows:
                reason[i] = f"no {level:.0%} interval from {size} patients: the least p is {2 / 2**size:.3g}"
    blank = np.full(len(n), np.nan)
    return Tested(n, effect, blank, blank, low, high, p, floor, reason)


def welch(first: Floats, second: Floats, level: float = 0.95, least: int = 3) -> Tested:
    """Difference of the mean per-patient differences of two arms, variances of the arms apart (Welch 1947)."""
    n1, n2 = np.isfinite(first).sum(axis=1), np.isfinite(second).sum(axis=1)
    reason = _too_few(np.minimum(n1, n2), least)
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
            half = stats.t.ppf(0.5 + level / 2, df[ok]) * se[ok]
            p[ok] = 2 * stats.t.sf(np.abs(effect[ok]) / se[ok], df[ok])
        low[ok], high[ok] = effect[ok] - half, effect[ok] + half
        for i in np.flatnonzero(ok)[flat]:
            reason[i] = "the difference is the same in every patient, no variance to test with"
    return Tested(n1 + n2, effect, se, df, low, high, p, np.where(np.isfinite(p), 0.0, np.nan), reason)


def relabel(first: Floats, second: Floats, seed: int = 0, least: int = 3) -> Tested:
    """Exact permutation test of two arms: every way to deal the patients into arms of these sizes.

    The least two-sided p is 2 / C(n, n1) (1 / C for arms of unequal size that cannot mirror each other).
    """
    n1, n2 = np.isfinite(first).sum(axis=1), np.isfinite(second).sum(axis=1)
    reason = _too_few(np.minimum(n1, n2), least)
    effect, p, floor = (np.full(len(n1), np.nan) for _ in range(3))
    blank = np.full(len(n1), np.nan)
    pairs = sorted({(int(a), int(b)) for a, b in zip(n1, n2, strict=True) if min(a, b) >= least})
    for a, b in pairs:
        rows = np.flatnonzero((n1 == a) & (n2 == b))
        x = first[rows][np.isfinite(first[rows])].reshape(len(rows), a)
        y = second[rows][np.isfinite(second[rows])].reshape(len(rows), b)
        both = np.hstack([x, y])
        weights, exact = _dealings(a, b, seed)
        effect[rows] = x.mean(axis=1) - y.mean(axis=1)
        null = np.abs(both @ weights.T)
        slack = 1e-9 * np.abs(both).sum(axis=1)
        p[rows] = (null >= (np.abs(effect[rows]) - slack)[:, None]).mean(axis=1)
        floor[rows] = (2.0 if a == b else 1.0) / len(weights) if exact else 1.0 / len(weights)
    return Tested(n1 + n2, effect, blank, blank, blank, blank, p, floor, reason)


def _dealings(a: int, b: int, seed: int) -> tuple[Floats, bool]:
    """Contrast weights (+1/a, -1/b) of every dealing of a + b patients, or of SAMPLED random ones."""
    exact = bool(special.comb(a + b, a, exact=True) <= EXACT_RELABELLINGS)
    if exact:
        chosen = np.array(list(combinations(range(a + b), a)))
    else:
        drawn = rng(seed, "relabel", a, b).permuted(np.tile(np.arange(a + b), (SAMPLED, 1)), axis=1)
        drawn[0] = np.arange(a + b)
        chosen = drawn[:, :a]
    weights = np.full((len(chosen), a + b), -1.0 / b)
    np.put_along_axis(weights, chosen, 1.0 / a, axis=1)
    return weights, exact
