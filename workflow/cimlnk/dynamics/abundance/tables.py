"""How many cells, over which baseline, on which scale, and what n patients can show."""

from __future__ import annotations

from cimlnk.common.tables import Schema
from cimlnk.dynamics.tables import SERIES

ABUNDANCE = Schema(
    "ABUNDANCE",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "sample": ("str?", "sample id; missing for a day with a blood count but no file of this modality"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion (0 = infusion)"),
        "timepoint": ("str", "name of the time point"),
        "arm": ("str", "study arm"),
        "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
        "population": ("str", "named subset, `unassigned`, or `NK` for all NK cells"),
        "n_cells": ("float", "cells of the population in the file"),
        "n_nk": ("float", "NK cells in the file: the denominator of the fraction"),
        "fraction": ("float", "n_cells / n_nk"),
        "fraction_low": ("float", "lower 95 % limit: counting, gating and clustering error"),
        "fraction_high": ("float", "upper 95 % limit"),
        "nk_per_ul": ("float", "NK cells per microlitre of blood; NaN for product and donor"),
        "nk_per_ul_source": (
            "str?",
            "origin of nk_per_ul: `counts`, or lymphocytes/uL times a file's share",
        ),
        "cells_per_ul": ("float", "nk_per_ul x fraction"),
        "cells_per_ul_low": ("float", "lower 95 % limit; also the error of the blood count"),
        "cells_per_ul_high": ("float", "upper 95 % limit"),
        "reason": ("str?", "why a number of this row is NaN"),
    },
)

FOLDS = Schema(
    "FOLDS",
    {
        **SERIES,
        "day": ("int", "day after infusion"),
        "baseline_day": ("float", "day of the pre-infusion blood value that is the denominator"),
        "fold_change": ("float", "cells/uL of the day over cells/uL of the baseline"),
        "fold_low": ("float", "lower 95 % limit"),
        "fold_high": ("float", "upper 95 % limit"),
        "reason": ("str?", "why the fold is NaN"),
    },
)

SCALES = Schema(
    "SCALES",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "population": ("str", "named subset"),
        "contrast": ("str", "what is compared"),
        "fraction_log2": ("float", "change of the odds within NK cells (log2)"),
        "absolute_log2": ("float", "change of the cells per microlitre (log2)"),
        "clr_log2": ("float", "change against the geometric mean of all populations (log2)"),
        "verdict": ("str", "`absolute and relative`, `absolute only`, `relative only`, `no change shown`, ..."),
        "reason": ("str?", "why there is no verdict"),
    },
)

POWER = Schema(
    "POWER",
    {
        "test": ("str", "the test the statement is about"),
        "modality": ("str", "`cytof` or `rna`"),
        "population": ("str", "named subset"),
        "contrast": ("str", "what is compared"),
        "n_patients": ("int", "patients that carry the contrast"),
        "detectable_log2": ("float", "smallest true effect found with the asked power (log2)"),
        "detectable_fold": ("float", "the same as a ratio"),
        "power_at_1": ("float", "power at a true effect of 1 log2"),
        "reason": ("str?", "why a number is NaN"),
    },
)
