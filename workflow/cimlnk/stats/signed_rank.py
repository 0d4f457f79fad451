"""Wilcoxon's signed-rank test of a few patients, exact, with its floor; many rows at once."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .paired import Tested, few_pairs
from .ranks import mid_ranks

Floats = NDArray[np.float64]


def signed_rank(diff: Floats, level: float = 0.95, least: int = 3) -> Tested:
    """Exact signed-rank test of differences symmetric about zero, with the Hodges-Lehmann estimate and interval.

    Zeros are ranked and then dropped from the statistic (Pratt 1959, JASA 54:655), ties get mid-ranks; the null
    distribution is that of the ranks at hand over all 2^n signs, so p is exact with ties too. The least two-sided p is
    2 / 2^n: 0.031 for six patients, 0.0625 for five; differences of zero have no sign, so that only the other m
    patients count: 2 / 2^m. The interval is made from Walsh averages (Hodges & Lehmann 1963,
    Ann Math Stat 34:598) and does not exist where 2 / 2^n > 1 - `level`.

    Parameters
    ----------
    diff
        Rows × patients (at most 20), NaN where a patient lacks one of the time points.
    level
        Coverage of the interval.
    least
        Fewest patients for which anything is computed.

    Returns
    -------
    Tested
        `effect` is the Hodges-Lehmann estimate; `se` and `df` are NaN.
    """
    n = np.isfinite(diff).sum(axis=1)
    effect, low, high, p, floor = (np.full(len(n), np.nan) for _ in range(5))
    reason = np.full(len(n), None, dtype=object)
    for i, row in enumerate(diff):
        d = row[np.isfinite(row)]
        if len(d) < least:
            reason[i] = few_pairs(len(d), least)
            continue
        effect[i], low[i], high[i], p[i] = _one(d, level)
        floor[i] = min(1.0, 2.0 / 2 ** int((d != 0).sum()))
        if np.isnan(low[i]):
            reason[i] = f"no {level:.0%} interval from {len(d)} patients: the least p is {2.0 / 2 ** len(d):.3g}"
    blank = np.full(len(n), np.nan)
    return Tested(n, effect, blank, blank, low, high, p, floor, reason)


def _one(d: Floats, level: float) -> tuple[float, float, float, float]:
    ranks = mid_ranks(np.abs(d))
    ranks[d == 0] = 0.0
    doubled = np.rint(2 * ranks).astype(np.int64)  # mid-ranks are halves
    counts = _sums(tuple(sorted(doubled.tolist())))
    total = doubled.sum()
    statistic = int(doubled[d > 0].sum())
    distance = abs(2 * statistic - total)
    values = np.abs(2 * np.arange(len(counts)) - total)
    p = float(counts[values >= distance].sum() / counts.sum())
    walsh = np.sort([(a + b) / 2 for k, a in enumerate(d) for b in d[k:]])
    plain = _sums(tuple(range(1, len(d) + 1)))
    lower = np.cumsum(plain) / plain.sum()
    k = int(np.searchsorted(lower, (1 - level) / 2 + 1e-12, side="right"))  # number of averages cut off on each side
    if k < 1:
        return float(np.median(walsh)), np.nan, np.nan, p
    return float(np.median(walsh)), float(walsh[k - 1]), float(walsh[-k]), p


@cache
def _sums(ranks: tuple[int, ...]) -> Floats:
    """How many of the 2^n sign patterns give each sum of positive ranks."""
    counts = np.ones(1)
    for rank in ranks:
        longer = np.zeros(len(counts) + rank)
        longer[: len(counts)] += counts
        longer[rank:] += counts
        counts = longer
    return counts
