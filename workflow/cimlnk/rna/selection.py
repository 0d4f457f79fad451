"""The two selections of a sample: live single cells by quality, NK cells by the marker model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

from .contradiction import contradict
from .counts import Counts
from .doublets import Doublets
from .gates import GateTable
from .genes import LineageTable
from .lineage import Lineages, assign_lineages
from .qc import bounds, measures

STRICT, GENEROUS = 0.9, 0.1  # probabilities that bound the number of NK cells
EMPTY_DROPLETS = 10  # median counts per barcode below which a matrix is that of all droplets


def live_cells(
    raw: str, counts: Counts, table: GateTable, *, settings: Mapping[str, Any], seed: int, sample: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mask over barcodes of the cells that pass quality control, and the measures it was made on."""
    values = measures(counts.matrix, counts.genes)
    middle = float(np.median(values["n_counts"]))
    if middle < EMPTY_DROPLETS:
        raise UserError(
            raw,
            "barcodes",
            Plain(f"{len(counts.barcodes)} barcodes with a median of {middle:g} counts"),
            "the filtered matrix (this looks like raw_feature_bc_matrix, which holds every droplet)",
        )
    kept = np.ones(len(counts.barcodes), dtype=bool)
    for bound in bounds(values, settings["qc"], seed, sample=sample):
        n_mads = settings["qc"]["mito_n_mads" if bound.gate == "mitochondrial" else "n_mads"]
        kept = table.apply(bound, values[bound.channel], kept, method=f"median and {n_mads:g} MAD, {bound.side}")
    if np.isnan(values["mito_percent"]).all():
        n = int(kept.sum())
        table.add("mitochondrial", n, n, method="skipped", channel="mito_percent", reason="no mitochondrial genes")
    if not kept.any():
        raise UserError(
            raw, "cell quality", Plain(f"none of {len(kept)} barcodes passes"), "cells that pass the bounds of rna.qc"
        )
    return kept, values


def single_cells(table: GateTable, doublets: Doublets) -> np.ndarray:
    """Mask over live cells of those that are no doublets."""
    threshold, between = (doublets.threshold, np.nan, np.nan), None
    if doublets.method == "mixture" and doublets.reason is None:
        threshold = (doublets.threshold, GENEROUS, STRICT)
        between = (float((doublets.score < GENEROUS).sum()), float((doublets.score < STRICT).sum()))
    table.add(
        "singlets",
        len(doublets.called),
        int((~doublets.called).sum()),
        method="skipped" if doublets.reason else doublets.method,
        channel="doublet_score",
        between=between,
        threshold=threshold,
        reason=doublets.reason,
    )
    return ~doublets.called


def marker_model(matrix: sp.csr_matrix, genes: np.ndarray, known: LineageTable) -> Lineages:
    """Fit the marker model to live cells (cells x `genes`), and hold T cells' genes against cells called NK."""
    position = {g: i for i, g in enumerate(genes)}
    depth = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()

    def counts_of(wanted: set[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        used = tuple(sorted(g for g in wanted if g in position))
        return matrix[:, [position[g] for g in used]].toarray().astype(np.float64), used

    counts, used = counts_of({g for names in known.markers.values() for g in names})
    fit = assign_lineages(counts, depth, used, markers=known.markers)
    if known.against is None:
        return fit
    counts, used = counts_of({*known.against.genes, *(g for group in known.against.together for g in group)})
    return contradict(counts, depth, used, fit=fit, nk=known.of_kind("nk"), against=known.against)


def nk_probability(
    table: GateTable, fit: Lineages, known: LineageTable, *, cut: float, tissue: str = "blood"
) -> np.ndarray:
    """Add the gates lymphocytes and NK; returns each cell's probability of being an NK cell.

    What the suspension is stands in the sample sheet (`tissue`). A share of NK cells above one half makes no product of
    blood: it is reported with its number, and nothing is concluded from it.
    """
    lymphoid, probability = fit.of(known.of_kind("nk", "lymphocyte")), fit.of(known.of_kind("nk"))

    def kept(p: np.ndarray) -> tuple[float, float]:
        return float((p >= STRICT).sum()), float((p >= GENEROUS).sum())

    n_lymphoid, n_nk = int((lymphoid >= cut).sum()), int((probability >= cut).sum())
    method = "marker model" if fit.converged else "marker model, not converged"
    limits = (cut, GENEROUS, STRICT)
    table.add(
        "lymphocytes",
        len(lymphoid),
        n_lymphoid,
        method=method,
        channel="lymphocyte_probability",
        between=kept(lymphoid),
        threshold=limits,
    )
    share = n_nk / max(n_lymphoid, 1)
    reason = None
    if tissue != "blood":
        reason = f"a {tissue} by the sample sheet: its share of NK cells is not that of the blood"
    elif share > 0.5:
        reason = f"{share:.0%} of the lymphocytes are NK cells: blood by the sample sheet, or enriched for NK cells?"
    table.add(
        "NK",
        n_lymphoid,
        n_nk,
        method=method,
        channel="nk_probability",
        between=kept(probability),
        threshold=limits,
        reason=reason,
    )
    return probability
