"""Doublets of one sample by simulation (Scrublet: Wolock et al., Cell Systems 2019), through scanpy."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.seeds import derive

RATE_PER_CELL = 8e-6  # 10x Chromium: about 0.8 % doublets per 1,000 recovered cells
LARGEST_RATE = 0.2
ALWAYS_PLAUSIBLE = 0.1  # automatic thresholds calling no more than this are trusted, as loading is rarely known


@dataclass(frozen=True)
class Doublets:
    """Score and call per cell; `threshold` is NaN and nobody is called where `reason` says why."""

    score: np.ndarray
    called: np.ndarray
    threshold: float
    expected_rate: float
    reason: str | None = None


def find_doublets(counts: sp.csr_matrix, settings: Mapping[str, Any], seed: int, sample: str) -> Doublets:
    """Score every cell against simulated doublets and call those above the automatic threshold.

    A small sample, or one whose automatic threshold would call far more cells than the loading can explain (no
    second mode: nearly all cells of one kind), calls nobody and says so: doublets of two cells of the same kind
    cannot be told by their transcriptome.

    Parameters
    ----------
    counts
        cells x genes, after cell quality control.
    settings
        ``rna.doublets`` of the config.
    seed, sample
        Name the random stream.
    """
    n = counts.shape[0]
    rate = settings["expected_rate"] or min(LARGEST_RATE, max(0.01, RATE_PER_CELL * n))
    nobody = np.zeros(n, dtype=bool)
    nan = np.full(n, np.nan)
    if settings["method"] == "none":
        return Doublets(nan, nobody, np.nan, rate, "switched off by rna.doublets.method")
    if n < settings["min_cells"]:
        return Doublets(nan, nobody, np.nan, rate, f"{n} cells, fewer than {settings['min_cells']}")
    import anndata as ad
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scanpy as sc

        data = ad.AnnData(counts.astype(np.float32))
        # One thread: the last bits of a matrix product, and with them a neighbour, depend on the number of threads.
        with threadpool_limits(1):
            sc.pp.scrublet(
                data,
                expected_doublet_rate=rate,
                n_prin_comps=min(settings["n_components"], n // 4),
                use_approx_neighbors=False,
                random_state=derive(seed, "rna doublets", sample),
                verbose=False,
            )
    score = data.obs["doublet_score"].to_numpy(dtype=float)
    threshold = float(data.uns["scrublet"].get("threshold", np.nan))
    if np.isnan(threshold):
        return Doublets(score, nobody, np.nan, rate, "the simulated doublets' scores have no two modes")
    called = score > threshold
    ceiling = max(settings["max_excess"] * rate, ALWAYS_PLAUSIBLE)
    if called.mean() > ceiling:
        reason = (
            f"the automatic threshold {threshold:.3f} would call {100 * called.mean():.1f} % of the cells where "
            f"{100 * rate:.1f} % are expected"
        )
        return Doublets(score, nobody, np.nan, rate, reason)
    return Doublets(score, called, threshold, rate)
