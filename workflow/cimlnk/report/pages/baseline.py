"""What a cohort without a treated arm says of itself: NK share and composition per sample, and how its arms differ."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.report.blocks import Section, Site, Text
from cimlnk.report.figures.course import composition
from cimlnk.report.figures.quality import nk_of_lymphocytes
from cimlnk.report.reading import nk_share_words, rank_sum
from cimlnk.report.run import Run

from .names import MODALITY

METHOD = "exact permutation of patients (rank sum)"


def compare_arms(abundance: pd.DataFrame) -> pd.DataFrame:
    """Share of every subset in the patients' first blood, arm against arm.

    Parameters
    ----------
    abundance
        ABUNDANCE.

    Returns
    -------
    pandas.DataFrame
        modality, population, arm, other, n, n_other, median, median_other (percent), p (exact permutation of the
        patients, two-sided), p_floor (the smallest these numbers allow), fdr (within modality), method, reason.
    """
    blood = abundance[
        (abundance["tissue_or_product"] == "blood")
        & abundance["fraction"].notna()
        & ~abundance["population"].isin([NK, UNASSIGNED])
    ]
    first = (
        blood.sort_values("day").groupby(["modality", "arm", "patient", "population"], sort=True)["fraction"].first()
    )
    rows = []
    for (modality, population), part in first.groupby(["modality", "population"], sort=True):
        groups = {a: g.to_numpy() for a, g in part.groupby("arm")}
        for arm, other in combinations(sorted(groups), 2):
            a, b = groups[arm], groups[other]
            p, floor, reason = rank_sum(a, b)
            rows.append(
                {
                    "modality": modality, "population": population, "arm": arm, "other": other, "n": len(a),
                    "n_other": len(b), "median": 100 * np.median(a), "median_other": 100 * np.median(b), "p": p,
                    "p_floor": floor, "method": METHOD, "reason": reason,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table["fdr"] = np.nan
        for _, part in table.dropna(subset=["p"]).groupby("modality"):
            p = part["p"].sort_values()
            adjusted = (p * len(p) / np.arange(1, len(p) + 1))[::-1].cummin()[::-1].clip(upper=1)
            table.loc[adjusted.index, "fdr"] = adjusted
    return table


def sections(run: Run, site: Site) -> list[Section]:
    """NK share and composition of every sample, and the comparison of the arms where there are two."""
    result = []
    abundance = run.table("dynamics/abundance.parquet")
    for modality in run.modalities:
        section = Section(f"self-{modality}", f"The samples: {MODALITY[modality]}")
        summary = run.table(f"{modality}/summary.parquet")
        if len(summary) and (summary["n_lymphocytes"] > 0).any():
            caption = "NK cells as a share of the lymphocytes of each sample, with the range that the gates allow."
            meaningless = nk_share_words(run, modality)
            if meaningless:
                section.blocks.append(Text(meaningless, "warning"))
            drawn = nk_of_lymphocytes(summary, run.samples)
            section.blocks.append(
                site.figure(f"self_nk_{modality}", drawn, caption, table=summary, table_name=f"summary_{modality}")
            )
        named = abundance[
            (abundance["modality"] == modality) & abundance["fraction"].notna() & (abundance["population"] != NK)
        ]
        if len(named):
            caption = "Composition of the NK cells in each sample" + (
                ", by day." if named["day"].nunique() > 1 else "."
            )
            name = f"self_composition_{modality}"
            section.blocks.append(
                site.figure(name, composition(named), caption, table=named, table_name=f"composition_{modality}")
            )
        if section.blocks:
            result.append(section)
    table = compare_arms(abundance) if len(abundance) else abundance
    if len(table):
        columns = {
            "modality": "by", "population": "subset", "arm": "arm", "n": "n", "median": "median %", "other": "against",
            "n_other": "its n", "median_other": "its median %", "p": "p", "p_floor": "least p", "fdr": "FDR",
            "method": "method", "reason": "remark",
        }  # fmt: skip
        caption = "Share of each subset in the patients' first blood, arm against arm; each patient counts once."
        ranked = table.sort_values(["p", "modality", "population"], kind="stable")
        result.append(Section("arms", "Do the arms differ?", [site.table("arms", ranked, caption, columns=columns)]))
    elif run.samples["arm"].nunique() < 2:
        words = "All patients belong to one arm, so there is nothing to compare cross-sectionally."
        result.append(Section("arms", "Do the arms differ?", [Text(words, "note")]))
    return result
