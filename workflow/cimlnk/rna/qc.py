"""Cell quality by the sample's own spread: median and MAD of counts, genes and mitochondrial share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.seeds import rng

from .genes import family

TO_SIGMA = 1.4826  # MAD of a normal distribution times this is its standard deviation
RESAMPLES = 50


@dataclass(frozen=True)
class Bound:
    """One side of a quality criterion; `low` and `high` are the 95 % limits of `value` over resampled cells."""

    gate: str
    channel: str
    side: str  # "at least" or "at most"
    value: float
    low: float
    high: float

    def passes(self, values: np.ndarray, at: float | None = None) -> np.ndarray:
        limit = self.value if at is None else at
        return values >= limit if self.side == "at least" else values <= limit


def measures(counts: sp.csr_matrix, genes: np.ndarray) -> dict[str, np.ndarray]:
    """Counts, detected genes and mitochondrial percentage of each cell.

    ``mito_percent`` is NaN everywhere if the sample has no mitochondrial genes.
    """
    total = np.asarray(counts.sum(axis=1), dtype=np.int64).ravel()
    mito = family(genes, "mitochondrial")
    if mito.any():
        share = np.asarray(counts[:, mito].sum(axis=1), dtype=np.float64).ravel() / np.maximum(total, 1)
        percent = 100.0 * share
    else:
        percent = np.full(len(total), np.nan)
    return {"n_counts": total, "n_genes": np.diff(counts.indptr).astype(np.int64), "mito_percent": percent}


def bounds(values: Mapping[str, np.ndarray], settings: Mapping[str, Any], seed: int, *, sample: str) -> list[Bound]:
    """Bounds of the sample: median ± `n_mads` robust standard deviations, on a log scale for counts and genes.

    The rule is scater's ``isOutlier`` (McCarthy et al., Bioinformatics 2017); the floors and caps of the config keep
    it from cutting into a narrow distribution or from accepting a bad one. Cells below `min_counts` or `min_genes`
    do not take part in the medians.

    Parameters
    ----------
    values
        Result of :func:`measures`.
    settings
        ``rna.qc`` of the config.
    seed, sample
        Name the random stream of the resampling.
    """
    counts, genes, mito = values["n_counts"], values["n_genes"], values["mito_percent"]
    usable = (counts >= settings["min_counts"]) & (genes >= settings["min_genes"])
    if not usable.any():
        usable = counts > 0
    random = rng(seed, "rna qc", sample)
    picks = random.integers(0, int(usable.sum()), size=(RESAMPLES, int(usable.sum())))
    found = []
    for name, values_of, least in (("counts", counts, "min_counts"), ("genes", genes, "min_genes")):
        logs = np.log1p(values_of[usable].astype(float))
        low, high = _limits(logs, picks, settings["n_mads"])
        floor = float(settings[least])
        found.append(Bound(f"{name}_low", f"n_{name}", "at least", *np.maximum(np.expm1(low), floor)))
        found.append(Bound(f"{name}_high", f"n_{name}", "at most", *np.expm1(high)))
    if not np.isnan(mito).all():
        _, high = _limits(mito[usable], picks, settings["mito_n_mads"])
        limits = np.clip(high, settings["mito_percent_floor"], settings["mito_percent_cap"])
        found.append(Bound("mitochondrial", "mito_percent", "at most", *limits))
    return found


def _limits(values: np.ndarray, picks: np.ndarray, n_mads: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound, each as (value, 2.5 %, 97.5 % over resampled cells)."""

    def both(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = np.median(v, axis=-1, keepdims=True)
        spread = n_mads * TO_SIGMA * np.median(np.abs(v - middle), axis=-1, keepdims=True)
        return (middle - spread)[..., 0], (middle + spread)[..., 0]

    point = both(values)
    again = both(values[picks])
    out = [np.array([p, *np.quantile(a, [0.025, 0.975])]) for p, a in zip(point, again, strict=True)]
    return out[0], out[1]
