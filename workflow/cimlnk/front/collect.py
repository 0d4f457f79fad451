"""Warnings of samples, gates and lineages.

Here and in the modules beside it: a pure function for every table of the stages, none of which reads a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import CYTOMETRY

from .tables import KINDS, SEVERITIES, WARNINGS

# Gates on the instrument's own scale or on DNA and beads: their cuts are edges of one population by design.
TECHNICAL = ("event_length", "singlets", "intact", "no_beads", "good_time", "not_debris", "viable")
FALLBACK = ("pool", "edge", "fallback")
SPLITTING = ("live", "not_t")  # gates that have something to remove in whole blood or PBMC
LEAST_KEPT, MOST_KEPT = 0.05, 0.999
FEW_NK = 50
MOST_UNASSIGNED = 0.20
COUNT_RATIO = 1.5  # NK by lineage over NK by gates, or the reverse
COUNTED_AS_NONE = (
    "Nothing to mend where the patient has lost the NK cells: their share and what follows from it are 0, with an "
    "upper limit. Look at the figure of its gates; if the staining failed, take its row out of the sample sheet."
)
COUNT_DIFFERENCE = 10  # … and at least so many events apart


def warning(
    modality: str,
    stage: str,
    kind: str,
    *,
    severity: str,
    text: str,
    sample: str | None = None,
    subject: str | None = None,
    remedy: str | None = None,
) -> dict[str, Any]:
    """One row of WARNINGS; `kind` and `severity` must be of the closed lists."""
    if kind not in KINDS or severity not in SEVERITIES:
        raise ValueError(f"no such warning: {kind}, {severity}")
    return {
        "modality": modality, "stage": stage, "sample": sample, "kind": kind, "subject": subject,
        "severity": severity, "text": text, "remedy": remedy or KINDS[kind],
    }  # fmt: skip


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """WARNINGS, the serious ones first, then by stage, kind and sample."""
    table = pd.DataFrame(list(rows), columns=list(WARNINGS.columns))
    order = {s: i for i, s in enumerate(SEVERITIES)}
    table["_order"] = table["severity"].map(order)
    keys = ["_order", "modality", "stage", "kind", "subject", "sample"]
    table = table.sort_values(keys, kind="stable", na_position="first").drop(columns="_order")
    return WARNINGS.check(table)


def of_summary(modality: str, summary: pd.DataFrame) -> list[dict[str, Any]]:
    """Samples left out, and samples with few NK cells (fewer than 50)."""
    rows = []
    for row in summary.to_dict("records"):
        sample = str(row["sample"])
        if row["left_out"]:
            text = f"left out of every result: {row['reason']}"
            rows.append(warning(modality, modality, "sample left out", severity="serious", text=text, sample=sample))
        elif row["n_nk"] < FEW_NK:
            text, remedy = f"{row['n_nk']} NK cells among {row['n_events']:,} events", None
            if row["n_nk"] == 0 and modality in CYTOMETRY:
                text = f"0 NK cells among {row['n_lymphocytes']:,.0f} lymphocytes: counted as none"
                remedy = COUNTED_AS_NONE
            severity = "serious" if row["n_nk"] == 0 else "caution"
            rows.append(
                warning(modality, modality, "few NK cells", severity=severity, text=text, sample=sample, remedy=remedy)
            )
    return rows


def of_gates(modality: str, gates: pd.DataFrame) -> list[dict[str, Any]]:
    """Cuts not found in the sample itself, gates that remove (nearly) all or nothing, gates that were skipped."""
    rows = []
    for row in gates.to_dict("records"):
        sample, gate = str(row["sample"]), str(row["gate"])
        # shape of the pulse: cut around the main mode by its own spread, as it should be
        node = "singlets" if row.get("marker") == "Pulse" else gate.split(" (")[0]
        n_in, n_out = int(row["n_in"]), int(row["n_out"])
        reason = row["reason"] if isinstance(row["reason"], str) else None
        kept = n_out / n_in if n_in else np.nan
        where = f"gate {gate} at {row['threshold']:.3g}" if np.isfinite(row["threshold"]) else f"gate {gate}"
        if row["method"] == "skipped":
            if modality in CYTOMETRY and node not in TECHNICAL:
                text = f"gate {gate} was skipped: {reason or 'no reason given'}"
                rows.append(
                    warning(modality, modality, "gate skipped", severity="note", text=text, sample=sample, subject=gate)
                )
            continue
        if n_in and node not in TECHNICAL and kept < LEAST_KEPT and node.lower() != "nk":
            text = f"{where} keeps {n_out:,} of {n_in:,} events ({kept:.1%})"
            rows.append(
                warning(
                    modality,
                    modality,
                    "gate keeps nearly nothing",
                    severity="serious",
                    text=text,
                    sample=sample,
                    subject=gate,
                )
            )
        if n_in and node in SPLITTING and kept > MOST_KEPT and " (" not in gate:
            text = f"{where} keeps {n_out:,} of {n_in:,} events ({kept:.1%})"
            rows.append(
                warning(
                    modality, modality, "gate keeps everything", severity="note", text=text, sample=sample, subject=gate
                )
            )
        if modality in CYTOMETRY and row["method"] in FALLBACK and node not in TECHNICAL:
            # a cut that removes nothing can do no harm, wherever it comes from
            severity = "caution" if n_in and kept < 0.98 else "note"
            text = f"{where} ({row['method']}): {reason or 'not found in the sample itself'}"
            rows.append(
                warning(modality, modality, "fallback cut", severity=severity, text=text, sample=sample, subject=gate)
            )
    return rows


def of_lineages(lineages: pd.DataFrame, samples: pd.DataFrame, modality: str = "cytof") -> list[dict[str, Any]]:
    """Disagreeing NK counts and absent lineages, from the sample × lineage counts of mass cytometry.

    A lineage is missing where a blood sample has fewer than 0.1 % of it; products are sorted, so nothing is missed.
    """
    rows = []
    tissue = dict(zip(samples["sample"], samples["tissue_or_product"], strict=True))
    for sample, part in lineages.groupby("sample", sort=True):
        if {"n_nk_lineage", "n_nk_gates"} <= set(part.columns):
            a, b = float(part["n_nk_lineage"].iloc[0]), float(part["n_nk_gates"].iloc[0])
            ratio = max(a, b, 1) / max(min(a, b), 1)
            if abs(a - b) >= COUNT_DIFFERENCE and ratio > COUNT_RATIO:
                text = f"{a:,.0f} NK cells by lineage, {b:,.0f} by gates"
                severity = "serious" if ratio > 2 else "caution"
                rows.append(
                    warning(
                        modality,
                        modality,
                        "NK counts disagree",
                        severity=severity,
                        text=text,
                        sample=str(sample),
                        subject="NK",
                    )
                )
        counts = part.set_index("lineage")["n_cells" if "n_cells" in part.columns else "n"].astype(float)
        total = counts.sum()
        for name, cells in (("T", "T cells"), ("B", "B cells"), ("monocyte", "monocytes")):
            if total >= 1000 and tissue.get(sample) == "blood" and counts.get(name, 0.0) < 0.001 * total:
                n = counts.get(name, 0.0)
                text = f"{n:.0f} of {total:,.0f} live single events are {cells}"
                rows.append(
                    warning(
                        modality,
                        modality,
                        "lineage missing",
                        severity="note",
                        text=text,
                        sample=str(sample),
                        subject=name,
                    )
                )
        unsure = counts.get("unsure", 0.0) / total if total else 0.0
        if unsure > MOST_UNASSIGNED:
            text = f"the lineage of {unsure:.0%} of the live single events could not be determined"
            rows.append(
                warning(modality, modality, "lineage unsure", severity="caution", text=text, sample=str(sample))
            )
    return rows
