"""The study's claims, each with its verdict and the way to it."""

from __future__ import annotations

from cimlnk.report.blocks import Page, Section, Site, Text
from cimlnk.report.run import Run

TIERS = {
    "A": "Claims with a number in a source",
    "B": "Claims in a source, bound chosen here",
    "C": "General knowledge, for synthetic cohorts",
    "D": "Arithmetic and honesty of the analysis",
}


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    table = run.table("claims/claims.parquet")
    result = Page(
        "claims.html",
        "Claims",
        "Statements of the study and its neighbours, put to these data. “Not evaluable” means that the cohort lacks "
        "what the claim needs, not that the claim is wrong.",
    )
    columns = {
        "claim": "id", "title": "claim", "verdict": "verdict", "value": "value", "low": "low", "high": "high",
        "bound": "bound", "n": "n", "why": "how the verdict came about", "source": "source",
    }  # fmt: skip
    if set(table["tier"]) == {"D"}:
        result.sections.append(
            Section(
                "asked",
                "What was asked",
                [
                    Text(
                        "Nobody of this cohort was infused, so that the study's claims about infused "
                        "patients were not asked."
                    )
                ],
            )
        )
    for tier, title in TIERS.items():
        rows = table[table["tier"] == tier]
        if len(rows):
            result.sections.append(
                Section(f"tier-{tier}", title, [site.table(f"claims_{tier}", rows, f"Tier {tier}.", columns=columns)])
            )
    result.sections.append(
        Section(
            "reading",
            "How to read this",
            [
                Text(
                    "A verdict rests on one number (value) and one bound. Bounds can be changed per cohort in the "
                    "config (claims.bounds). With six patients an exact paired test cannot give a p below 0.031; "
                    "verdicts therefore count patients and show ranges before they show p values."
                )
            ],
        )
    )
    return result
