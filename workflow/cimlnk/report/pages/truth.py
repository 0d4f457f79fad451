"""Recovered truth: for synthetic cohorts, what was planted against what was found."""

from __future__ import annotations

from cimlnk.report.blocks import Page, Section, Site
from cimlnk.report.run import Run


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    table = run.table("truth/recovery.parquet")
    result = Page(
        "truth.html",
        "Recovered truth",
        "This cohort is synthetic, so the pipeline's answers can be marked. Nothing before this page has read the "
        "truth.",
        group="record",
    )
    result.sections.append(
        Section("scores", "Scores", [site.table("recovery", table, "Scores and the thresholds they have to reach.")])
    )
    return result
