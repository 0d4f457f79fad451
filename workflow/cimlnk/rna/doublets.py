"""Doublets of one sample: which cells are called, by which method, or why no cell is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.seeds import derive

from .doublet_mixture import doublet_probability

RATE_PER_CELL = 8e-6  # 10x Chromium: about 0.8 % doublets per 1,000 recovered cells
LARGEST_RATE = 0.2
CALLED = 0.5  # probability from which a cell is called
SCRUBLET_COMPONENTS = 10  # NK-rich samples have few kinds of cells; scanpy's 30 components would mostly be noise


@dataclass(frozen=True)
class Doublets:
    """Score and call per cell; where `reason` says why, `threshold` is NaN and no cell is called."""

    score: np.ndarray
    called: np.ndarray
    threshold: float
    share: float
    method: str
    reason: str | None = None


def find_doublets(counts: sp.csr_matrix, settings: Mapping[str, Any], seed: int, *, sample: str) -> Doublets:
    """Score every cell and call doublets.

    A small sample, or one of which an implausible share would be called, calls no cell and says so.

    Parameters
    ----------
    counts
        cells x genes, after cell quality control.
    settings
        ``rna.doublets`` of the config; ``mixture`` is :mod:`cimlnk.rna.doublet_mixture`, ``scrublet`` is scanpy's
        Scrublet with its automatic threshold.
    seed, sample
        Name the random stream.
    """
    n, method, rate = counts.shape[0], settings["method"], settings["expected_rate"]
    unknown, nobody = np.full(n, np.nan), np.zeros(n, dtype=bool)
    if method == "none":
        return Doublets(unknown, nobody, np.nan, np.nan, method, "switched off by rna.doublets.method")
    if n < settings["min_cells"]:
        return Doublets(unknown, nobody, np.nan, np.nan, method, f"{n} cells, fewer than {settings['min_cells']}")
    if method == "mixture":
        fit = doublet_probability(counts, seed, sample, share=rate)
        score, threshold, share = fit.probability, CALLED, fit.share
    else:
        share = rate or min(LARGEST_RATE, max(0.01, RATE_PER_CELL * n))
        score, threshold = _scrublet(counts, share, seed, sample=sample)
    if np.isnan(threshold):
        return Doublets(score, nobody, np.nan, share, method, "the simulated doublets' scores have no two modes")
    called = score >= threshold
    if called.mean() > settings["max_share"]:
        reason = (
            f"{100 * called.mean():.1f} % of the cells would be called, more than "
            f"{100 * settings['max_share']:g} % (rna.doublets.max_share)"
        )
        return Doublets(score, nobody, np.nan, share, method, reason)
    return Doublets(score, called, threshold, share, method)


def _scrublet(counts: sp.csr_matrix, rate: float, seed: int, *, sample: str) -> tuple[np.ndarray, float]:
    """Scores and automatic threshold of scanpy's Scrublet, on one thread and with exact neighbours."""
    import anndata as ad
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        import scanpy as sc

        data = ad.AnnData(counts.astype(np.float32))
        sc.pp.scrublet(
            data,
            expected_doublet_rate=rate,
            n_prin_comps=min(SCRUBLET_COMPONENTS, counts.shape[0] // 4),
            use_approx_neighbors=False,
            random_state=derive(seed, "rna doublets", sample),
            verbose=False,
        )
    return data.obs["doublet_score"].to_numpy(dtype=float), float(data.uns["scrublet"].get("threshold", np.nan))
