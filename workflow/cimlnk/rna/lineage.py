"""Tell each cell's lineage from marker genes: a two-level count model fitted to the sample at hand.

The model follows the idea of CellAssign (Zhang et al., Nat Methods 2019): a marker is high in its own lineages and low
elsewhere, both rates are learned from the sample, and each cell gets a probability per lineage. Ours differs in being
robust per gene: a marker may be silent in a cell of its lineage (adaptive NK cells without FCER1G) or present in a
foreign one (CD3 transcripts in NK cells, ambient RNA), so no single gene can decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SILENT = 0.15  # chance that a cell of a lineage does not express one of its markers (fraction of the marker's weight)
STRAY = 0.02  # chance that a foreign cell does
DISPERSION = 2.0  # NB size: counts of one gene within one lineage have a variance of mu + mu^2 / 2
PRIOR_HIGH = 5e-4  # expected share of a marker in all counts of a cell of its lineage, before seeing the sample
PRIOR_LOW = 1e-5  # the same for other cells: ambient RNA
PRIOR_CELLS = 20.0  # how many cells of median depth the priors weigh
LEAST_FOLD = 4.0  # a marker is at least this much higher in its own lineages
NONE = "none"  # cells with the markers of no lineage


@dataclass(frozen=True)
class Lineages:
    """Result of :func:`assign_lineages`.

    Attributes
    ----------
    names
        Lineages, the last one being ``none``.
    probability
        cells x lineages, rows sum to 1.
    share
        Fitted share of each lineage in the sample.
    high, low
        Share of each gene in all counts of a cell, inside and outside its lineages.
    genes
        Order of `high` and `low`.
    converged
        Whether the fit came to rest.
    """

    names: tuple[str, ...]
    probability: np.ndarray
    share: np.ndarray
    high: np.ndarray
    low: np.ndarray
    genes: tuple[str, ...]
    converged: bool

    def of(self, names: Sequence[str]) -> np.ndarray:
        """Probability of belonging to any of `names`, per cell."""
        return self.probability[:, [self.names.index(n) for n in names]].sum(axis=1)

    def best(self) -> np.ndarray:
        """Most probable lineage of each cell."""
        return np.asarray(self.names, dtype=object)[self.probability.argmax(axis=1)]


def assign_lineages(
    counts: np.ndarray,
    depth: np.ndarray,
    genes: tuple[str, ...],
    *,
    markers: Mapping[str, tuple[str, ...]],
    max_iterations: int = 200,
    tolerance: float = 1e-5,
) -> Lineages:
    """Fit the marker model by expectation-maximisation; deterministic, no random start.

    Parameters
    ----------
    counts
        cells x genes, raw counts of the marker genes.
    depth
        All counts of each cell, > 0.
    genes
        Columns of `counts`.
    markers
        Lineage -> its marker genes; genes not measured are ignored.
    max_iterations, tolerance
        The fit stops when no lineage's share moves by more than `tolerance`.
    """
    names = (*markers, NONE)
    member = np.array([[g in markers[n] if n in markers else False for n in names] for g in genes], dtype=float)
    depth = np.asarray(depth, dtype=float)
    exposure = np.median(depth)
    total = counts.sum(axis=0)
    high = np.maximum(PRIOR_HIGH, total / depth.sum())
    low = np.minimum(PRIOR_LOW, high / LEAST_FOLD)
    share = np.full(len(names), 1.0 / len(names))
    probability = np.zeros((len(counts), len(names)))
    converged = False
    for _ in range(max_iterations):
        odds = _log_odds(counts, depth, high, low=low)
        score = odds @ member + np.log(share)
        score -= score.max(axis=1, keepdims=True)
        probability = np.exp(score)
        probability /= probability.sum(axis=1, keepdims=True)
        inside = probability @ member.T  # cells x genes: chance that the cell should express the gene
        # A cell of the lineage in which the gene is silent says nothing about the gene's high rate.
        lit = inside * _lit(odds)
        high = ((counts * lit).sum(axis=0) + PRIOR_HIGH * PRIOR_CELLS * exposure) / (
            (depth[:, None] * lit).sum(axis=0) + PRIOR_CELLS * exposure
        )
        dark = (1.0 - inside) * (1.0 - _lit(odds))
        low = ((counts * dark).sum(axis=0) + PRIOR_LOW * PRIOR_CELLS * exposure) / (
            (depth[:, None] * dark).sum(axis=0) + PRIOR_CELLS * exposure
        )
        low = np.minimum(low, high / LEAST_FOLD)
        updated = (probability.sum(axis=0) + 1.0) / (len(counts) + len(names))
        moved = np.abs(updated - share).max()
        share = updated
        if moved < tolerance:
            converged = True
            break
    return Lineages(names, probability, share, high, low, tuple(genes), converged)


def likelihood_ratio(counts: np.ndarray, depth: np.ndarray, high: np.ndarray, *, low: np.ndarray) -> np.ndarray:
    """Negative-binomial likelihood ratio of the high to the low rate (shares of all counts), cells x genes."""
    up, down = depth[:, None] * high, depth[:, None] * low
    log_ratio = counts * (np.log(high) - np.log(low)) + (counts + DISPERSION) * (
        np.log(DISPERSION + down) - np.log(DISPERSION + up)
    )
    return np.exp(np.clip(log_ratio, -50, 50))


def _log_odds(counts: np.ndarray, depth: np.ndarray, high: np.ndarray, *, low: np.ndarray) -> np.ndarray:
    """Evidence of each gene for being in its lineage, bounded by SILENT and STRAY."""
    ratio = likelihood_ratio(counts, depth, high, low=low)
    return np.log((1 - SILENT) * ratio + SILENT) - np.log(STRAY * ratio + 1 - STRAY)


def _lit(odds: np.ndarray) -> np.ndarray:
    """Chance that a gene is really on in a cell, from the bounded odds."""
    return 1.0 / (1.0 + np.exp(-odds) * SILENT / (1 - SILENT))
