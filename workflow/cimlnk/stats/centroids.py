"""Permutation tests of group centroids, many data sets of one design at once (vectors, not distances)."""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

from .exact import dealings
from .one_sided import OneSided
from .permutation import label_patterns, orders_within

Floats = NDArray[np.float64]


def groups_within_blocks(
    x: Floats, labels: NDArray, blocks: NDArray, *, permutations: int = 199, seed: int = 0
) -> tuple[OneSided, Floats]:
    """Do `labels` explain the rows beyond what labels shuffled within blocks do (Anderson 2001, Euclidean distances)?

    Parameters
    ----------
    x : (data sets, rows, features)
    labels, blocks
        Of every row; the same design in all data sets.
    permutations, seed
        Shuffles, drawn once for all data sets.

    Returns
    -------
    OneSided, share
        p counts the observed order too. Share: between-label part of the sum of squares within blocks, per data set.
    """
    labels, blocks = np.asarray(labels, dtype=object).astype(str), np.asarray(blocks, dtype=object).astype(str)
    centred = np.asarray(x, float).copy()
    for b in np.unique(blocks):
        rows = blocks == b
        centred[:, rows] -= centred[:, rows].mean(axis=1, keepdims=True)
    names, code, counts = np.unique(labels, return_inverse=True, return_counts=True)
    flat = np.moveaxis(centred, 1, 0).reshape(len(labels), -1)
    total = (centred**2).sum(axis=(1, 2))

    def between(order: NDArray[np.int64]) -> Floats:
        member = (code.ravel()[order] == np.arange(len(names))[:, None]) / np.sqrt(counts)[:, None]
        return ((member @ flat) ** 2).reshape(len(names), *centred.shape[::2]).sum(axis=(0, 2))

    seen = between(np.arange(len(labels)))
    hits = np.ones(len(centred))
    for order in _orders(tuple(blocks), permutations, seed):
        hits += between(order) >= seen - 1e-9 * np.maximum(total, 1e-300)
    floor = max(1.0 / label_patterns(labels, blocks), 1.0 / (permutations + 1))
    p = np.maximum(hits / (permutations + 1), floor)
    return OneSided(p, floor), np.divide(seen, total, out=np.zeros_like(seen), where=total > 0)


@lru_cache(maxsize=8)
def _orders(blocks: tuple[str, ...], permutations: int, seed: int) -> list[NDArray[np.int64]]:
    """Shuffles of a design: the same for every data set that has it."""
    return orders_within(np.array(blocks), permutations, rng(seed, "groups_within_blocks"))


def two_groups(first: Floats, second: Floats, *, seed: int = 0) -> tuple[OneSided, Floats]:
    """Do two groups of vectors differ? Exact relabelling of the distance between their means.

    Parameters
    ----------
    first, second : (data sets, patients, features)

    Returns
    -------
    OneSided, distance
        The floor is 1 / C(n + m, n), twice that for groups of one size, which relabelling can mirror.
    """
    n, m = first.shape[1], second.shape[1]
    weights, exact = dealings(n, m, seed)
    both = np.concatenate([first, second], axis=1)
    apart = weights @ np.moveaxis(both, 1, 0).reshape(n + m, -1)  # dealings × (data sets × features)
    null = (apart**2).reshape(len(weights), len(both), -1).sum(axis=2).T
    seen = ((first.mean(axis=1) - second.mean(axis=1)) ** 2).sum(axis=1)
    p = (null >= (seen - 1e-9 * null.max(axis=1))[:, None]).mean(axis=1)
    ways = comb(n + m, n) if exact else len(weights)
    return OneSided(p, min(1.0, (2.0 if n == m else 1.0) / ways)), np.sqrt(seen)
