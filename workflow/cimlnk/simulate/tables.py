"""Schemas of the truth tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cimlnk.common.tables import Schema

CELL_COLUMNS = {
    "cell": ("str", "cell id as in the results: sample:event or sample:barcode"),
    "sample": ("str", "sample id"),
    "class": (
        "str",
        "NK, T, B, monocyte, DC, ILC, granulocyte, basophil, doublet, dead (rna: low quality), debris or bead",
    ),
    "population": ("str", "named NK population; empty for everything that is not a live single NK cell"),
    "also": ("str", "second name that holds as well, of cells between two populations; empty if there is none"),
    "kind": ("str", "NK, or the kind of cell within its class (CD56_T, MAIT, cDC, …), or the class"),
}
CELLS_CYTOF = Schema(
    "truth_cells_cytof", {**CELL_COLUMNS, "event": ("int", "0-based index of the event in the FCS file")}
)
CELLS_FLOW = Schema("truth_cells_flow", CELLS_CYTOF.columns)
CELLS_RNA = Schema("truth_cells_rna", {**CELL_COLUMNS, "barcode": ("str", "barcode as in the 10x file")})
ABUNDANCE = Schema(
    "truth_abundance",
    {
        "modality": ("str", "cytof, flow, rna, or counts for days without a file"),
        "sample": ("str?", "sample id, missing for days without a file"),
        "patient": ("str", "patient id"),
        "day": ("int", "day, 0 = infusion"),
        "timepoint": ("str", "time point; D<day> for days without a file"),
        "arm": ("str", "arm"),
        "tissue_or_product": ("str", "blood, product or donor"),
        "population": ("str", "NK or a named population"),
        "n_cells": ("float", "live single cells of the population in the file"),
        "n_nk": ("float", "live single NK cells in the file"),
        "n_lymphocytes": ("float", "live single NK, T and B cells in the file"),
        "nk_of_lymphocytes": ("float", "n_nk / n_lymphocytes in the file"),
        "nk_of_lymphocytes_latent": ("float", "share the file was drawn from"),
        "fraction": ("float", "n_cells / n_nk in the file: what a perfect analysis gives"),
        "fraction_latent": ("float", "share of NK cells the file was drawn from"),
        "nk_per_ul": ("float", "as measured: from sheets and file, with perfect gating (blood only)"),
        "nk_per_ul_latent": ("float", "before measurement noise (blood only)"),
        "cells_per_ul": ("float", "as measured: nk_per_ul x fraction"),
        "cells_per_ul_latent": ("float", "nk_per_ul_latent x fraction_latent"),
        "fold": ("float", "cells_per_ul over the patient's at time point pre, same modality"),
        "fold_latent": ("float", "the same of the latent values"),
    },
)
EFFECTS = Schema(
    "truth_effects",
    {
        "modality": ("str", "cytof or rna"),
        "kind": ("str", "state (shift of all NK cells at a time point) or programme (change at an axis' end)"),
        "timepoint": ("str?", "time point of a state effect"),
        "axis": ("str?", "axis of a programme"),
        "feature": ("str", "marker or gene"),
        "effect": ("float", "planted difference"),
        "unit": ("str", "arcsinh(x/5) or log2"),
    },
)
KINETICS = Schema(
    "truth_kinetics",
    {
        "patient": ("str", "patient id"),
        "arm": ("str", "arm"),
        "baseline_per_ul": ("float", "NK cells per microlitre at day -7, latent"),
        "nadir_fold": ("float", "fold at day 0"),
        "peak_fold": ("float", "fold at the peak"),
        "peak_day": ("float", "day of the peak"),
        "half_life_days": ("float", "half-life of the decay from the peak to the plateau"),
        "plateau_fold": ("float", "fold approached late"),
        "boost_fold": ("float", "lasting factor of stem-cell boosts at days 35 and 42"),
        "other_per_ul": ("float", "T and B cells per microlitre before conditioning"),
        "doubling_time_days": ("float", "doubling time from nadir to peak"),
    },
)
PIECE = 1_000_000  # rows of a truth table held at a time
RECOVERY = Schema(
    "recovery",
    {
        "measure": ("str", "what is scored"),
        "modality": ("str", "cytof, flow, rna or counts"),
        "value": ("float", "score"),
        "threshold": ("float", "least score asked for; NaN where the score is only reported"),
        "passed": ("bool", "value reaches the threshold, or there is none"),
        "n": ("int", "cells, samples or patient-days behind the score"),
        "worst": ("str?", "the case that is furthest off"),
        "meaning": ("str", "the score in words"),
    },
)
RECOVERY_CASES = Schema(
    "recovery_cases",
    {
        "measure": ("str", "what is scored"),
        "modality": ("str", "cytof, flow, rna or counts"),
        "case": ("str", "sample, patient-day or sample and population"),
        "truth": ("float", "as measured"),
        "found": ("float", "of the pipeline; NaN if it gave no number"),
        "error": ("float", "difference, or ratio minus one for folds"),
        "within": ("bool", "error is within the tolerance"),
    },
)
DIFFICULTY = Schema(
    "difficulty",
    {
        "modality": ("str", "cytof, flow or rna"),
        "method": ("str", "what named or clustered the cells"),
        "n_cells": ("int", "true NK cells that were named"),
        "ari": ("float", "adjusted Rand index, cells between two populations as either"),
        "ari_strict": ("float", "the same with the first name only"),
        "right": ("float", "share with a name that holds or a less specific one"),
        "exact": ("float", "share with a name that holds"),
        "wrong": ("float", "share with another name"),
        "unnamed": ("float", "share without a name"),
    },
)


def read_cells(path: str | Path, *, kept: Iterable[str] = ()) -> pd.DataFrame:
    """The true NK cells of a truth table, and the cells `kept`, in the table's order: a tenth of most files.

    Parameters
    ----------
    path
        CELLS_CYTOF, CELLS_FLOW or CELLS_RNA; read piece by piece, so that memory holds what is returned.
    kept
        Ids of further cells that are returned whatever they are.

    Returns
    -------
    DataFrame
        ``cell``, ``sample``, ``class``, ``population``, ``also``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["cell", "sample", "class", "population", "also"]
    wanted = pa.array(list(kept), pa.string())
    parts = []
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=columns, batch_size=PIECE):
            own = pc.or_(pc.equal(batch["class"], "NK"), pc.is_in(batch["cell"], value_set=wanted))
            parts.append(batch.filter(own))
        schema = pa.schema([file.schema_arrow.field(c) for c in columns])
    return pa.Table.from_batches(parts, schema).to_pandas()
