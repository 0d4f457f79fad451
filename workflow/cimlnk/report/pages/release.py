"""Products: may they be given, and what their cells do in the dish."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Figure, Page, Section, Site, Table, Text
from cimlnk.report.run import Run

PER_CENT = ("purity", "purity_low", "purity_high", "bound")
DECISION = {
    "sample": "product", "patient": "patient", "decision": "decision", "purity": "NK cells of live events",
    "purity_low": "low", "purity_high": "high", "bound": "asked", "n_live": "live events", "reason": "reason",
}  # fmt: skip
READINGS = {
    "sample": "product", "best_killing": "best killing, %", "best_ratio": "at NK cells per target",
    "n_killing": "readings", "ifn_g_alone": "IFN-g alone, pg/mL", "ifn_g": "IFN-g with targets, pg/mL",
    "tnf_a_alone": "TNF-a alone, pg/mL", "tnf_a": "TNF-a with targets, pg/mL",
}  # fmt: skip


def page(run: Run, site: Site) -> Page | None:
    """Build the page; None for a cohort without products."""
    table = run.table("dynamics/release.parquet")
    if not len(table):
        return None
    result = Page(
        "release.html",
        "Products",
        "Whether each infusion product is pure enough to be given, from its own file, and what its cells do.",
        group="data",
    )
    caption = (
        "NK cells (CD56+ CD3-) among the live single events of the product's file. The limits join the counting error "
        "with the range of the gates; a product is borderline where they hold the share that is asked."
    )
    site.table_file("release", table)  # shares as numbers
    shares = {c: [f"{100 * v:.1f} %" if pd.notna(v) else "" for v in table[c]] for c in PER_CENT}
    block = site.table("release", table.assign(**shares), caption, columns=DECISION)
    result.sections.append(Section("decision", "Release", [block]))
    given = run.table("cohort/functional.parquet")
    if len(given):
        caption = (
            "Means of the readings of every product, which decide nothing: no bound for them was published. The file "
            "below has every reading."
        )
        blocks: list[Text | Figure | Table] = [
            site.table("release_readings", table, caption, columns=READINGS),
            site.table("functional", given, "Every reading of the functional sheet."),
        ]
        result.sections.append(Section("functional", "Functional readings", blocks))
    return result
