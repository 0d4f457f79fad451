"""The study's claims, each with its verdict and the way to it."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text
from cimlnk.report.run import Run

KINDS = {
    "finding": "Findings: what the patients' cells did",
    "design": "Design: what was planned and given, read off the sheets",
    "self-check": "Self-checks of the analysis",
}


def tally(table: pd.DataFrame) -> str:
    """Findings supported, in words: sheets and self-checks are no findings and are not counted."""
    findings = table[table["kind"] == "finding"]
    verdicts = findings["verdict"].value_counts()
    return (
        f"{verdicts.get('supported', 0)} of {len(findings)} ({verdicts.get('not supported', 0)} not supported, "
        f"{verdicts.get('not evaluable', 0)} not evaluable)"
    )


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    table = run.table("claims/claims.parquet")
    result = Page(
        "claims.html",
        "Claims",
        "Statements of the study and its neighbours, put to these data. “Not evaluable” means that the cohort lacks "
        f"what the claim needs, not that the claim is wrong. Findings supported: {tally(table)}.",
    )
    columns = {
        "claim": "id", "title": "claim", "verdict": "verdict", "value": "value", "low": "low", "high": "high",
        "bound": "bound", "n": "n", "p": "p", "p_attainable": "least p", "chance": "chance", "arm": "arm",
        "modality": "by", "why": "how the verdict came about", "tier": "tier", "source": "source",
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
    for kind, title in KINDS.items():
        rows = table[table["kind"] == kind]
        if len(rows):
            shown = {k: v for k, v in columns.items() if rows[k].notna().any()}
            block = site.table(f"claims_{kind}", rows, f"{title}.", columns=shown)
            result.sections.append(Section(f"kind-{kind}", title, [block]))
    if run.config.get("simulate") and result.sections:
        words = (
            "This cohort is <b>synthetic</b>: the effects were planted, and a verdict says whether the pipeline finds "
            "what was planted. It says nothing about patients."
        )
        result.sections[0].blocks.insert(0, Text(words, "note"))
    words = (
        "A verdict rests on one number (value) and one bound. <b>Chance</b> is the share of cohorts like this one, but "
        "without the effect, in which the finding would be supported: the same patients, days and gaps, and noise as "
        "large as here. Above 5 % a finding is never called supported. <b>Least p</b> is the smallest p that these "
        "patients can give; where it lies above the bound, the finding is not evaluable rather than not supported. "
        "Tier A: claim and number stand in a source; B: bound ours; C: general knowledge, for synthetic cohorts; "
        "D: arithmetic. Bounds can be changed per cohort in the config (claims.bounds)."
    )
    result.sections.append(Section("reading", "How to read this", [Text(words, "html")]))
    return result
