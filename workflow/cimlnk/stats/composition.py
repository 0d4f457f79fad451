"""Compositions: log-ratios and distances between rows of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def jensen_shannon(counts: NDArray[np.number]) -> Floats:
    """Square root of the Jensen-Shannon divergence (base 2) between all rows; a metric between 0 and 1.

    Endres & Schindelin 2003 (IEEE Trans Inf Theory 49:1858).
    """
    p = counts / counts.sum(axis=1, keepdims=True)
    n = len(p)
    result = np.zeros((n, n))

    def entropy(q: Floats) -> Floats:
        return -np.where(q > 0, q * np.log2(np.where(q > 0, q, 1)), 0).sum(axis=-1)

    own = entropy(p)
    for i in range(n):
        divergence = entropy((p[i] + p) / 2) - (own[i] + own) / 2
        result[i] = np.sqrt(np.clip(divergence, 0, 1))
    np.fill_diagonal(result, 0)
    return (result + result.T) / 2


def clr(shares: Floats, *, pseudo: float = 0.002) -> Floats:
    """Centred log-ratios (natural logarithm; Aitchison 1982) of shares along the last axis.

    `pseudo` is a share, not a count: half a cell would lift a zero among 500 cells sixteen times higher than one among
    8,000, so that samples of unequal depth would differ in every population that they lack.

    Parameters
    ----------
    shares : (..., parts)
        Shares of each sample, 0 to 1.
    pseudo
        Added to every share; 0.002 is a population of two cells in a thousand.

    Examples
    --------
    >>> clr(np.array([0.5, 0.5]))
    array([0., 0.])
    """
    logs = np.log(np.asarray(shares, dtype=float) + pseudo)
    return logs - logs.mean(axis=-1, keepdims=True)


def aitchison(counts: NDArray[np.number], pseudo: float = 0.5) -> Floats:
    """Euclidean distance between centred log-ratios (Aitchison 1986); `pseudo` is added to every count."""
    logs = np.log(np.asarray(counts, dtype=float) + pseudo)
    clr = logs - logs.mean(axis=1, keepdims=True)
    return np.sqrt(((clr[:, None] - clr[None]) ** 2).sum(axis=-1))
