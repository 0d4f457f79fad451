"""Whose cells: what the trial allows to be told, who the labels are, and donor and recipient over time."""

from __future__ import annotations

import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.donors.tables import METHODS
from cimlnk.dynamics.chimerism.tables import ALL_CALLED
from cimlnk.report.blocks import Figure, Page, Section, Site, Table, Text, esc
from cimlnk.report.figures.donors import shares_over_time
from cimlnk.report.run import Run

from .state import primary

DESIGN = {
    "graft_donor": (
        "<b>Infused NK cells cannot be distinguished from those of the graft.</b> The person who gave the NK cells "
        "gave the graft, too (<code>donors.design: graft_donor</code>), so that infused NK cells and those that grow "
        "from the graft have one genotype: no variant, sex gene or HLA antibody tells them apart, whatever is "
        "sequenced. A donor's share says how much of the patient's own blood formation is left; that infused cells "
        "expand has to be read from counts against patients without an infusion, and from phenotype.",
        "warning",
    ),
    "third_party": (
        "The NK cells were given by somebody who did not give a graft: their genotype tells infused NK cells from the "
        "patient's own.",
        "note",
    ),
    "autologous": (
        "<b>The NK cells are the patient's own:</b> one genotype before and after infusion, so that nothing here tells "
        "infused NK cells from the others.",
        "warning",
    ),
    "not_stated": (
        "The config does not say who gave the NK cells (<code>donors.design</code>). If it was the donor of the graft, "
        "no genotype tells infused NK cells from those of the graft.",
        "note",
    ),
}  # fmt: skip
NOT_JOINED = (
    "<b>Days are not joined for {who}.</b> {why}. The share of cluster 1 on one day and of cluster 1 on another must "
    "not be compared: give the genotypes of the clusters (VCF), reference genotypes, or an independent call."
)
EVIDENCE = {
    "patient": "patient", "day": "day", "sample": "sample", "label": "label", "n_cells": "cells", "person": "person",
    "role": "role", "role_source": "role by", "method": "told by", "n_sites": "sites", "concordance": "agreement",
    "runner_up": "next best", "sex": "sex", "xist_umis": "XIST", "y_umis": "Y genes", "antibody": "antibody",
    "conflict": "conflict", "reason": "why nobody",
}  # fmt: skip
SHOWN = {
    "patient": "patient", "day": "day", "sample": "sample", "population": "cells", "person": "person", "role": "role",
    "n_singlets": "singlets", "n_person": "of the person", "n_doublets": "doublets", "n_unsure": "unsure",
    "share": "share", "share_low": "low", "share_high": "high", "second_share": "by the independent call",
    "detected": "detected", "error_source": "false calls by", "per_ul": "NK/µL", "per_ul_low": "low ",
    "per_ul_high": "high ",
}  # fmt: skip
COURSE = {
    "patient": "patient", "person": "person", "role": "role", "n_days": "days", "peak_share": "highest share",
    "peak_share_day": "on day", "peak_per_ul": "most NK/µL", "peak_day": "on day ",
    "last_day_detected": "last seen, day", "first_day_lost": "not seen, day",
    "half_life_days": "half-life, days", "half_life_low": "low",
    "half_life_high": "high", "reason": "remark",
}  # fmt: skip


def main_population(shares: pd.DataFrame) -> pd.DataFrame:
    """The rows of all NK cells, of samples without NK cells those of all called cells."""
    nk = shares[shares["population"] == NK]
    rest = shares[(shares["population"] == ALL_CALLED) & ~shares["sample"].isin(nk["sample"])]
    return pd.concat([nk, rest], ignore_index=True)


def refusals(matches: pd.DataFrame) -> list[Text]:
    """One paragraph for every reason why labels of several days of a patient have no person."""
    lost = matches[matches["person"].isna()]
    several = matches.groupby("patient")["sample"].transform("nunique") > 1
    blocks = []
    for why, part in lost[several.reindex(lost.index)].groupby("reason", sort=True):
        who = ", ".join(f"{r.sample} label {r.label}" for r in part.itertuples())
        why = str(why)[:1].upper() + str(why)[1:]
        blocks.append(Text(NOT_JOINED.format(who=esc(who), why=esc(why)), "warning"))
    return blocks


def course_blocks(run: Run, site: Site, patient: str | None = None) -> list[Text | Figure | Table]:
    """Figure of the shares (of one patient or of all), and why days are not joined; empty without donor calls."""
    shares, matches = run.table("dynamics/donor_shares.parquet"), run.table("donors/matches.parquet")
    if not len(shares):
        return []
    if patient is not None:
        shares, matches = shares[shares["patient"] == patient], matches[matches["patient"] == patient]
        if not len(shares):
            return []
    rows = main_population(shares)
    what = "NK cells" if (rows["population"] == NK).all() else "called cells (no NK cells were kept)"
    caption = (
        f"Share of every person in the {what}. Bars: 95 % limits, which hold false calls, missed calls and the cells "
        "without a sure call; lines join only days on which evidence says that the person is the same."
    )
    name = "donor_shares" if patient is None else f"patient_{patient}_donors"
    return [*refusals(matches), site.figure(name, shares_over_time(rows), caption, table=rows)]


def page(run: Run, site: Site) -> Page | None:
    """Build the page: without donor calls it says what the trial's design would allow."""
    design = str(run.config.get("donors", {}).get("design", "not_stated"))
    shares, matches = run.table("dynamics/donor_shares.parquet"), run.table("donors/matches.parquet")
    if not len(matches) and design == "not_stated":
        return None
    result = Page(
        "donors.html",
        "Whose cells",
        "Whether the NK cells are the donor's or the patient's own, by donor calls of the single-cell RNA data.",
        group="data",
    )
    result.sections.append(Section("design", "What can be determined", [Text(*DESIGN[design])]))
    if not len(matches):
        result.sections[0].blocks.append(Text("No donor calls were given (<code>donors.sheet</code>).", "note"))
        return result
    result.sections.append(Section("course", "Donor and recipient over time", course_blocks(run, site)))
    told = matches.assign(method=matches["method"].map(METHODS))
    caption = (
        "Who every label is, and what says so. Agreement: of genotypes, the share of shared sites alike; of an "
        "independent call, the share of the label's cells. XIST and Y genes: molecules in the label's NK cells."
    )
    evidence = Section("evidence", "Who the labels are", [site.table("donor_matches", told, caption, columns=EVIDENCE)])
    if matches["conflict"].notna().any():
        evidence.blocks.insert(0, Text("<b>Evidence disagrees</b>: see the column conflict.", "warning"))
    result.sections.append(evidence)
    caption = "Shares of all called cells, of the NK cells and of every named subset."
    result.sections.append(
        Section("shares", "Shares", [site.table("donor_share_rows", shares, caption, columns=SHOWN)])
    )
    kinetics, tests = run.table("dynamics/donor_kinetics.parquet"), run.table("dynamics/donor_tests.parquet")
    if len(kinetics):
        caption = "How high the NK cells of each person rise, how long they are detected, and how fast they go."
        table = site.table("donor_kinetics", kinetics, caption, columns=COURSE)
        result.sections.append(Section("kinetics", "Kinetics of donor and recipient", [table]))
    if len(tests):
        columns = {"test": "test", "population": "cells of the", "contrast": "contrast", "method": "method",
                   "n_patients": "n", "effect": "effect", "effect_low": "low", "effect_high": "high",
                   "effect_unit": "unit", "p": "p", "fdr": "FDR", "reason": "remark"}  # fmt: skip
        caption = "Change of the donor's share and of both persons' NK cells/µL. False calls are not in these p."
        result.sections.append(
            Section("tests", "Tests", [site.table("donor_tests", primary(tests), caption, columns=columns)])
        )
    return result
