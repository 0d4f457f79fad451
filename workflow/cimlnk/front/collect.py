"""Warnings drawn from the tables of the stages: a pure function for every table, none of which reads a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.palette import label
from cimlnk.common.vocabulary import CYTOMETRY
from cimlnk.graph.shortfall import falls_short

from .tables import KINDS, SEVERITIES, WARNINGS

# Gates on the instrument's own scale or on DNA and beads: their cuts are edges of one population by design.
TECHNICAL = ("event_length", "singlets", "intact", "no_beads", "good_time", "not_debris", "viable")
FALLBACK = ("pool", "edge", "fallback")
SPLITTING = ("live", "not_t")  # gates that have something to remove in whole blood or PBMC
LEAST_KEPT, MOST_KEPT = 0.05, 0.999
FEW_NK = 50
MOST_UNASSIGNED = 0.20
COUNT_RATIO = 1.5  # NK by lineage over NK by gates, or the reverse
# Share of a cluster's cells from which it is one patient's, and least share of all cells in such clusters: by planted
# patients of unlike composition (docs/methods/populations.md).
ONE_PATIENT, LEAST_IN_THEM = 0.8, 0.02
MOST_BY_CHANCE = 0.5  # share that patient has anyway of the kinds of sample whose cells the cluster holds
LEAST_PATIENTS = 3  # of two, one has most of half of the clusters by chance
MOST_CLUSTERS = 5  # named in the text
# Clusters of 40,000 planted cells with 0.5 % far out are those of all neighbours down to a recall of .60 (adjusted Rand
# index .99), not at .49 (.66) or .38 (.15).
HARMLESS_RECALL = 0.6
AGREED = 0.5  # upper limit of an agreement below which a call by RNA is not borne out
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
            text = f"{row['n_nk']} NK cells among {row['n_events']:,} events"
            severity = "serious" if row["n_nk"] == 0 else "caution"
            rows.append(warning(modality, modality, "few NK cells", severity=severity, text=text, sample=sample))
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


def of_graph(modality: str, graph: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A search that found fewer neighbours than were asked for; `graph` is the record ``graph.json``."""
    if not falls_short(graph):
        return []
    recall, asked = float(graph["recall"]), float(graph["recall_asked"])
    text = (
        f"{recall:.1%} of the cells' nearest neighbours were found, asked for were {asked:.1%}: clusters may be cut or "
    )
    text += "joined where their cells' neighbours are missing"
    severity = "serious" if recall < HARMLESS_RECALL else "caution"
    return [warning(modality, "graph", "neighbours missed", severity=severity, text=text)]


def of_populations(modality: str, populations: pd.DataFrame, annotation: pd.DataFrame) -> list[dict[str, Any]]:
    """Samples and whole runs with more than 20 % unassigned cells, with the commonest reason."""
    rows: list[dict[str, Any]] = []
    if not len(populations):
        return rows
    share = (populations["population"].astype(str) == "unassigned").groupby(populations["sample"].astype(str)).mean()
    whole = float((populations["population"].astype(str) == "unassigned").mean())
    reasons = annotation[annotation["population"] == "unassigned"]
    why = ""
    if len(reasons):
        weights = reasons.assign(reason=reasons["reason"].fillna("no reason given")).groupby("reason")["n_cells"].sum()
        why = f"; mostly: {weights.sort_values(kind='stable').index[-1]}"
    if whole > MOST_UNASSIGNED:
        text = f"{whole:.0%} of all NK cells have no name{why}"
        severity = "serious" if whole > 0.5 else "caution"
        rows.append(warning(modality, "populations", "unassigned cells", severity=severity, text=text))
        return rows
    for sample, part in share.items():
        if part > MOST_UNASSIGNED:
            text = f"{part:.0%} of its NK cells have no name{why}"
            rows.append(
                warning(modality, "populations", "unassigned cells", severity="caution", text=text, sample=str(sample))
            )
    return rows


def of_patients(populations: pd.DataFrame, samples: pd.DataFrame, modality: str = "rna") -> list[dict[str, Any]]:
    """Clusters that are nearly one patient's, so that their name may follow the donor's genes and not a state.

    One row for the run. Asked of cohorts of three or more patients with cells. A cluster of a kind of sample that one
    patient alone has (a product, a day) is that patient's for no such cause: not told where patients in the proportions
    of each kind of sample would already make one patient most of the cluster.

    Parameters
    ----------
    populations
        POPULATIONS.
    samples
        SAMPLES: ``sample``, ``patient``, ``tissue_or_product`` and ``timepoint``.
    """
    sheet = samples.set_index(samples["sample"].astype(str))
    own_row = sheet.reindex(populations["sample"].astype(str))
    patient = own_row["patient"].astype(str).set_axis(populations.index)
    kind = (own_row["tissue_or_product"].astype(str) + " " + own_row["timepoint"].astype(str)).set_axis(
        populations.index
    )
    if patient.nunique() < LEAST_PATIENTS:
        return []
    table = pd.crosstab(populations["cluster"], patient)
    top, most = table.idxmax(axis=1), table.max(axis=1) / table.sum(axis=1)
    by_chance = pd.crosstab(populations["cluster"], kind, normalize="index") @ pd.crosstab(
        kind, patient, normalize="index"
    )
    chance = np.array([by_chance.at[cluster, p] for cluster, p in top.items()])
    own = (most > ONE_PATIENT) & (chance <= MOST_BY_CHANCE)
    share = table[own].to_numpy().sum() / len(populations)
    if share < LEAST_IN_THEM:
        return []
    named = populations.groupby("cluster")["population"].agg(lambda p: p.astype(str).mode().iloc[0])
    parts = [f"{k} ({label(named[k])}, {most[k]:.0%} {top[k]})" for k in table.index[own]]
    shown = ", ".join(parts[:MOST_CLUSTERS]) + (
        f" and {len(parts) - MOST_CLUSTERS} more" if len(parts) > MOST_CLUSTERS else ""
    )
    text = f"{int(own.sum())} of {len(table)} clusters ({share:.0%} of the cells) are nearly one patient's: {shown}"
    return [warning(modality, "populations", "clusters follow patients", severity="caution", text=text)]


def of_overrides(modality: str, overridden: pd.DataFrame, thresholds: pd.DataFrame) -> list[dict[str, Any]]:
    """What the override sheet changed: names row by row, and thresholds."""
    rows = []
    for row in overridden.to_dict("records"):
        why = f" ({row['why']})" if isinstance(row["why"], str) else ""
        text = f"row {row['row']}: {row['n_cells']:,} cells are {row['population']}, not {row['would_be']}{why}"
        rows.append(
            warning(
                modality, "populations", "overridden", severity="note", text=text, subject=f"{row['what']} {row['key']}"
            )
        )
    for row in thresholds[thresholds["method"] == "override"].to_dict("records"):
        text = f"{row['feature']} is positive above {row['threshold']:.3g} by {row['reason']}"
        rows.append(
            warning(modality, "populations", "overridden", severity="note", text=text, subject=str(row["feature"]))
        )
    return rows


def of_thresholds(modality: str, thresholds: pd.DataFrame) -> list[dict[str, Any]]:
    """Markers without a trustworthy threshold of positivity."""
    rows = []
    for feature, part in thresholds.groupby("feature", sort=True):
        without = part[part["threshold"].isna() | (part["method"] == "none")]
        if len(without):
            reason = without["reason"].dropna()
            batches = "" if len(without) == len(part) else f" in {len(without)} of {len(part)} batches"
            text = f"{feature}: positive and negative cells cannot be distinguished{batches}"
            text += f" ({reason.iloc[0]})" if len(reason) else ""
            rows.append(
                warning(
                    modality, "populations", "no positivity threshold", severity="note", text=text, subject=str(feature)
                )
            )
    return rows


def of_proteins(nk: pd.DataFrame, names: pd.DataFrame) -> list[dict[str, Any]]:
    """NK cells and names by RNA that protein of the same cells does not bear out (upper limit below one half)."""
    rows = []
    for row in nk[nk["sample"] != "all"].to_dict("records"):
        if row["precision_high"] < AGREED or row["recall_high"] < AGREED:
            text = f"NK cells by RNA: precision {row['precision']:.0%}, recall {row['recall']:.0%} against protein"
            sample = str(row["sample"])
            kind = "RNA and protein disagree"
            rows.append(warning("rna", "populations", kind, severity="serious", text=text, sample=sample))
    for row in names[names["high"] < AGREED].to_dict("records"):
        instead = f", mostly {row['instead']}" if isinstance(row["instead"], str) else ""
        text = f"{row['population']}: {row['n_other']} of {row['n_told']} cells are something else by protein{instead}"
        subject = str(row["population"])
        kind = "RNA and protein disagree"
        rows.append(warning("rna", "populations", kind, severity="caution", text=text, subject=subject))
    return rows
