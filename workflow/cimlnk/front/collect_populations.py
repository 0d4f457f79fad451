"""Warnings drawn from the graph, the clusters and their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.palette import label
from cimlnk.graph.shortfall import falls_short

from .collect import MOST_UNASSIGNED, warning

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


def of_graph(modality: str, graph: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A search that found fewer neighbours than were asked for; `graph` is the record ``graph.json``."""
    if not falls_short(graph):
        return []
    recall, asked = float(graph["recall"]), float(graph["recall_asked"])
    text = f"{recall:.1%} of the cells' nearest neighbours were found, asked for were {asked:.1%}: clusters may be cut "
    text += "or joined where their cells' neighbours are missing"
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
