"""Dynamics: absolute kinetics of every subset, composition, tests, agreement of the modalities."""

from __future__ import annotations

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.palette import label
from cimlnk.dynamics.tables import METHODS
from cimlnk.report.blocks import Page, Section, Site, esc
from cimlnk.report.figures.course import composition, subsets_absolute
from cimlnk.report.figures.effects import agreement, diversity, forest
from cimlnk.report.many import of_patients
from cimlnk.report.reading import without_told
from cimlnk.report.run import Run
from cimlnk.report.style import by_number

from . import kinetics
from .cohort import MODALITY

TEST_TITLES = {
    "abundance": "Change of the share among NK cells",
    "absolute": "Change of the cells per microlitre",
}


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(
        "dynamics.html",
        "Dynamics",
        "What happened to each subset: in cells per microlitre, as a share, and with what certainty.",
        group="data",
    )
    abundance = run.table("dynamics/abundance.parquet")
    for modality in run.modalities:
        rows = abundance[(abundance["modality"] == modality) & abundance["fraction"].notna()]
        named = rows[rows["population"] != "NK"]
        section = Section(f"subsets-{modality}", f"Subsets over time: {MODALITY[modality]}")
        absolute = named[(named["tissue_or_product"] == "blood") & named["cells_per_ul"].notna()]
        if len(absolute):
            caption = (
                "Cells per microlitre of every subset: NK/µL times the subset's share. Thin lines are patients, "
                "thick lines the arm's median. Same scale in every panel."
            )
            section.blocks.append(
                site.figure(
                    f"subsets_{modality}",
                    subsets_absolute(absolute),
                    caption,
                    table=absolute,
                    table_name=f"abundance_{modality}",
                )
            )
        days, given = named["day"].nunique() > 1, (named["tissue_or_product"] != "blood").any()
        if len(named):
            caption = "Composition of the NK cells in each sample" + (", in the order of the days" if days else "")
            caption += "; donor and product stand before the blood samples they belong to by day." if given else "."
            chosen, choice = of_patients(run, named)
            section.blocks.append(
                site.figure(
                    f"composition_{modality}",
                    composition(chosen),
                    caption + choice,
                    table=named,
                    table_name=f"composition_{modality}",
                )
            )
        result.sections.append(section)
    result.sections += [
        kinetics.section(run, site),
        *_tests(run, site),
        *_scales(run, site),
        *_agreement(run, site),
        *_diversity(run, site),
    ]
    return result


def _tests(run: Run, site: Site) -> list[Section]:
    tests = run.table("dynamics/tests.parquet")
    treated = run.config["claims"]["arms"]["treated"]
    sections = []
    shown = without_told(tests, ["test", "contrast", "method"], ["effect", "n_patients", "reason"])
    for test, title in TEST_TITLES.items():
        for modality in run.modalities:
            rows = shown[(shown["test"] == test) & (shown["modality"] == modality)] if len(tests) else tests
            drawable = rows.dropna(subset=["effect"]) if len(rows) else rows
            if not len(drawable):
                continue
            section = Section(f"test-{test}-{modality}", f"{title}: {MODALITY[modality]}")
            unit = str(drawable["effect_unit"].iloc[0])
            arm = drawable["contrast"].str.split(":").str[0]
            arms = [treated, *(a for a in dict.fromkeys(arm) if a.startswith(f"{treated} vs"))]
            for number, name in enumerate(a for a in arms if (arm == a).any()):
                part = drawable[arm == name]
                caption = (
                    f"<b>{esc(name)}.</b> Effect ({esc(unit)}) with 95 % interval, patient as the unit. Filled where "
                    "the interval excludes zero. The table gives p, the smallest p these patients could give, and "
                    "the false discovery rate, and the paired and exact tests of the same effects."
                )
                section.blocks.append(
                    site.figure(f"forest_{test}_{modality}_{number}", forest(part, unit), caption, table=part)
                )
            same = shown[shown["test"].str.startswith(test) & (shown["modality"] == modality)]
            same = same.assign(method=same["method"].map(METHODS))
            columns = {
                "contrast": "contrast", "population": "subset", "test": "test", "method": "method",
                "n_patients": "n", "effect": "effect", "effect_low": "low", "effect_high": "high",
                "effect_unit": "unit", "p": "p", "p_floor": "least p", "fdr": "FDR", "reason": "remark",
            }  # fmt: skip
            ranked = same.assign(
                further=~same["primary"],
                told=same["effect"].isna(),
                place=same["contrast"].map(by_number),
                first=~same["contrast"].isin(drawable.loc[arm == treated, "contrast"]),
            ).sort_values(["further", "told", "first", "place", "population", "test"], kind="stable")
            ranked = ranked[same.columns]  # what could be estimated first, the treated arm's before the others
            caption = (
                "The model of the figure first, then paired and exact tests of the same change. Least p is the "
                "smallest that these patients allow an exact test; models have none."
            )
            if ranked["effect"].isna().any():
                caption += " An empty number has its reason in the last column."
            if len(same) < len(tests[tests["test"].str.startswith(test) & (tests["modality"] == modality)]):
                caption += " All NK cells per microlitre come from the blood count and stand in the section above."

            section.blocks.append(site.table(f"tests_{test}_{modality}", ranked, caption, columns=columns))
            sections.append(section)
    return sections


def _scales(run: Run, site: Site) -> list[Section]:
    sections = []
    scales, power = run.table("dynamics/scales.parquet"), run.table("dynamics/power.parquet")
    if len(scales):
        columns = {
            "modality": "by", "population": "subset", "contrast": "contrast", "fraction_log2": "share (log2)",
            "absolute_log2": "cells/µL (log2)", "clr_log2": "log-ratio (log2)", "verdict": "verdict",
            "reason": "remark",
        }  # fmt: skip
        caption = (
            "The same change on three scales. <i>absolute only</i>: the cells per microlitre change, the share does "
            "not; <i>relative only</i>: the share changes, the cells per microlitre do not, so that other subsets rose "
            "or fell; <i>opposite</i>: one rises where the other falls."
        )
        table = site.table("scales", scales, caption, columns=columns)
        sections.append(Section("scales", "Is a rise only compositional?", [table]))
    if len(power):
        columns = {
            "test": "test", "modality": "by", "population": "subset", "contrast": "contrast", "n_patients": "n",
            "detectable_fold": "detectable fold", "power_at_1": "power at 2×", "reason": "remark",
        }  # fmt: skip
        caption = (
            "The smallest true change these patients would show with 80 % power. A change that is not shown may be "
            "absent, or smaller than this."
        )
        sections.append(
            Section("power", "What these patients can show", [site.table("power", power, caption, columns=columns)])
        )
    return sections


def _agreement(run: Run, site: Site) -> list[Section]:
    table, pairs = run.table("dynamics/agreement.parquet"), run.table("dynamics/agreement_pairs.parquet")
    if not len(table):
        return []
    section = Section("agreement", "Do the modalities agree?")
    rows = pairs[pairs["measure"] == "fraction"]
    if len(rows):
        caption = (
            "Share of each named subset on patient-days measured by both modalities; on the dotted line they agree. In "
            "percent of NK cells."
        )
        section.blocks.append(
            site.figure("agreement", agreement(rows), caption, table=rows, table_name="agreement_pairs")
        )
    columns = {
        "one": "by", "other": "against", "measure": "measure", "what": "subset, or protein and gene",
        "verdict": "verdict", "reason": "remark", "n_pairs": "pairs", "concordance": "concordance",
        "correlation": "rank correlation", "bias": "bias", "shuffled_high": "chance reaches", "p": "p",
    }  # fmt: skip
    caption = (
        "Lin's concordance where units are the same, rank correlation otherwise, against what exchanged samples give. "
        "“Share, with what refines it” counts a subset with all that refine it: a panel without a marker gives the "
        "same cells the less specific name. Antibodies: proteins of the cells whose RNA was counted."
    )
    overall = table[(table["measure"] == "fraction") & (table["population"] == "all")]
    if len(overall) > 1:
        names = {k: columns[k] for k in ("one", "other", "n_pairs", "concordance", "correlation", "shuffled_high", "p",
                                         "verdict", "reason")}  # fmt: skip
        words = "All subsets together, for every two modalities: Lin's concordance of their shares of NK cells."
        section.blocks.append(site.table("agreement_by_pair", overall, words, columns=names))
    site.table_file("agreement_table", table)
    section.blocks.append(site.table("agreement_table", compared(table), caption, columns=columns))
    return [section]


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """AGREEMENT with what is compared in one column: a subset, or a protein and its gene (in a subset)."""
    words = []
    for population, protein, gene in zip(
        table["population"], table["feature_one"], table["feature_other"], strict=True
    ):
        named = label(population) if isinstance(population, str) else ""
        pair = " and ".join(dict.fromkeys(f for f in (protein, gene) if isinstance(f, str) and f))
        words.append(f"{pair} in {named}" if pair and population not in ("NK", "all") else pair or named)
    return table.assign(what=words)


def _diversity(run: Run, site: Site) -> list[Section]:
    section = Section("diversity", "Diversity")
    for name, what in (("repertoire_diversity", "Boolean receptor phenotypes"), ("diversity", "named subsets")):
        whole = run.table(f"dynamics/{name}.parquet")
        table = whole[whole["inverse_simpson"].notna()] if len(whole) else whole
        if not len(table):
            continue
        rows = table[table["modality"] == table["modality"].min()]
        caption = (
            f"Diversity of the {what} on equal-size subsamples: the inverse Simpson index is the number of equally "
            "large groups that would be as diverse. Thin lines and dots are patients, thick ones the arm's median."
        )
        missing = whole[whole["inverse_simpson"].isna() & (whole["modality"] == rows["modality"].iloc[0])]
        if len(missing):
            why = missing["reason"].fillna("no reason given").value_counts()
            told = "; ".join(f"{count(int(n), 'sample')} ({esc(str(w))})" for w, n in why.items())
            caption += f" Not shown: {told}."
        section.blocks.append(site.figure(name, diversity(rows), caption, table=table))
    return [section] if section.blocks else []
