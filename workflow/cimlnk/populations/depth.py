"""Genes at one sequencing depth: what every cell would show if all had been sequenced alike, without any draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

LEAST_DEPTH = 500.0  # molecules of a cell; a sample below is not brought down to further
QUANTILE = 0.10  # of a sample's cells may lie below the common depth and are left out
EXACT = 40  # molecules of a gene in a cell up to which the expectation is summed, beyond it is that of the mean
PER = 1e4

Floats = NDArray[np.floating]


def cell_depths(path: str | Path) -> Floats:
    """Molecules of every cell of a sample, from ``layers["counts"]``."""
    with h5py.File(path) as f:
        node = f["layers"]["counts"]
        if isinstance(node, h5py.Dataset):
            return node[:].sum(axis=1, dtype=np.float64)
        indptr, data = node["indptr"][:], node["data"][:].astype(np.float64)
        return np.diff(np.concatenate([[0.0], np.cumsum(data)])[indptr])


def common_depth(depths: Sequence[Floats]) -> float:
    """The depth to which all samples are brought: what nine tenths of the cells of the shallowest sample reach.

    At least 500 molecules; NaN without any cell.
    """
    known = [np.quantile(d, QUANTILE) for d in depths if len(d)]
    return max(float(min(known)), LEAST_DEPTH) if known else float("nan")


def at_depth(counts: Floats, depths: Floats, depth: float) -> tuple[Floats, Floats]:
    """Expected log1p of molecules per 10,000, and probability of detection, of every cell and gene at a common depth.

    A cell of depth d is thinned to `depth`: each molecule is kept with probability depth / d, so that a gene with k of
    them shows B ~ Bin(k, depth / d). Both are means over B, not draws, and therefore the same in every run. Equal
    expression then gives equal numbers in samples of unequal depth.

    Parameters
    ----------
    counts
        Cells × genes, molecules.
    depths
        Molecules of every cell over all genes, at least `depth`.
    depth
        The common depth.

    Returns
    -------
    expected_log, detection
        Cells × genes (float64).

    Examples
    --------
    >>> log, seen = at_depth(np.array([[2.0, 0.0]]), np.array([2000.0]), 1000.0)
    >>> float(seen[0, 0])
    0.75
    """
    from scipy.stats import binom

    keep = np.minimum(depth / depths, 1.0)
    expected = np.zeros(counts.shape)
    detection = np.zeros(counts.shape)
    cells, genes = np.nonzero(counts)
    molecules = counts[cells, genes].astype(np.int64)
    p = keep[cells]
    detection[cells, genes] = 1 - (1 - p) ** molecules
    values = np.log1p(PER / depth * molecules * p)
    for k in np.unique(molecules[molecules <= EXACT]):
        mine = molecules == k
        shown = np.arange(k + 1)
        values[mine] = binom.pmf(shown, k, p[mine][:, None]) @ np.log1p(PER / depth * shown)
    expected[cells, genes] = values
    return expected, detection
