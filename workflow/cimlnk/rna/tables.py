"""The tables the rna stage writes; the columns are the ones the mass cytometry stage writes."""

from __future__ import annotations

from cimlnk.common.tables import Schema

GATES = Schema(
    "GATES",
    {
        "sample": ("str", "sample id"),
        "step": ("int", "order of the gates, 1 = first"),
        "gate": ("str", "name of the gate"),
        "parent": ("str?", "gate whose cells came in; missing for the first one"),
        "n_in": ("int", "cells that came in"),
        "n_out": ("int", "cells kept"),
        "n_out_low": ("float", "cells kept at the stricter end of the threshold's interval"),
        "n_out_high": ("float", "cells kept at the more generous end"),
        "channel": ("str?", "quantity the threshold is on"),
        "threshold": ("float", "in units of `channel`"),
        "threshold_low": ("float", "lower 95 % limit of the threshold"),
        "threshold_high": ("float", "upper 95 % limit"),
        "method": ("str", "how the threshold was found"),
        "reason": ("str?", "why a gate was skipped or a number is NaN"),
    },
)
SUMMARY = Schema(
    "SUMMARY",
    {
        "sample": ("str", "sample id"),
        "n_events": ("int", "barcodes in the file"),
        "n_live_singlets": ("int", "cells that pass quality control and are no doublets"),
        "n_lymphocytes": ("float", "NK, T and B cells among them"),
        "n_nk": ("int", "NK cells"),
        "n_nk_low": ("float", "NK cells at the strict threshold"),
        "n_nk_high": ("float", "NK cells at the generous threshold"),
        "qc_score": ("float", "share of the barcodes that are live singlets, 0 to 1"),
        "left_out": ("bool", "whether the sample could not be used"),
        "reason": ("str?", "why it was left out"),
    },
)
CELLS = Schema("CELLS", {"cell": ("str", "cell id"), "sample": ("str", "sample id")})
