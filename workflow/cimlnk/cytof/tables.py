"""Schemas of the tables this stage writes."""

from __future__ import annotations

from cimlnk.common.tables import Schema

GATES = Schema(
    "gates",
    {
        "sample": ("str", "sample id"),
        "step": ("int", "position in the hierarchy, from 0"),
        "gate": ("str", "name of the gate; the last one of a node has the node's name (live, lymphocytes, nk)"),
        "parent": ("str?", "gate whose events enter; missing for all events of the file"),
        "n_in": ("int", "events entering"),
        "n_out": ("int", "events kept"),
        "n_out_low": ("int", "least kept when the threshold moves within its interval, parent unchanged"),
        "n_out_high": ("int", "most kept when the threshold moves within its interval"),
        "channel": ("str?", "$PnN, several joined by +"),
        "marker": ("str?", "marker of the panel, several joined by +"),
        "side": ("str?", "above, below or not_all_above: the side of the threshold that is kept"),
        "threshold": ("float", "on the gating scale: arcsinh for metals, raw for length and Gaussian parameters"),
        "threshold_low": ("float", "lower end of the threshold's uncertainty"),
        "threshold_high": ("float", "upper end"),
        "method": (
            "str",
            "how found: lineage, valley, doublet mixture, edge, pool, override, manual, time, skipped",
        ),
        "reason": ("str?", "why not by the sample's own valley, or why skipped"),
    },
)
SUMMARY = Schema(
    "summary",
    {
        "sample": ("str", "sample id"),
        "n_events": ("int", "events in the file"),
        "n_live_singlets": ("int", "live single events"),
        "n_lymphocytes": ("float", "live single T, B and NK cells; NaN if the panel cannot distinguish them"),
        "n_nk": ("int", "NK cells"),
        "n_nk_low": ("float", "NK cells, lower end of the gates' uncertainty"),
        "n_nk_high": ("float", "NK cells, upper end of the gates' uncertainty"),
        "n_nk_lineage": ("float", "NK cells by lineage; NaN where the gates alone decide"),
        "n_nk_gates": ("float", "events of the last gate; NaN where the panel has no channel for it"),
        "qc_score": ("float", "share of events in good stretches of the acquisition"),
        "left_out": ("bool", "whether the sample is not analysed"),
        "reason": ("str?", "why left out"),
    },
)
LINEAGE_COUNTS = Schema(
    "lineages",
    {
        "sample": ("str", "sample id"),
        "lineage": ("str", "lineage of blood, doublet or unsure"),
        "n_cells": ("int", "live single events of it"),
        "confidence": ("float", "mean probability of their lineage; NaN without events"),
        "n_nk_lineage": ("float", "NK cells (or the target lineage) by lineage"),
        "n_nk_gates": ("float", "events of the last gate; NaN where the panel has no channel for it"),
        "reason": ("str?", "what could not be determined for lack of a marker"),
    },
)
CELLS = Schema("cells", {"cell": ("str", "cell id, sample:event"), "sample": ("str", "sample id")})
