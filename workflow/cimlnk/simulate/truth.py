"""The truth tables of a synthetic cohort: what was planted, and what a perfect analysis of the files would find."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.tables import read_table, write_pieces, write_table

from . import design
from .composition import POPULATIONS, content, latent_nk_fraction, latent_shares
from .genes import programme_table
from .kinetics import kinetics, kinetics_table
from .proteins import STATE_EFFECTS
from .rna import STATE_EFFECTS_LOG2
from .sheets import check_sheets, counts_table
from .tables import ABUNDANCE, CELLS_CYTOF, CELLS_FLOW, CELLS_RNA, EFFECTS, KINETICS


def abundance(size: str, seed: int) -> pd.DataFrame:
    """Truth of every file and population, and of every count without a file (ABUNDANCE).

    ``…_latent`` columns are what was planted; the others are *as measured*: the numbers of cells really in the file
    and the readings in the counts sheet, as an analysis with perfect gates and labels would combine them. NK per
    microlitre is the sheet's, or the sheet's lymphocytes times NK over lymphocytes of the CyTOF file of the patient's
    blood on that day, for both modalities, because the suspension for RNA was enriched for NK cells.
    """
    curves = kinetics(size, seed)
    samples = design.samples(size, seed)
    contents = {s.id: content(size, seed, s) for s in samples}
    ratio = {
        (s.patient.id, s.day): contents[s.id].n_nk / contents[s.id].n_lymphocytes
        for s in samples
        if s.modality == "cytof" and s.tissue == "blood"
    }
    counts = counts_table(size, seed)
    measured = {}
    for row in counts.itertuples():
        key = (row.patient, row.day)
        measured[key] = row.lymphocytes_per_ul * ratio[key] if np.isnan(row.nk_per_ul) else row.nk_per_ul
    blood = {(s.patient.id, s.day) for s in samples if s.tissue == "blood"}
    rows: list[dict[str, Any]] = []
    for s in samples:
        held = contents[s.id]
        shares = latent_shares(seed, s.patient, s.timepoint, modality=s.modality)
        in_blood = s.tissue == "blood"
        for population, n, latent in zip(("NK", *POPULATIONS), (held.n_nk, *held.nk), (1.0, *shares), strict=True):
            rows.append(
                {
                    "modality": s.modality,
                    "sample": s.id,
                    "patient": s.patient.id,
                    "day": s.day,
                    "timepoint": s.timepoint,
                    "arm": s.patient.arm,
                    "tissue_or_product": s.tissue,
                    "population": population,
                    "n_cells": n,
                    "n_nk": held.n_nk,
                    "n_lymphocytes": held.n_lymphocytes,
                    "nk_of_lymphocytes": held.n_nk / held.n_lymphocytes,
                    "nk_of_lymphocytes_latent": latent_nk_fraction(size, seed, s),
                    "fraction": n / held.n_nk,
                    "fraction_latent": latent,
                    "nk_per_ul": measured.get((s.patient.id, s.day), np.nan) if in_blood else np.nan,
                    "nk_per_ul_latent": curves[s.patient.id].nk_per_ul(s.day) if in_blood else np.nan,
                }
            )
    for patient in design.patients(size, seed):
        for day in counts.loc[counts["patient"] == patient.id, "day"]:
            if (patient.id, day) in blood:
                continue
            rows.append(
                {
                    "modality": "counts",
                    "sample": None,
                    "patient": patient.id,
                    "day": day,
                    "timepoint": f"D{day}",
                    "arm": patient.arm,
                    "tissue_or_product": "blood",
                    "population": "NK",
                    "fraction": 1.0,
                    "fraction_latent": 1.0,
                    "nk_per_ul": measured[(patient.id, day)],
                    "nk_per_ul_latent": curves[patient.id].nk_per_ul(day),
                }
            )
    table = pd.DataFrame(rows)
    table["cells_per_ul"] = table["nk_per_ul"] * table["fraction"]
    table["cells_per_ul_latent"] = table["nk_per_ul_latent"] * table["fraction_latent"]
    pre = table[(table["timepoint"] == "pre") & (table["modality"] != "counts")]
    for column, value in (("fold", "cells_per_ul"), ("fold_latent", "cells_per_ul_latent")):
        own = pre.set_index(["modality", "patient", "population"])[value]
        by_counts = pre[pre["population"] == "NK"].drop_duplicates("patient").set_index("patient")[value]
        base = [
            by_counts.get(r.patient, np.nan)
            if r.modality == "counts"
            else own.get((r.modality, r.patient, r.population), np.nan)
            for r in table.itertuples()
        ]
        table[column] = table[value] / pd.Series(base, index=table.index).replace(0.0, np.nan)
    return table


def effects() -> pd.DataFrame:
    """All planted differences of protein and RNA levels (EFFECTS)."""
    rows = [
        {"modality": m, "kind": "state", "timepoint": t, "axis": None, "feature": f, "effect": e, "unit": unit}
        for m, planted, unit in (
            ("cytof", STATE_EFFECTS, "arcsinh(x/5)"),
            ("rna", STATE_EFFECTS_LOG2, "log2"),
        )
        for t, shifts in planted.items()
        for f, e in shifts.items()
    ]
    programmes = programme_table().assign(modality="rna", kind="programme", timepoint=None, unit="log2")
    return pd.concat([pd.DataFrame(rows), programmes], ignore_index=True)


def write_truth(
    size: str,
    seed: int,
    cohort: str,
    *,
    sheets: dict[str, str | Path],
    cytof: Iterable[str | Path],
    flow: Iterable[str | Path] = (),
    rna: Iterable[str | Path],
    output: dict[str, str | Path],
    provenance: dict[str, Any] | None = None,
) -> None:
    """Join the samples' parts and write all truth tables, after checking that the sheets belong to the cohort.

    Parameters
    ----------
    sheets
        Paths of ``samples``, ``counts`` and ``patients``.
    cytof, flow, rna
        Truth parts of the samples (CELLS_CYTOF, CELLS_FLOW, CELLS_RNA), in the order of the sheet.
    output
        Paths of ``cells_cytof``, ``cells_rna``, ``abundance``, ``effects``, ``kinetics``, and ``cells_flow`` where
        there are flow files.

    Raises
    ------
    UserError
        If a sheet is not the one the generator writes for this size, seed and cohort.
    """
    check_sheets(size, seed, cohort, **{name: Path(sheets[name]) for name in ("samples", "counts", "patients")})
    for paths, schema, name in (
        (cytof, CELLS_CYTOF, "cells_cytof"), (flow, CELLS_FLOW, "cells_flow"), (rna, CELLS_RNA, "cells_rna"),
    ):  # fmt: skip
        if name not in output:
            continue
        write_pieces((read_table(path, schema) for path in paths), output[name], schema, provenance=provenance)
    write_table(abundance(size, seed), output["abundance"], ABUNDANCE, provenance=provenance)
    write_table(effects(), output["effects"], EFFECTS, provenance=provenance)
    write_table(kinetics_table(size, seed), output["kinetics"], KINETICS, provenance=provenance)
