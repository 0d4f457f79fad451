"""Permutation tests on distances between samples that respect who the samples come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

Floats = NDArray[np.float64]
NOTHING_TO_EXCHANGE = "no block has two samples with different labels"


class Permuted(NamedTuple):
    """Statistic, effect size, p, least p reachable and number of permutations (0: not testable, see `reason`)."""

    statistic: float
    effect: float
    p: float
    p_floor: float
    permutations: int
    reason: str | None


def orders_within(blocks: NDArray, count: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """`count` random orders of the rows that only move rows within their block."""
    members = [np.flatnonzero(blocks == b) for b in np.unique(blocks)]
    orders = []
    for _ in range(count):
        order = np.arange(len(blocks))
        for m in members:
            order[m] = generator.permutation(m)
        orders.append(order)
    return orders


def label_patterns(labels: NDArray, blocks: NDArray) -> float:
    """How many label patterns permutation within blocks can make."""
    log_patterns = 0.0
    for b in np.unique(blocks):
        _, counts = np.unique(labels[blocks == b].astype(str), return_counts=True)
        log_patterns += float(np.log(np.arange(1, counts.sum() + 1)).sum())
        log_patterns -= float(sum(np.log(np.arange(1, c + 1)).sum() for c in counts))
    return float(np.exp(min(log_patterns, 700)))


def permute(
    statistic: Callable[[NDArray], tuple[float, float]],
    labels: Sequence[object] | NDArray,
    blocks: Sequence[object] | NDArray,
    *,
    permutations: int = 999,
    seed: int = 0,
    name: str = "permute",
) -> Permuted:
    """p of ``statistic(labels)`` when labels are exchanged within blocks only (large values speak against chance).

    The observed order is counted too, so p is at least 1 / (permutations + 1); and p can never be below
    1 / number of distinct label patterns, which is the floor reported for few samples.
    """
    # Codes stay numbers: a permutation of objects compares them one by one.
    labels_ = labels if isinstance(labels, np.ndarray) else np.asarray(labels, dtype=object)
    blocks_ = np.asarray(blocks, dtype=object).astype(str)
    patterns = label_patterns(labels_, blocks_)
    if patterns < 2:
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, NOTHING_TO_EXCHANGE)
    observed, effect = statistic(labels_)
    orders = orders_within(blocks_, permutations, rng(seed, name))
    null = np.array([statistic(labels_[order])[0] for order in orders])
    p = (1 + int((null >= observed - 1e-12 * max(1.0, abs(observed))).sum())) / (permutations + 1)
    floor = max(1 / patterns, 1 / (permutations + 1))
    return Permuted(observed, effect, max(p, floor), floor, permutations, None)


def permanova(
    distance: Floats,
    labels: Sequence[object] | NDArray,
    blocks: Sequence[object] | NDArray,
    *,
    unequal: bool = False,
    permutations: int = 999,
    seed: int = 0,
    name: str = "permanova",
) -> Permuted:
    """PERMANOVA (Anderson 2001, Austral Ecol 26:32) with permutation within blocks.

    The statistic is pseudo-F of the labels after the blocks: to ask for a time effect give time points as labels and
    patients as blocks; to ask for a donor effect give donors as labels and whatever else differs between donors (arm,
    time point, batch) as blocks. ``effect`` is the partial R^2: the labels' share of the squared distance that is left
    within the blocks.

    Parameters
    ----------
    unequal
        Labels may differ in how far their samples scatter (one noisy day): the statistic is Welch's for distances
        (Hamidi et al. 2019, Microbiome 7:51) of what the blocks leave, each label's mean weighted by its own scatter.
        Pseudo-F takes unequal scatter for unequal place.

    Examples
    --------
    Two groups of three samples, far apart, in one block:

    >>> import numpy as np
    >>> from cimlnk.stats import permanova
    >>> at = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2])
    >>> found = permanova(abs(at[:, None] - at), list("aaabbb"), [0] * 6, permutations=199)
    >>> bool(found.effect > 0.9)
    True
    """
    if label_patterns(np.asarray(labels, dtype=object), np.asarray(blocks, dtype=object).astype(str)) < 2:
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, NOTHING_TO_EXCHANGE)
    n = len(distance)
    centred = -0.5 * distance**2
    centred = centred - centred.mean(axis=0) - centred.mean(axis=1)[:, None] + centred.mean()
    block_design = _dummies(np.asarray(blocks, dtype=object).astype(str))
    reduced = _hat(block_design)
    total = float(np.trace(centred))
    within = total - float(np.einsum("ij,ji->", reduced, centred))

    def statistic(order: NDArray) -> tuple[float, float]:
        design = np.hstack([block_design, _dummies(order.astype(str))])
        full = _hat(design)
        gained = float(np.einsum("ij,ji->", full - reduced, centred))
        left = total - float(np.einsum("ij,ji->", full, centred))
        df_gained = round(float(np.trace(full - reduced)))
        df_left = n - round(float(np.trace(full)))
        if df_gained < 1 or df_left < 1 or left <= 0:
            return np.nan, np.nan
        return (gained / df_gained) / (left / df_left), gained / within

    if within <= 1e-12 * max(total, 1e-300) or total <= 0:
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, "all samples of a block are the same")
    observed = statistic(np.asarray(labels, dtype=object))
    if not np.isfinite(observed[0]):
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, "labels and blocks leave no degree of freedom")
    if unequal:
        keep = np.eye(n) - reduced
        welch = _welch(keep @ centred @ keep)
        found = permute(welch, labels, blocks, permutations=permutations, seed=seed, name=name)
        return found._replace(effect=observed[1])
    return permute(statistic, labels, blocks, permutations=permutations, seed=seed, name=name)


def _welch(residual: Floats) -> Callable[[NDArray], tuple[float, float]]:
    """Welch's statistic of the labels from the inner products of what the blocks leave; its second value is unused.

    A label's scatter counts the mean scatter once among its samples: two or three of them say little about it, and
    one says nothing.
    """
    squares = np.diag(residual)

    def statistic(labels: NDArray) -> tuple[float, float]:
        of = _dummies(labels.astype(str))
        count = of.sum(axis=0)
        mean = of / count
        products = mean.T @ residual @ mean
        apart = np.maximum(of.T @ squares - count * np.diag(products), 0.0)
        pooled = apart.sum() / max(count.sum() - len(count), 1.0)
        weight = count / np.maximum((apart + pooled) / count, 1e-12 * squares.sum())
        share = weight / weight.sum()
        value = weight @ np.diag(products) - weight.sum() * (share @ products @ share)
        return float(value), np.nan

    return statistic


def _dummies(labels: NDArray) -> Floats:
    return (labels[:, None] == np.unique(labels)[None]).astype(float)


def _hat(design: Floats) -> Floats:
    u, s, _ = np.linalg.svd(design, full_matrices=False)
    u = u[:, s > 1e-9 * s.max()]
    return u @ u.T


def donor_identity(
    distance: Floats,
    donor: Sequence[object] | NDArray,
    blocks: Sequence[object] | NDArray,
    *,
    among: Sequence[object] | NDArray | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Permuted:
    """Is the nearest other sample of the same donor? Accuracy of this 1-nearest-neighbour guess over all samples.

    Donors with one sample cannot be recognised and are left out. p: donors exchanged within `blocks` (arm, time point
    and batch), so that an effect shared by all donors of a block cannot make donors look alike. ``effect`` is mean
    between-donor minus mean within-donor distance.

    Parameters
    ----------
    distance : (samples, samples)
    donor, blocks
        Of every sample.
    among
        Group of every sample (its batch) in which its nearest neighbour is looked for. Where all samples of a donor
        lie in one batch, a neighbour in another batch is foreign whoever the donor is, and the guess would be right
        for the batch's sake. None: all samples.
    permutations, seed
        See :func:`permute`.
    """
    donor_ = np.asarray(donor, dtype=object).astype(str)
    group = np.zeros(len(donor_), dtype=object) if among is None else np.asarray(among, dtype=object).astype(str)
    own = [f"{g}\t{d}" for g, d in zip(group, donor_, strict=True)]
    _, code, counts = np.unique(own, return_inverse=True, return_counts=True)
    keep = counts[code.ravel()] > 1
    if len(np.unique(donor_[keep])) < 2:
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, "fewer than two donors have two samples")
    off = (group[keep][:, None] == group[keep][None]) & ~np.eye(int(keep.sum()), dtype=bool)
    d = np.where(off, distance[np.ix_(keep, keep)], np.inf)
    told = d[off]
    if not told.size or np.ptp(told) <= 1e-9 * max(1.0, float(np.abs(told).max())):  # the first would be the nearest
        return Permuted(np.nan, np.nan, np.nan, np.nan, 0, "all samples are equally far apart")
    nearest = d.argmin(axis=1)
    _, code_of = np.unique(donor_[keep], return_inverse=True)
    code_of = code_of.ravel()
    same = (code_of[:, None] == code_of[None]) & off
    other = ~same & off
    gap = float(d[other].mean() - d[same].mean()) if same.any() and other.any() else np.nan

    def statistic(labels: NDArray) -> tuple[float, float]:
        return float((labels[nearest] == labels).mean()), gap

    blocks_ = np.asarray(blocks, dtype=object).astype(str)[keep]
    return permute(statistic, code_of, blocks_, permutations=permutations, seed=seed, name="donor_identity")
