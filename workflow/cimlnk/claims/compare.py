"""Small exact statistics on a handful of patients."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd


def paired(table: pd.DataFrame, value: str, before: pd.Series, *, after: pd.Series) -> pd.DataFrame:
    """One row per patient that has both: mean `value` before and after.

    Parameters
    ----------
    before, after
        Row masks of `table`.

    Returns
    -------
    DataFrame
        Index patient; columns before, after, difference.
    """
    b = table[before].groupby("patient")[value].mean()
    a = table[after].groupby("patient")[value].mean()
    both = pd.DataFrame({"before": b, "after": a}).dropna()
    return both.assign(difference=both["after"] - both["before"])


def mann_whitney(x: np.ndarray, y: np.ndarray) -> float:
    """Exact two-sided p of the rank-sum test (Mann & Whitney 1947), ties by mid-ranks and full enumeration.

    Enumerates all assignments up to 200,000 and uses the normal approximation beyond.
    """
    from math import comb

    from scipy.stats import mannwhitneyu, rankdata

    n, m = len(x), len(y)
    if comb(n + m, n) > 200_000:
        return float(mannwhitneyu(x, y, alternative="two-sided", method="asymptotic").pvalue)
    ranks = rankdata(np.concatenate([x, y]))
    middle = n * (n + m + 1) / 2
    seen = abs(ranks[:n].sum() - middle)
    sums = np.array([ranks[list(c)].sum() for c in itertools.combinations(range(n + m), n)])
    return float((np.abs(sums - middle) >= seen - 1e-9).mean())


def clr(fractions: pd.DataFrame, pseudo: float = 0.002) -> pd.DataFrame:
    """Centred log-ratio (Aitchison 1982) of rows of fractions, zeros lifted by `pseudo` of a sample's cells."""
    logs = np.log(fractions + pseudo)
    return logs.sub(logs.mean(axis=1), axis=0)


def between_share(x: np.ndarray, groups: np.ndarray) -> float:
    """Share of the total sum of squares that lies between groups (R² of a PERMANOVA on Euclidean distances)."""
    centred = x - x.mean(axis=0)
    total = float((centred**2).sum())
    between = sum(
        (groups == g).sum() * float((centred[groups == g].mean(axis=0) ** 2).sum()) for g in np.unique(groups)
    )
    return between / total if total > 0 else 0.0


def blocked_permutation(
    x: np.ndarray, groups: np.ndarray, blocks: np.ndarray, *, rng: np.random.Generator, n_permutations: int = 999
) -> tuple[float, float, float]:
    """Does `groups` explain the rows of `x` beyond what labels shuffled within blocks do (Anderson 2001)?

    Returns
    -------
    statistic
        Between-group share of the sum of squares after removing each block's mean.
    p
        (1 + permutations at least as large) / (1 + permutations).
    floor
        Smallest p these labels can give: 1/(1 + permutations), or that of the possible arrangements if fewer.
    """
    from math import factorial, prod

    x = x.astype(float).copy()
    for b in np.unique(blocks):
        x[blocks == b] -= x[blocks == b].mean(axis=0)
    seen = between_share(x, groups)
    hits = 0
    members = [np.flatnonzero(blocks == b) for b in np.unique(blocks)]
    shuffled = groups.copy()
    for _ in range(n_permutations):
        for rows in members:
            shuffled[rows] = groups[rng.permutation(rows)]
        hits += between_share(x, shuffled) >= seen - 1e-12
    arrangements = prod(factorial(len(m)) for m in members)
    return seen, (1 + hits) / (1 + n_permutations), max(1 / (1 + n_permutations), 1 / arrangements)
