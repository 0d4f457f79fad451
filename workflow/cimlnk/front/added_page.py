"""A page about added samples: where their cells lie, how strange they are, and the patient's course with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.home import called
from cimlnk.common.palette import label
from cimlnk.common.tables import read_table
from cimlnk.common.vocabulary import NK
from cimlnk.report.blocks import Page, Section, Site, Text, esc
from cimlnk.report.figures.course import composition
from cimlnk.report.figures.maps import thin
from cimlnk.report.site import render
from cimlnk.report.style import colours, order, panels, pyplot

from .place import Placed

MOST_MAPS = 12  # samples with a map of their own, the strangest first
BACKGROUND = 8_000  # earlier cells drawn behind each


def write_added_page(folder: Path, placed: Placed, warnings: list[str]) -> Path:
    """Write ``added/index.html`` below `folder`, which :func:`.place.place` has filled.

    Parameters
    ----------
    warnings
        What to know before reading on, as it is said on the console.

    Returns
    -------
    The page's file.
    """
    site = Site(folder / "added", folder.name)
    samples = read_table(folder / "cohort/samples.parquet").set_index("sample")
    abundance = read_table(folder / "dynamics/abundance.parquet")
    abundance = abundance[abundance["modality"] == "cytof"]
    table = placed.table
    new = list(table["sample"].unique())
    cells = int(table.drop_duplicates("sample")["n_nk"].sum())
    lead = (
        f"{count(len(new), 'sample')} with {cells:,} NK cells, placed on the clusters of an earlier run, whose cells, "
        f"names and numbers are as they were. For tests and models over all samples: "
        f"{called('run', f'--configfile config/{esc(folder.name)}.yaml')}."
    )
    page = Page("index.html", f"Added samples: {folder.name}", lead, menu="Added")
    items = "".join(f"<li>{esc(w)}</li>" for w in warnings)
    kind, words = ("warning", f"<ul>{items}</ul>") if warnings else ("note", "<p>No sample is strange.</p>")
    page.sections.append(Section("first", "What to know first", [Text(f'<div class="{kind}">{words}</div>', "html")]))
    page.sections.append(Section("samples", "How each sample was measured", [_samples(site, placed, samples)]))
    umap = folder / "cytof/umap.parquet"
    if umap.is_file():
        populations = read_table(folder / "cytof/populations.parquet")
        where = read_table(umap).merge(populations[["cell", "sample", "population"]], on="cell")
        section = Section("where", "Where its cells lie")
        shown = list(table.drop_duplicates("sample").sort_values("strange", ascending=False)["sample"])[:MOST_MAPS]
        caption = "Cells of each added sample (coloured by their name) on the map of the earlier run (grey)."
        if len(new) > len(shown):
            caption += f" The {len(shown)} samples with most strange cells of {len(new)}."
        own = where[where["sample"].isin(shown)]
        section.blocks.append(
            site.figure("where", maps(where, shown), caption, table=own, table_name="where", png=True)
        )
        page.sections.append(section)
    page.sections.append(_course(site, abundance, samples, new=new))
    page.sections.append(Section("subsets", "Subsets", [_subsets(site, subsets(table, abundance, samples))]))
    render(site, [page])
    return folder / "added" / page.file


def maps(where: pd.DataFrame, samples: list[str]) -> Any:
    """One panel per sample: its cells over thinned cells of the samples that are not shown."""
    behind = thin(where[~where["sample"].isin(samples)], BACKGROUND)
    names = order(where.loc[where["sample"].isin(samples), "population"])
    tone = colours(names)
    right = 0.6 + 0.068 * max(len(label(n)) for n in names)
    figure, axes = panels(len(samples), most_columns=4, width=2.5, height=2.6, right=max(1.6, right), sharex=False)
    for axis, sample in zip(axes.flat, samples, strict=False):
        mine = thin(where[where["sample"] == sample])
        mine = mine.iloc[np.random.default_rng(0).permutation(len(mine))]  # no name hidden behind another
        axis.scatter(behind["umap1"], behind["umap2"], c="#DDDDDD", s=1, linewidths=0, rasterized=True)
        size = float(np.clip(6_000 / max(len(mine), 1), 1.5, 12.0))
        axis.scatter(
            mine["umap1"], mine["umap2"], c=mine["population"].map(tone), s=size, linewidths=0, rasterized=True
        )
        axis.set_title(sample, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
    for axis in axes.flat[len(samples) :]:
        axis.set_visible(False)
    handles = [pyplot().Line2D([], [], marker="o", linestyle="", color=tone[n], markersize=5, label=label(n))
               for n in names]  # fmt: skip
    figure.legend(handles=handles, loc="center right")
    return figure


def subsets(added: pd.DataFrame, abundance: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Every subset of every added sample beside the same patient's last earlier blood sample.

    Parameters
    ----------
    added, abundance
        ADDED, and ABUNDANCE of mass cytometry with the added samples in it.
    samples
        SAMPLES, indexed by sample.

    Returns
    -------
    DataFrame
        sample, patient, day, population, n_cells, fraction, fraction_low, fraction_high, cells_per_ul, before_day,
        before (fraction), apart (whether the intervals do not overlap; missing without an earlier sample),
        confidence, nearest.
    """
    new = set(added["sample"])
    known = abundance[abundance["sample"].notna() & ~abundance["sample"].isin(new)]
    known = known[known["tissue_or_product"] == "blood"]
    mine = abundance[abundance["sample"].isin(new) & (abundance["population"] != NK)]
    rows = []
    for row in mine.to_dict("records"):
        same = known[(known["patient"] == row["patient"]) & (known["population"] == row["population"])]
        same = same[same["day"] < row["day"]].sort_values("day")
        before = same.iloc[-1] if len(same) and row["tissue_or_product"] == "blood" else None
        out = {c: row[c] for c in ("sample", "patient", "day", "population", "n_cells", "fraction", "fraction_low",
                                   "fraction_high", "cells_per_ul")}  # fmt: skip
        out["before_day"] = np.nan if before is None else before["day"]
        out["before"] = np.nan if before is None else before["fraction"]
        out["apart"] = None
        if before is not None and np.isfinite(before["fraction_low"]) and np.isfinite(row["fraction_low"]):
            apart = row["fraction_low"] > before["fraction_high"] or row["fraction_high"] < before["fraction_low"]
            out["apart"] = "yes" if apart else "no"
        rows.append(out)
    found = pd.DataFrame(rows)
    more = added[["sample", "population", "confidence", "nearest"]]
    return found.merge(more, on=["sample", "population"], how="left")


def _samples(site: Site, placed: Placed, samples: pd.DataFrame) -> Any:
    rows = []
    for row in placed.table.drop_duplicates("sample").to_dict("records"):
        sheet = samples.loc[row["sample"]]
        rows.append({"sample": row["sample"], "patient": sheet["patient"], "day": int(sheet["day"]),
                     "n_nk": row["n_nk"], "strange": 100 * row["strange"], "signal": row["signal"],
                     "unlike": row["unlike"], "swapped": row["swapped"], "reason": row["reason"]})  # fmt: skip
    heads = {"sample": "sample", "patient": "patient", "day": "day", "n_nk": "NK cells", "strange": "far cells, %",
             "signal": "signal, × earlier", "unlike": "lineages' distance, × farthest earlier",
             "swapped": "look exchanged", "reason": "not determined"}  # fmt: skip
    caption = (
        "Far cells lie farther from all known cells than 99 % of those from each other (1 % is usual, above 10 % is "
        "strange where the cells are enough to tell); the signal is that of the positive markers of T, B, NK cells and "
        "monocytes (strange below 0.67 and above 1.5); the lineages' distance is strange above 1.5."
    )
    return site.table("samples", pd.DataFrame(rows), caption, columns=heads)


def _course(site: Site, abundance: pd.DataFrame, samples: pd.DataFrame, *, new: list[str]) -> Section:
    section = Section("course", "In the course of its patient")
    patients = samples.loc[new, "patient"].unique()
    named = abundance[abundance["patient"].isin(patients) & (abundance["population"] != NK)]
    named = named[named["sample"].notna() & named["fraction"].notna()]
    named = named.assign(timepoint=named["timepoint"].where(~named["sample"].isin(new), named["timepoint"] + " (new)"))
    if len(named):
        caption = "Share of every subset in all samples of the patients that have a new one."
        section.blocks.append(site.figure("course", composition(named), caption, table=named, table_name="course"))
    return section


def _subsets(site: Site, table: pd.DataFrame) -> Any:
    shown = table.assign(
        share=[_span(r["fraction"], r["fraction_low"], r["fraction_high"]) for r in table.to_dict("records")],
        then=100 * table["before"], by_nearest=100 * table["nearest"],
    )  # fmt: skip
    heads = {"sample": "sample", "population": "subset", "n_cells": "cells", "share": "share, %",
             "cells_per_ul": "cells/µL", "before_day": "day before", "then": "share then, %",
             "apart": "intervals apart", "confidence": "confidence",
             "by_nearest": "share by the nearest cells alone, %"}  # fmt: skip
    caption = (
        "Shares of the NK cells with 95 % limits, beside the same patient's last earlier blood sample. Many are "
        "compared without correction: intervals that lie apart are a reason to look, not a finding."
    )
    return site.table("subsets", shown, caption, columns=heads)


def _span(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return ""
    return f"{100 * value:.1f}" + (f" ({100 * low:.1f} to {100 * high:.1f})" if np.isfinite(low) else "")
