"""Populations: maps, profiles, names and how stable they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cimlnk.common.crosswalk import SCHEMES, table_of
from cimlnk.common.palette import order
from cimlnk.common.vocabulary import CYTOMETRY, NK, UNASSIGNED
from cimlnk.graph.shortfall import falls_short
from cimlnk.report.blocks import Figure, Page, Section, Site, Text, esc
from cimlnk.report.figures.maps import MAX_POINTS, MOST_FEATURES, heat_map, overview
from cimlnk.report.run import Run

from . import proteins
from .cohort import MODALITY

MAX_ROWS = 10_000  # cells in the file behind a map; every cell is in the results


def differing(cells: pd.DataFrame) -> str:
    """The columns by which the map is coloured because they differ between cells, for its caption."""
    names = [c for c in ("day", "patient", "arm", "batch") if c in cells and cells[c].nunique() > 1]
    return "".join(f", {n}" for n in names)


def sketch_words(sketch: Mapping[str, Any], graph: Mapping[str, Any]) -> str:
    """That a sketch was clustered and not all cells, and how well the transfer reproduces the sketch's own labels.

    Parameters
    ----------
    sketch, graph
        ``sketch`` of ``clustering.json``; ``graph.json``.
    """
    return (
        f"Clustered was a sketch of {sketch['cells']:,} cells drawn evenly from {graph['n_cells']:,}; the others carry "
        "the label of most of their nearest sketch cells and are placed between them in the map. Treated alike, "
        f"{sketch['transfer_agreement']:.1%} of the sketch's cells get their own label back."
    )


def _short(graph: Mapping[str, Any]) -> str:
    """What is to be said of a recall that is less than was asked."""
    if not falls_short(graph):
        return ""
    asked = float(graph["recall_asked"])
    return f", less than the {asked:g} that was asked: some cells' true neighbours are not in the graph"


def _clustering(run: Run, modality: str, site: Site) -> Section:
    section = Section(f"clustering-{modality}", f"Clusters and their stability: {MODALITY[modality]}")
    info, graph = run.json(f"{modality}/clustering.json"), run.json(f"{modality}/graph.json")
    recall = graph.get("recall")
    words = []
    if recall is not None:
        words.append(f"Neighbours found at a measured recall of {float(recall):.3f}{_short(graph)}.")
    if info.get("sketch"):
        words.append(sketch_words(info["sketch"], graph))
    if info.get("verdict"):
        words.append(f"Stability: {esc(info['verdict'])}.")
    if words:
        section.blocks.append(Text(" ".join(words), "note"))
    sweep = run.table(f"{modality}/resolutions.parquet")
    picture = f"{modality}/resolutions.svg"
    if len(sweep) > 1 and run.has(picture):
        caption = (
            "Why this resolution: agreement of clusterings of random subsamples at each resolution, set against what "
            "data without structure give; the vertical line is the choice."
        )
        place = f"figures/resolutions_{modality}.svg"
        site.copy(run.files[picture], place)
        table = site.table_file(f"resolutions_{modality}", sweep)
        section.blocks.append(Figure(f"resolutions_{modality}", place, caption, table, "Why this resolution"))
    annotation = run.table(f"{modality}/annotation.parquet")
    columns = {
        "cluster": "cluster", "n_cells": "cells", "population": "named", "share": "share so named",
        "score": "score", "runner_up": "runner-up",
        "margin": "margin", "support": "support", "reason": "remark",
    }  # fmt: skip
    section.blocks.append(
        site.table(
            f"annotation_{modality}",
            annotation,
            "Clusters and the names their profiles earn. Share so named: of its cells; by proteins every cell is named "
            "by itself, and a cluster can straddle a threshold. Score: agreement with the definition (0–1). Margin: "
            "lead in likelihood over the runner-up (0–1). Both are empty of a general name that is given as "
            "no more specific one fits, the margin also without a runner-up: nothing was won. Support: how well the "
            "stable cluster it is part of is found again in random subsamples (Jaccard, 0–1).",
            columns=columns,
        )  # fmt: skip
    )
    changed = run.table(f"{modality}/overridden.parquet")
    if len(changed):
        columns = {
            "row": "row", "what": "what", "key": "which", "action": "action", "n_cells": "cells",
            "would_be": "would have been", "population": "is now", "why": "why",
        }  # fmt: skip
        caption = "Names given by the override sheet, row by row, and what the pipeline called these cells."
        section.blocks.append(site.table(f"overridden_{modality}", changed, caption, columns=columns))
    return section


def _names_of_others(site: Site, populations: list[str]) -> list[Section]:
    """What others call the subsets that were found."""
    found = [p for p in order(populations) if p != UNASSIGNED]
    if not found:
        return []
    table = table_of([NK, *found])
    site.table_file("names_of_others", table)
    columns = {"population": "subset", **SCHEMES}
    sources = dict.fromkeys(s for text in table["source"].dropna() for s in re.split(r"; (?!\d)", text))
    caption = (
        "Names of others for the subsets of this cohort: ~ before a name for most of the same cells, or told by "
        "something else; &lt; before a wider one. Empty where no correspondence is known. These are words for our "
        "names, not calls by the tools they come from. Sources, each row's in the file: "
        f"{esc('; '.join(sources))}."
    )
    block = site.table("names_of_others", table, caption, columns=columns)
    return [Section("names-of-others", "What others call these subsets", [block])]


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(
        "populations.html",
        "Populations",
        "Named NK subsets"
        + (", the same by all kinds of data," if len(run.modalities) > 1 else "")
        + " and how sure the "
        "names are.",
        group="data",
    )
    for modality in run.modalities:
        cells, n_cells = run.cells(modality, MAX_POINTS), run.rows(f"{modality}/populations.parquet")
        section = Section(f"map-{modality}", f"Map of the NK cells: {MODALITY[modality]}")
        if not len(cells):
            section.blocks.append(Text("No NK cells.", "note"))
            result.sections.append(section)
            continue
        caption = (
            f"UMAP of {n_cells:,} NK cells from the same neighbour graph that was clustered, coloured by named "
            f"population{differing(cells)} and by how many of a cell's neighbours carry its name. Distances between "
            "islands mean little; neighbourhood does."
        )
        shown = run.cells(modality, MAX_ROWS)[
            ["cell", "umap1", "umap2", "population", "day", "patient", "arm", "batch", "confidence"]
        ]
        section.blocks.append(
            site.figure(
                f"umap_{modality}", overview(cells), caption, table=shown, table_name=f"umap_{modality}", png=True
            )
        )
        profiles = run.table(f"{modality}/profiles.parquet")
        rows = profiles[profiles["level"] == "population"]
        value, unit = ("median", "median arcsinh") if modality in CYTOMETRY else ("mean", "mean log1p")
        caption = f"Profile of each named population ({unit}) on one scale for all features; cells in brackets."
        if (number := rows["feature"].nunique()) > MOST_FEATURES:
            caption += f" The {MOST_FEATURES} of {number} features that differ most; the file has all."
        section.blocks.append(site.figure(f"profiles_{modality}", heat_map(rows, value, unit), caption, table=rows))
        if modality == "rna":
            section.blocks.append(Text(esc(proteins.accuracy_words(run)), "note"))
        result.sections += [section, _clustering(run, modality, site)]
    named = [p for m in run.modalities for p in run.populations_of(m)]
    result.sections += _names_of_others(site, named)
    measured = proteins.section(run, site)
    if measured is not None:
        result.sections.append(measured)
    return result
