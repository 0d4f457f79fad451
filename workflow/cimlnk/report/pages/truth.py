"""Recovered truth: for synthetic cohorts, what was planted against what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.report.blocks import Page, Section, Site
from cimlnk.report.figures.effects import planted_and_found
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
    reached = np.where(table["threshold"].isna(), "reported only", np.where(table["passed"], "reached", "missed"))
    columns = {
        "measure": "measure", "modality": "data", "value": "score", "threshold": "asked", "mark": "mark", "n": "n",
        "worst": "worst case", "meaning": "meaning",
    }  # fmt: skip
    columns = {k: v for k, v in columns.items() if k in table or k == "mark"}
    site.table_file("recovery", table.assign(mark=reached))
    table = table.assign(measure=table["measure"].str.replace("precision_lineage", "precision, lineage alone"))
    scores = site.table(
        "recovery", table.assign(mark=reached), "Scores and the marks they have to reach.", columns=columns
    )
    result.sections.append(Section("scores", "Scores", [scores]))
    hard = run.table("truth/difficulty.parquet")
    if len(hard):
        section = Section("difficulty", "How hard this cohort is")
        section.blocks.append(
            site.table(
                "difficulty",
                hard,
                "Names that simpler methods give to the same true NK cells, and a linear classifier that was shown the "
                "truth of other patients: about what can be had. Cells between two populations are right with either "
                "name; clusters of k-means and scanpy are given the name most of their cells truly have.",
                columns={
                    "modality": "data", "method": "method", "n_cells": "cells", "ari": "ARI",
                    "ari_strict": "ARI, one name only", "right": "right or less specific", "wrong": "wrong",
                    "unnamed": "unnamed",
                },
            )
        )  # fmt: skip
        result.sections.append(section)
    cases = run.table("truth/cases.parquet")
    cases = cases.dropna(subset=["truth", "found"]) if len(cases) else pd.DataFrame()
    if len(cases):
        caption = (
            "Planted against found, one dot per sample, patient-day or subset; on the line they are equal. Folds on "
            "logarithmic axes."
        )
        section = Section("cases", "Planted and found")
        section.blocks.append(site.figure("recovery_cases", planted_and_found(cases), caption, table=cases))
        result.sections.append(section)
    return result
