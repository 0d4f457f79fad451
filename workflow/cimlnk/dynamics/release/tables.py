"""The release decision of every product, with what it rests on."""

from __future__ import annotations

from cimlnk.common.tables import Schema

RELEASE = Schema(
    "RELEASE",
    {
        "sample": ("str", "the product's file"),
        "patient": ("str", "patient"),
        "arm": ("str", "arm"),
        "n_live": ("float", "live single events of the file"),
        "n_nk": ("float", "NK cells (CD56+ CD3-) among them"),
        "purity": ("float", "n_nk / n_live"),
        "purity_low": ("float", "lower limit: counting (Wilson, 95 %) and the gates' own range"),
        "purity_high": ("float", "upper limit"),
        "bound": ("float", "least purity asked"),
        "decision": ("str", "`released`, `borderline` (the limits hold the bound), `not released` or `not decided`"),
        "best_killing": ("float", "mean killing of target cells at the ratio where it is highest, percent"),
        "best_ratio": ("float", "NK cells per target cell there"),
        "n_killing": ("int", "readings of killing"),
        "ifn_g": ("float", "mean IFN-gamma with target cells, pg/mL"),
        "ifn_g_alone": ("float", "the same of NK cells alone"),
        "tnf_a": ("float", "mean TNF-alpha with target cells, pg/mL"),
        "tnf_a_alone": ("float", "the same of NK cells alone"),
        "reason": ("str?", "why there is no decision, or what it rests on narrowly"),
    },
)
