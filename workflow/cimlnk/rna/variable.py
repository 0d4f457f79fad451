"""Genes that vary more than their mean explains, judged within batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .genes import LineageTable, family

BINS = 25  # points of the trend of variance on mean
LEAST_CELLS = 3  # a gene seen in fewer cells of a batch says nothing there
POOLED_KIR = "KIR (pooled)"


def moments(matrices: Iterable[tuple[str, sp.csr_matrix]]) -> dict[str, dict[str, np.ndarray]]:
    """Sums per batch: cells, and per gene cells seen in, sum and sum of squares of log-normalised expression.

    Parameters
    ----------
    matrices
        (batch, cells x genes log1p matrix) of one sample after the other; all with the same genes.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for batch, x in matrices:
        values = x.data.astype(np.float64)
        n_genes = x.shape[1]
        row = {
            "n": np.array(x.shape[0], dtype=np.int64),
            "seen": np.bincount(x.indices, minlength=n_genes).astype(np.int64),
            "sum": np.bincount(x.indices, weights=values, minlength=n_genes),
            "squares": np.bincount(x.indices, weights=values * values, minlength=n_genes),
        }
        if batch not in found:
            found[batch] = row
        else:
            found[batch] = {k: found[batch][k] + row[k] for k in row}
    return found


def excess_variance(batches: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray:
    """Variance of each gene above the trend of variance on mean, averaged over batches by their cells.

    The decomposition is scran's (Lun et al., F1000Research 2016): most genes follow the trend, which is taken for
    technical noise; what a gene has above it is biology. Differences between batches never count. The trend is the
    running median over genes of equal rank of mean, interpolated linearly.
    """
    names = sorted(batches)
    total = sum(int(batches[b]["n"]) for b in names)
    excess = np.zeros(len(batches[names[0]]["sum"]))
    for name in names:
        batch = batches[name]
        n = int(batch["n"])
        if n < 3:
            continue
        mean = batch["sum"] / n
        variance = np.maximum(batch["squares"] / n - mean**2, 0.0) * n / (n - 1)
        usable = batch["seen"] >= LEAST_CELLS
        if usable.sum() < 2 * BINS:
            usable = batch["seen"] > 0
        excess += n / total * np.where(usable, variance - _trend(mean, variance, usable), 0.0)
    return excess


def _trend(mean: np.ndarray, variance: np.ndarray, usable: np.ndarray) -> np.ndarray:
    order = np.argsort(mean[usable], kind="stable")
    parts = np.array_split(order, min(BINS, max(1, len(order) // 5)))
    x = np.array([0.0, *(np.median(mean[usable][p]) for p in parts)])
    y = np.array([0.0, *(np.median(variance[usable][p]) for p in parts)])
    return np.interp(mean, x, y)


def choose_genes(
    genes: Sequence[str] | np.ndarray,
    excess: np.ndarray,
    settings: Mapping[str, Any],
    *,
    known: LineageTable,
    wanted: Sequence[str] = (),
) -> pd.DataFrame:
    """Choose the genes whose expression makes the neighbour graph.

    Parameters
    ----------
    genes
        Genes all samples share.
    excess
        Result of :func:`excess_variance`.
    settings
        ``rna.features`` of the config.
    known
        Marker table; its ambient genes are the family ``lineage``.
    wanted
        Genes that are features whatever their rank (those that define the named populations), unless excluded.

    Returns
    -------
    DataFrame
        One row per gene: gene, excess, excluded (family or None), chosen (bool).
    """
    names = np.asarray(genes, dtype=object)
    foreign = {g for s in known.ambient.values() for g in s.genes}
    excluded = np.full(len(names), None, dtype=object)
    for name in settings["exclude"]:
        mask = np.isin(names.astype(str), sorted(foreign)) if name == "lineage" else family(names, name)
        excluded[mask & pd.isna(excluded)] = name
    if settings["kir"] != "keep":
        excluded[family(names, "KIR")] = "KIR"
    free = pd.isna(excluded)
    ranked = [i for i in np.argsort(-excess, kind="stable") if free[i] and excess[i] > 0]
    chosen = np.zeros(len(names), dtype=bool)
    chosen[ranked[: settings["n_genes"]]] = True
    chosen |= free & np.isin(names.astype(str), list(wanted))
    return pd.DataFrame({"gene": names, "excess": excess, "excluded": excluded, "chosen": chosen})
