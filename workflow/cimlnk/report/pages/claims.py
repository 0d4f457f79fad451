"""The study's claims, each with its verdict and the way to it."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text, prose
from cimlnk.report.run import Run
from cimlnk.report.style import plain

KINDS = {
    "finding": "Findings: what the patients' cells did",
    "design": "Design: what was planned and given, read off the sheets",
    "self-check": "Self-checks of the analysis",
}


COLUMNS = {
    "claim": "id", "title": "claim", "verdict": "verdict", "why": "reasons", "value": "value (interval)",
    "bound": "bound", "n": "n", "p": "p (least p)", "chance": "chance", "asked": "read from", "source": "source (tier)",
}  # fmt: skip


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with each number and its interval, p and the smallest attainable p, arm and modality in one column."""
    out = rows[["claim", "title", "verdict", "bound", "n", "chance", "why"]].copy()
    out["value"] = [
        f"{plain(v)} ({plain(low)} to {plain(high)})" if pd.notna(low) and pd.notna(high) else plain(v)
        for v, low, high in zip(rows["value"], rows["low"], rows["high"], strict=True)
    ]
    out["p"] = [
        f"{plain(p)} ({plain(least)})" if pd.notna(p) and pd.notna(least) else plain(p)
        for p, least in zip(rows["p"], rows["p_attainable"], strict=True)
    ]
    out["asked"] = [
        prose(", ".join(x for x in pair if x))
        for pair in zip(rows["arm"].fillna(""), rows["modality"].fillna(""), strict=True)
    ]
    out["source"] = [f"{s} ({t})" for s, t in zip(rows["source"].fillna(""), rows["tier"], strict=True)]
    return out


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
        "what the claim needs, not that the claim is wrong."
        + (f" Findings supported: {tally(table)}." if (table["kind"] == "finding").any() else ""),
    )
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
            site.table_file(f"claims_{kind}", rows)  # as they are; the page draws numbers that belong together as one
            block = site.table(f"claims_{kind}", readable(rows), "", columns=COLUMNS)
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
