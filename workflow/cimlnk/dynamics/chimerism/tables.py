"""Whose cells a sample holds, how many a microlitre, and how long they are seen."""

from __future__ import annotations

from cimlnk.common.tables import Schema
from cimlnk.dynamics.tables import SAMPLE

ALL_CALLED = "all called cells"

SHARES = Schema(
    "DONOR_SHARES",
    {
        **{k: v for k, v in SAMPLE.items() if k != "modality"},
        "population": ("str", "`all called cells`, `NK`, or a named subset of the NK cells"),
        "person": ("str", "the person; `SAMPLE label LABEL` where nothing says who it is"),
        "named": ("bool", "whether the person is the same on other days; else days must not be joined"),
        "role": ("str?", "`donor` or `recipient`"),
        "n_called": ("int", "cells with a call of any kind"),
        "n_singlets": ("int", "cells called for one person"),
        "n_person": ("int", "cells called for this person"),
        "n_doublets": ("int", "doublets of two persons: in no share"),
        "n_unsure": ("int", "ambiguous and unassigned cells"),
        "share": ("float", "n_person / n_singlets"),
        "share_low": (
            "float",
            "lower 95 % limit: false calls taken off, all unsure cells the others'; 0 unless detected",
        ),
        "share_high": ("float", "upper 95 % limit: missed calls and all unsure cells added"),
        "false_in": ("float", "cells called for this person that are expected to be another's"),
        "false_out": ("float", "cells called for others that are expected to be this person's"),
        "error_source": ("str", "where the expectation comes from"),
        "second_share": ("float", "the share by the independent call, of the cells it is sure of; NaN without one"),
        "detected": (
            "bool",
            "whether more cells are called than false calls explain (Poisson, one-sided p below .025)",
        ),
        "per_ul": ("float", "NK cells of this person per microlitre of blood"),
        "per_ul_low": ("float", "lower 95 % limit: of the share and of the blood count"),
        "per_ul_high": ("float", "upper 95 % limit"),
        "reason": ("str?", "why a number is NaN"),
    },
)

DONOR_KINETICS = Schema(
    "DONOR_KINETICS",
    {
        "patient": ("str", "patient id"),
        "arm": ("str", "study arm"),
        "person": ("str", "the person"),
        "role": ("str?", "`donor` or `recipient`"),
        "n_days": ("int", "days with a share of the NK cells in blood"),
        "n_days_per_ul": ("int", "days with cells per microlitre"),
        "peak_share": ("float", "highest share of the NK cells in blood after infusion"),
        "peak_share_low": ("float", "lower 95 % limit"),
        "peak_share_high": ("float", "upper 95 % limit"),
        "peak_share_day": ("float", "its day"),
        "peak_per_ul": ("float", "most NK cells of the person per microlitre after infusion"),
        "peak_per_ul_low": ("float", "lower 95 % limit"),
        "peak_per_ul_high": ("float", "upper 95 % limit"),
        "peak_day": ("float", "its day"),
        "first_day_detected": ("float", "first day after infusion on which the person's cells are detected"),
        "last_day_detected": ("float", "last such day"),
        "first_day_lost": ("float", "first later day on which they are not; NaN while they are seen to the end"),
        "half_life_days": ("float", "of the person's cells per microlitre from their peak on (log-linear)"),
        "half_life_low": ("float", "lower 95 % limit"),
        "half_life_high": ("float", "upper 95 % limit; infinite where no fall is shown"),
        "reason": ("str?", "why a number is NaN"),
    },
)
