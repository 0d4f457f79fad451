"""Ambient RNA of one sample, in the manner of SoupX (Young and Behjati, GigaScience 2020), from filtered cells only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cimlnk.common.seeds import rng

from .genes import Specific

LEAST_EXPECTED = 10.0  # counts a pair (lineage's genes, other cells) must be expected to hold at 100 % ambient RNA
TRIM = 0.98  # cells above this quantile of a foreign gene set are doublets or wrongly named, not ambient RNA


@dataclass(frozen=True)
class Ambient:
    """Estimated share of ambient counts.

    Attributes
    ----------
    fraction, low, high
        Share of a cell's counts that is ambient, with the range over the lineages' estimates; NaN with `reason`.
    by_lineage
        Estimate from each lineage's genes.
    profile
        Share of each gene in the ambient RNA, here the pooled counts of all cells.
    """

    fraction: float
    low: float
    high: float
    by_lineage: dict[str, float]
    profile: np.ndarray
    reason: str | None = None


def estimate_ambient(
    counts: sp.csr_matrix, genes: np.ndarray, lineage: np.ndarray, *, specific: Mapping[str, Specific]
) -> Ambient:
    """Estimate the ambient share from genes that the cells at hand cannot have made.

    For the genes G of a lineage and the cells C of all others, the share is counts(C, G) over depth(C) times the
    share of G in the ambient RNA. Without empty droplets the ambient profile is taken to be the pooled counts of
    all cells, as most soup comes from the cells themselves; where lysed cells are of another kind (red cells), the
    estimate from their genes is too high and stands out in `by_lineage`.

    Parameters
    ----------
    counts
        cells x genes.
    genes
        Symbols of the columns.
    lineage
        Name of each cell's lineage.
    specific
        Name -> genes that only some lineages make.
    """
    total = np.asarray(counts.sum(axis=0), dtype=float).ravel()
    depth = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    profile = total / total.sum()
    position = {g: i for i, g in enumerate(genes)}
    estimates, weights = {}, {}
    for name, foreign in specific.items():
        columns = [position[g] for g in foreign.genes if g in position]
        others = ~np.isin(lineage, foreign.made_by)
        if not columns or not others.any():
            continue
        seen = np.asarray(counts[others][:, columns].sum(axis=1), dtype=float).ravel()
        rate = seen / depth[others]
        kept = rate <= np.quantile(rate, TRIM)
        expected = depth[others][kept].sum() * profile[columns].sum()
        if expected < LEAST_EXPECTED:
            continue
        estimates[name] = float(min(1.0, seen[kept].sum() / expected))
        weights[name] = expected
    if not estimates:
        return Ambient(np.nan, np.nan, np.nan, {}, profile, "no foreign genes with enough counts in this sample")
    values = np.array(list(estimates.values()))
    order = np.argsort(values, kind="stable")
    share = np.cumsum(np.array(list(weights.values()))[order])
    middle = values[order][np.searchsorted(share, share[-1] / 2)]
    return Ambient(float(middle), float(values.min()), float(values.max()), estimates, profile)


def subtract_ambient(counts: sp.csr_matrix, ambient: Ambient, seed: int, *, sample: str) -> sp.csr_matrix:
    """Remove the expected ambient counts, entry by entry, keeping integers.

    Each count is thinned: of x counts, of which mu are expected to be ambient, every one is kept with probability
    1 - min(1, mu / x). Counts never grow and zeros stay zeros.
    """
    if np.isnan(ambient.fraction):
        return counts
    depth = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    mu = ambient.fraction * depth[rows] * ambient.profile[counts.indices]
    keep = 1.0 - np.minimum(1.0, mu / counts.data)
    thinned = rng(seed, "rna ambient", sample).binomial(counts.data, keep).astype(np.int32)
    result = sp.csr_matrix((thinned, counts.indices.copy(), counts.indptr.copy()), shape=counts.shape)
    result.eliminate_zeros()
    return result
