"""Exact tests of a handful of patients: every sign flipped, every patient dealt to every arm."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from cimlnk.common.seeds import rng

from .paired import Tested, too_few

Floats = NDArray[np.float64]


EXACT_PATIENTS = 16  # 2^16 sign vectors are still cheap; above it they are sampled


EXACT_RELABELLINGS = 20_000


SAMPLED = 20_000


@lru_cache(maxsize=4)
def sign_patterns(n: int, seed: int) -> tuple[NDArray[np.floating], bool]:
    """Sign vectors of `n` patients (patterns × patients, read only), and whether they are all or a sample."""
    if n <= EXACT_PATIENTS:
        codes = np.arange(2**n, dtype=np.int64)[:, None] >> np.arange(n)
        return 1.0 - 2.0 * (codes & 1), True
    drawn = rng(seed, "sign_flip", n).choice([-1.0, 1.0], size=(SAMPLED, n))
    drawn[0] = 1.0
    return drawn, False


def sign_flip(diff: Floats, level: float = 0.95, seed: int = 0, *, least: int = 3) -> Tested:
    """Exact sign-flip test of a zero difference (Fisher's randomisation test for pairs) and its interval.

    All ``2^n`` sign patterns are enumerated up to 16 patients, sampled above. The least two-sided p is ``2 / 2^m`` for
    m patients whose difference is not zero.
    The interval is made from the ordered means of all non-empty subsets of patients (Hartigan 1969, JASA 64:1303),
    which has exact coverage for symmetric differences; it does not exist if ``2 / 2^n > 1 - level``.

    Examples
    --------
    Six patients allow no p below 2 / 2^6:

    >>> import numpy as np
    >>> from cimlnk.stats import sign_flip
    >>> sign_flip(np.array([[1.0, 1.2, 0.9, 1.1, 1.3, 0.8]])).p.tolist()
    [0.03125]
    """
    n = np.isfinite(diff).sum(axis=1)
    reason = too_few(n, least)
    effect, low, high, p, floor = (np.full(len(n), np.nan) for _ in range(5))
    for size in sorted(set(n[n >= least].tolist())):
        rows = np.flatnonzero(n == size)
        block = diff[rows][np.isfinite(diff[rows])].reshape(len(rows), size)
        signs, exact = sign_patterns(size, seed)
        effect[rows] = block.mean(axis=1)
        observed = np.abs(block.sum(axis=1))
        slack = 1e-9 * np.abs(block).sum(axis=1)
        moved = (block != 0).sum(axis=1)  # a difference of zero has no sign: flipping it makes no further pattern
        floor[rows] = np.minimum(1.0, 2.0 / 2.0**moved) if exact else 1.0 / SAMPLED
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


def relabel(first: Floats, second: Floats, seed: int = 0, *, least: int = 3) -> Tested:
    """Exact permutation test of two arms: every way to deal the patients into arms of these sizes.

    The least two-sided p is 2 / C(n, n1) (1 / C for arms of unequal size that cannot mirror each other).
    """
    n1, n2 = np.isfinite(first).sum(axis=1), np.isfinite(second).sum(axis=1)
    reason = too_few(np.minimum(n1, n2), least)
    effect, p, floor = (np.full(len(n1), np.nan) for _ in range(3))
    blank = np.full(len(n1), np.nan)
    pairs = sorted({(int(a), int(b)) for a, b in zip(n1, n2, strict=True) if min(a, b) >= least})
    for a, b in pairs:
        rows = np.flatnonzero((n1 == a) & (n2 == b))
        x = first[rows][np.isfinite(first[rows])].reshape(len(rows), a)
        y = second[rows][np.isfinite(second[rows])].reshape(len(rows), b)
        both = np.hstack([x, y])
        weights, exact = dealings(a, b, seed)
        effect[rows] = x.mean(axis=1) - y.mean(axis=1)
        null = np.abs(both @ weights.T)
        slack = 1e-9 * np.abs(both).sum(axis=1)
        p[rows] = (null >= (np.abs(effect[rows]) - slack)[:, None]).mean(axis=1)
        # The most extreme dealing may be reached in several ways: by mirroring equal arms, or by exchanging ties.
        extreme = null.max(axis=1) - slack
        floor[rows] = (null >= extreme[:, None]).mean(axis=1) if exact else 1.0 / len(weights)
    return Tested(n1 + n2, effect, blank, blank, blank, blank, p, floor, reason)


@lru_cache(maxsize=4)
def dealings(a: int, b: int, seed: int) -> tuple[Floats, bool]:
    """Contrast weights (+1/a, -1/b; read only) of every dealing of a + b patients, or of SAMPLED random ones."""
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
