"""From one sample's raw counts to its live single NK cells, with the cells kept at every gate."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from .ambient import Ambient, estimate_ambient, subtract_ambient
from .counts import Counts
from .doublets import find_doublets
from .gates import GateTable
from .genes import LineageTable, load_lineages
from .lineage import Lineages
from .normalise import normalise
from .proteins import with_antibodies, without_proteins, write_proteins
from .read import read_counts
from .selection import live_cells, marker_model, nk_probability, single_cells
from .tables import GATES

LOG = logging.getLogger("cimlnk.rna.cells")
# Share of the NK marker genes that must be there: F1 on labelled PBMC, worst of 8 random panels, is .34 with 7
# of 20 genes, .38 with 9, .79 with 12.
LEAST_NK_MARKERS = 0.6


def make_cells(
    *,
    raw: str,
    sample: str,
    lineages: str,
    settings: Mapping[str, Any],
    seed: int,
    output: str,
    gates: str,
    provenance: Mapping[str, Any],
    tissue: str = "blood",
    proteins: str | None = None,
    antibodies: Mapping[str, Any] | None = None,
) -> None:
    """Write the live single NK cells of one sample and its gate table, and the antibody counts of its cells.

    Writes to `output` an h5ad with ``X`` (log1p of counts per 10,000, float32 CSR), ``layers["counts"]`` (int32 CSR),
    ``obs`` (sample, n_counts, n_genes, mito_percent, doublet_score, nk_probability), ``obs_names``
    ``"{sample}:{barcode}"``, ``var_names`` gene symbols and ``uns["cimlnk"]`` (JSON text: provenance, left_out,
    reason, summary, notes, ambient, lineages, doublets); to `gates` the table GATES.

    Parameters
    ----------
    raw
        10x folder, 10x h5 or h5ad.
    sample
        Sample id.
    lineages
        Marker table (``resources/signatures/contaminants.yaml``).
    settings
        Section ``rna`` of the config.
    seed
        The cohort's seed.
    output, gates
        Files to write.
    provenance
        Stored with both.
    tissue
        ``tissue_or_product`` of the sample sheet.
    proteins
        File for the antibody counts of all live single cells (:func:`.proteins.write_proteins`), None for none.
    antibodies
        The sample's row of the antibody sheet (``counts``, ``empty``, ``hashtags``, ``hashtag``, ``hashtag_column``).

    Raises
    ------
    UserError
        If the input is not the raw counts of human cells, or if too few NK cells are left.
    """
    given = {k: v for k, v in (antibodies or {}).items() if v}
    counts = with_antibodies(read_counts(raw, settings["counts"]), given)
    LOG.info("%s: %d barcodes x %d genes from %s", sample, *counts.matrix.shape, counts.found)
    known = load_lineages(lineages)
    _check_markers(raw, counts, known)
    table = GateTable(sample)
    live, values = live_cells(raw, counts, table, settings=settings, seed=seed, sample=sample)
    matrix = counts.matrix[live]
    doublets = find_doublets(matrix, settings["doublets"], seed, sample=sample)
    single = single_cells(table, doublets)
    matrix = matrix[single]
    fit = marker_model(matrix, counts.genes, known)
    probability = nk_probability(table, fit, known, cut=settings["nk"]["probability"], tissue=tissue)
    selected = probability >= settings["nk"]["probability"]
    ambient = estimate_ambient(matrix, counts.genes, fit.best().astype(str), specific=known.ambient)
    if int(selected.sum()) < settings["nk"]["min_cells"]:
        raise UserError(
            raw,
            "NK selection",
            Plain(f"{int(selected.sum())} NK cells among {len(selected)} live single cells"),
            f"at least {settings['nk']['min_cells']} (rna.nk.min_cells); most cells are {_commonest(fit)}",
        )
    if proteins is not None:
        write_proteins(
            proteins,
            sample=sample,
            counts=counts,
            rows=np.flatnonzero(live)[single],
            fit=fit,
            nk_probability=probability,
            nk=selected,
            empty=given.get("empty"),
        )
    kept = matrix[selected]
    if settings["ambient"]["correct"]:
        kept = subtract_ambient(kept, ambient, seed, sample=sample)
    rows = np.flatnonzero(live)[single][selected]
    obs = pd.DataFrame(
        {
            "sample": sample,
            "n_counts": values["n_counts"][rows],
            "n_genes": values["n_genes"][rows],
            "mito_percent": values["mito_percent"][rows].astype(np.float32),
            "doublet_score": doublets.score[single][selected].astype(np.float32),
            "nk_probability": probability[selected].astype(np.float32),
        },
        index=[cell_id(sample, b) for b in counts.barcodes[rows]],
    )
    last = table.rows[-1]
    record = {
        "provenance": dict(provenance),
        "left_out": False,
        "reason": None,
        "summary": {
            "n_events": counts.matrix.shape[0],
            "n_live_singlets": len(selected),
            "n_lymphocytes": float(last["n_in"]),
            "n_nk": int(selected.sum()),
            "n_nk_low": last["n_out_low"],
            "n_nk_high": last["n_out_high"],
            "qc_score": round(len(selected) / counts.matrix.shape[0], 6),
        },
        "found": counts.found,
        "notes": list(counts.notes),
        "ambient": _ambient_record(ambient, settings["ambient"]["correct"]),
        "doublets": {
            "method": doublets.method,
            "share": _number(doublets.share),
            "threshold": _number(doublets.threshold),
            "reason": doublets.reason,
        },
        "lineages": {n: int((fit.best() == n).sum()) for n in fit.names},
    }
    write_cells(output, kept, obs, genes=counts.genes, record=record)
    write_table(table.table(), gates, GATES, provenance=provenance)
    LOG.info("%s: %d NK cells kept", sample, len(obs))


def leave_out(error: UserError, *, sample: str, output: str, gates: str, proteins: str | None = None) -> None:
    """Write empty results for a sample that cannot be used, with the reason inside."""
    record = {"left_out": True, "reason": str(error), "summary": None}
    obs = pd.DataFrame({"sample": np.array([], dtype=object)}, index=np.array([], dtype=object))
    write_cells(output, sp.csr_matrix((0, 0), dtype=np.int32), obs, genes=np.array([], dtype=object), record=record)
    write_table(GATES.empty(), gates, GATES, provenance={"left_out": str(error)})
    if proteins is not None:
        without_proteins(proteins, str(error))
    LOG.warning("%s: left out: %s", sample, error)


def write_cells(
    path: str, counts: sp.csr_matrix, obs: pd.DataFrame, *, genes: np.ndarray, record: Mapping[str, Any]
) -> None:
    """Write counts and their log1p of counts per 10,000 as h5ad."""
    import anndata as ad

    data = ad.AnnData(
        normalise(counts),
        obs=obs,
        var=pd.DataFrame(index=pd.Index(genes.astype(object), name=None)),
        layers={"counts": counts},
        uns={"cimlnk": json.dumps(record, sort_keys=True)},
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    data.write_h5ad(path, compression="gzip", compression_opts=1)


def _check_markers(raw: str, counts: Counts, known: LineageTable) -> None:
    wanted = sorted({g for n in known.of_kind("nk") for g in known.markers[n]})
    present = set(counts.genes)
    missing = [g for g in wanted if g not in present]
    least = math.ceil(LEAST_NK_MARKERS * len(wanted))
    if len(wanted) - len(missing) < least:
        raise UserError(
            raw,
            "gene names",
            Plain(f"{len(wanted) - len(missing)} of {len(wanted)} NK marker genes (no {', '.join(missing[:8])} …)"),
            f"at least {least} of them, as a whole transcriptome has (fewer cannot tell NK from cytotoxic T cells)",
        )


def _commonest(fit: Lineages) -> str:
    names, times = np.unique(fit.best().astype(str), return_counts=True)
    return str(names[times.argmax()])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _ambient_record(ambient: Ambient, corrected: bool) -> dict[str, Any]:
    return {
        "fraction": _number(ambient.fraction),
        "low": _number(ambient.low),
        "high": _number(ambient.high),
        "by_lineage": {k: _number(v) for k, v in sorted(ambient.by_lineage.items())},
        "reason": ambient.reason,
        "corrected": bool(corrected) and ambient.reason is None,
    }
