"""How far calls and names by RNA agree with those by surface protein of the same cells."""

from __future__ import annotations

import numpy as np

from cimlnk.report.blocks import Section, Site, Text, esc
from cimlnk.report.run import Run

UNMEASURED = (
    "No antibodies were counted with these cells, so the accuracy of the names by RNA is not measured in this cohort. "
    "In a public CITE-seq set NK cells by RNA and by protein agree (F1 .98), names less: of the cells named CD56bright "
    "by RNA, 15 % are so by protein."
)


def accuracy_words(run: Run) -> str:
    """What is known of the accuracy of names by RNA, in a sentence or two."""
    names, nk = run.table("adt/name_agreement.parquet"), run.table("adt/nk_agreement.parquet")
    if not len(names) or not len(nk):
        return UNMEASURED
    words = []
    whole = nk[nk["sample"] == "all"].iloc[0]
    if np.isfinite(whole["f1"]):
        words.append(
            f"Measured against protein of the same {int(whole['n_cells']):,} cells: of the NK cells by RNA "
            f"{whole['precision']:.0%} are NK cells by protein, of those by protein RNA finds {whole['recall']:.0%}."
        )
    every = names[names["population"] == "NK"].iloc[0]
    if np.isfinite(every["accuracy"]):
        words.append(
            f"Names by RNA agree with those by protein in {every['accuracy']:.0%} of the cells ({every['low']:.0%} to "
            f"{every['high']:.0%}; names handed out at random: {every['chance']:.0%})."
        )
    poor = names[(names["population"] != "NK") & (names["high"] < 0.5)]
    for row in poor.to_dict("records"):
        instead = f", most are {row['instead']}" if row["instead"] else ""
        words.append(f"Do not rely on {row['population']}: {row['accuracy']:.0%} are so by protein{instead}.")
    if not words:
        words.append(f"Antibodies were counted, but nothing could be compared: {whole['reason'] or every['reason']}.")
    return " ".join(words)


def section(run: Run, site: Site) -> Section | None:
    """The agreement of RNA and protein, None without antibodies."""
    names, nk = run.table("adt/name_agreement.parquet"), run.table("adt/nk_agreement.parquet")
    if not len(names):
        return None
    found = Section("protein", "Names by RNA, measured by protein of the same cells")
    found.blocks.append(Text(esc(accuracy_words(run)), "note"))
    columns = {
        "sample": "sample", "n_cells": "cells", "n_rna": "NK by RNA", "n_protein": "NK by protein", "n_both": "both",
        "precision": "precision", "recall": "recall", "f1": "F1", "instead": "else mostly", "reason": "remark",
    }  # fmt: skip
    caption = "NK cells by RNA and by protein among the live single cells with antibody counts."
    found.blocks.append(site.table("nk_agreement", nk, caption, columns=columns))
    columns = {
        "population": "by RNA", "n_cells": "cells", "n_told": "named by protein", "n_same": "same name",
        "n_general": "agreeing name", "n_other": "contradicting", "accuracy": "accuracy", "low": "low", "high": "high",
        "chance": "by chance", "instead": "else mostly", "reason": "remark",
    }  # fmt: skip
    caption = (
        "Names by RNA against names by protein, cell by cell. An agreeing name is less or more specific; chance is "
        "what names handed out at random among these cells would reach: high where the panel tells few names apart."
    )
    found.blocks.append(site.table("name_agreement", names, caption, columns=columns))
    antibodies = run.table("adt/antibodies.parquet")
    odd = antibodies[antibodies["reason"].notna() | ~antibodies["known"]]
    if len(odd):
        columns = {
            "sample": "sample", "antibody": "antibody", "marker": "read as", "kind": "kind", "background": "background",
            "noise": "noise", "method": "background by", "reason": "remark",
        }  # fmt: skip
        caption = (
            "Antibodies whose background is not that of their own negative cells or droplets, or whose name is unknown."
        )
        found.blocks.append(site.table("antibodies", odd, caption, columns=columns))
    return found
