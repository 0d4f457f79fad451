"""Doublets told by the company they keep and by their depth, with their share estimated from the sample itself.

As in Scrublet (Wolock et al., Cell Systems 2019) doublets are simulated by adding the counts of random pairs of cells,
and a cell is suspect if simulated doublets are many among its nearest neighbours. Two cells of one kind cannot be
found that way; but their sum is deeper than the cells around it. Both signs are joined, in the spirit of scDblFinder
(Germain et al., F1000Research 2022), by a logistic regression of simulated doublets on observed cells. Observed cells
are singlets and an unknown share of doublets, which is estimated from the tail of their scores; an
expectation-maximisation then weighs the cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cimlnk.common.seeds import rng

from .components import CLIP, components
from .normalise import normalise
from .variable import excess_variance, moments

PER_CELL = 2  # simulated doublets per cell
N_GENES = 1000
LOCAL = 20  # neighbours whose median depth is the local depth
BLOCK = 1024  # rows of the distance matrix held at a time
RIDGE = 1.0
TAIL = 20  # cells
MOST = 0.4  # largest share of doublets believed
ITERATIONS, TOLERANCE = 200, 1e-6


@dataclass(frozen=True)
class Mixture:
    """Probability of being a doublet per cell, the estimated share of doublets, and whether the fit came to rest."""

    probability: np.ndarray
    share: float
    converged: bool


def doublet_probability(counts: sp.csr_matrix, seed: int, sample: str, *, share: float | None = None) -> Mixture:
    """Probability of each cell of being a doublet.

    Parameters
    ----------
    counts
        cells x genes, raw counts of cells that passed quality control.
    seed, sample
        Name the random stream.
    share
        Known share of doublets; None estimates it.
    """
    from threadpoolctl import threadpool_limits

    n = counts.shape[0]
    random = rng(seed, "rna doublets", sample)
    one, other = random.integers(0, n, PER_CELL * n), random.integers(0, n, PER_CELL * n)
    simulated = sp.csr_matrix(counts[one] + counts[other])
    # One thread: the last bits of a matrix product, and with them a neighbour, depend on the number of threads.
    with threadpool_limits(1):
        among, depth = _signs(counts, simulated)
        features = np.column_stack([among, depth, among * depth, among**2, depth**2])
        features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
        features = np.column_stack([np.ones(len(features)), features])
        return _fit(features[:n], features[n:], share)


def _signs(counts: sp.csr_matrix, simulated: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """For cells, then simulated doublets: log odds of simulated neighbours, log depth over that of the neighbours."""
    n = counts.shape[0]
    logs = normalise(counts)
    excess = excess_variance(moments([("all", logs)]))
    genes = np.sort(np.argsort(-excess, kind="stable")[: min(N_GENES, max(2, int((excess > 0).sum())))])
    x, y = logs[:, genes].toarray(), normalise(simulated)[:, genes].toarray()
    mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, ddof=1, dtype=np.float64)
    spread[spread == 0] = 1.0
    x, y = (np.clip((v - mean) / spread, -CLIP, CLIP).astype(np.float32) for v in (x, y))
    found = components(x, None)
    offset = x.mean(axis=0, dtype=np.float64)
    places = np.vstack([found.scores, ((y - offset) @ found.loadings).astype(np.float32)])
    k = max(5, round(0.5 * np.sqrt(n) * (1 + PER_CELL)))
    depth = np.log(np.concatenate([np.asarray(m.sum(axis=1), dtype=float).ravel() for m in (counts, simulated)]))
    share, local = np.empty(len(places)), np.empty(len(places))
    squares = (places**2).sum(axis=1)
    for start in range(0, len(places), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(places)))
        distances = squares[None, :] - 2 * (places[rows] @ places.T)
        distances[np.arange(len(rows)), rows] = np.inf
        share[rows] = (_nearest(distances, k) >= n).mean(axis=1)
        local[rows] = np.median(depth[_nearest(distances[:, :n], min(LOCAL, n - 1))], axis=1)
    return np.log((share + 0.01) / (1 - share + 0.01)), depth - local


def _nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """Columns of the k least entries of every row.

    Found by the k-th least value, which takes a tenth of the time of sorting positions; only rows where several
    entries equal it have their positions sorted.
    """
    inside = distances <= np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    tied = np.flatnonzero(inside.sum(axis=1) != k)
    chosen = np.argpartition(distances[tied], k, axis=1)[:, :k]
    inside[tied] = False
    inside[tied[:, None], chosen] = True
    return np.nonzero(inside)[1].reshape(len(distances), k)


def _fit(cells: np.ndarray, simulated: np.ndarray, known: float | None) -> Mixture:
    """Positive-unlabelled logistic regression: odds of simulated doublets over singlets, and the doublets' share."""
    x = np.vstack([simulated, cells])
    label = np.repeat([1.0, 0.0], [len(simulated), len(cells)])
    beta = np.zeros(x.shape[1])
    probability = np.zeros(len(cells))
    share, converged = known, False
    for _ in range(ITERATIONS):
        single = 1.0 - probability
        # Both classes weigh the same, so that the fitted odds are the ratio of their densities.
        weight = np.concatenate([np.full(len(simulated), single.sum() / len(simulated)), single])
        beta = _logistic(x, label, weight, beta=beta)
        if share is None:
            share = _largest_share(cells @ beta, simulated @ beta)
        odds = np.exp(np.clip(cells @ beta, -30, 30)) * share / (1.0 - share)
        updated = odds / (1.0 + odds)
        moved = np.abs(updated - probability).max()
        probability = updated
        if moved < TOLERANCE:
            converged = True
            break
    assert share is not None  # set in the first round
    return Mixture(probability, float(share), converged)


def _largest_share(cells: np.ndarray, simulated: np.ndarray) -> float:
    """Largest share of doublets the cells' scores allow: the least ratio of the two upper tails.

    Of the cells above a score, at least the share of doublets times the simulated doublets' fraction above it are
    doublets; so no share above the ratio of the tails is possible, and where only doublets are left it is reached.
    Tails of fewer than ``TAIL`` cells are too uncertain. Estimating the share within the iterations instead lets it
    drift to zero where the regression is too smooth to isolate the doublets.
    """
    ordered = np.sort(cells)[::-1]
    above = np.arange(TAIL, len(cells) // 2 + 1)
    fraction = 1.0 - np.searchsorted(np.sort(simulated), ordered[above - 1], side="left") / len(simulated)
    seen = fraction > 0
    if not seen.any():
        return MOST
    return float(min(MOST, (above[seen] / len(cells) / fraction[seen]).min()))


def _logistic(x: np.ndarray, label: np.ndarray, weight: np.ndarray, *, beta: np.ndarray) -> np.ndarray:
    """Weighted ridge logistic regression by Newton's method (the intercept, column 0, is free)."""
    ridge = np.full(x.shape[1], RIDGE)
    ridge[0] = 0.0
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (weight * (label - p)) - ridge * beta
        curvature = (x * (weight * p * (1.0 - p))[:, None]).T @ x + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta
