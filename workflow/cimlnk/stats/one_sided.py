"""One-sided exact tests of many data sets of one design at once: signs within patients, ranks between groups."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .exact import dealings, sign_patterns

Floats = NDArray[np.float64]


class OneSided(NamedTuple):
    """p of each data set, and the smallest p that a design of this size can give."""

    p: Floats
    p_floor: float


def rise(difference: Floats, *, seed: int = 0) -> OneSided:
    """Are the differences above zero? Exact sign flips of their mean (Fisher's randomisation test for pairs).

    Parameters
    ----------
    difference : (data sets, patients)
        Without NaN. A difference of zero counts for neither side.
    seed
        Only used above 16 patients, where signs are sampled.

    Returns
    -------
    OneSided
        The floor is 1 / 2^patients: 0.016 for six, 0.031 for five, 0.125 for three.

    Examples
    --------
    >>> rise(np.array([[1.0, 2.0, 1.5, 0.5, 1.0]])).p
    array([0.03125])
    """
    d = np.atleast_2d(np.asarray(difference, float))
    n = d.shape[1]
    if n == 0:
        return OneSided(np.full(len(d), np.nan), 1.0)
    patterns, exact = sign_patterns(n, seed)
    total = d.sum(axis=1)
    slack = 1e-9 * np.abs(d).sum(axis=1)
    p = np.empty(len(d))
    step = max(1, 4_000_000 // len(patterns))
    for start in range(0, len(d), step):
        part = slice(start, start + step)
        p[part] = (d[part] @ patterns.T >= (total[part] - slack[part])[:, None]).mean(axis=1)
    return OneSided(p, 0.5**n if exact else 1.0 / len(patterns))


def rank_sum(first: Floats, second: Floats, *, two_sided: bool = False, seed: int = 0) -> OneSided:
    """Is `first` above `second`? Exact rank-sum test (Mann & Whitney 1947), ties by mid-ranks.

    Parameters
    ----------
    first, second : (data sets, patients)
        Without NaN.
    two_sided
        Ask for a difference in either direction.
    seed
        Only used where the ways to deal the patients are too many to enumerate.

    Returns
    -------
    OneSided
        The floor is 1 / C(n + m, n), twice that if two-sided: 0.0022 for six against six, 0.1 for three against three.

    Examples
    --------
    >>> found = rank_sum(np.array([[4.0, 5.0, 6.0]]), np.array([[1.0, 2.0, 3.0]]))
    >>> print(f"{found.p[0]:.2f} {found.p_floor:.2f}")
    0.05 0.05
    """
    from scipy import stats  # half a second, which most rules that use other statistics do not need

    x, y = np.atleast_2d(np.asarray(first, float)), np.atleast_2d(np.asarray(second, float))
    n, m = x.shape[1], y.shape[1]
    if min(n, m) == 0:
        return OneSided(np.full(len(x), np.nan), 1.0)
    ranks = stats.rankdata(np.hstack([x, y]), axis=1)
    weights, exact = dealings(n, m, seed)
    null, seen = ranks @ weights.T, ranks[:, :n].mean(axis=1) - ranks[:, n:].mean(axis=1)
    if two_sided:
        null, seen = np.abs(null), np.abs(seen)
    p = (null >= (seen - 1e-9)[:, None]).mean(axis=1)
    ways = comb(n + m, n) if exact else len(weights)
    return OneSided(p, min(1.0, (2.0 if two_sided else 1.0) / ways))
