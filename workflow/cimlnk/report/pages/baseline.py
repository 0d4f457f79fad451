"""What a cohort without a treated arm says of itself: NK share and composition per sample, and how its arms differ."""

from __future__ import annotations

from cimlnk.common.vocabulary import NK
from cimlnk.report.arms import compare_arms
from cimlnk.report.blocks import Section, Site, Text, esc
from cimlnk.report.figures.course import composition
from cimlnk.report.figures.quality import nk_share
from cimlnk.report.many import of_patients, samples_shown
from cimlnk.report.reading import nk_share_words
from cimlnk.report.run import Run

from .names import MODALITY


def sections(run: Run, site: Site) -> list[Section]:
    """NK share and composition of every sample, and the comparison of the arms where there are two."""
    result = []
    abundance = run.table("dynamics/abundance.parquet")
    for modality in run.modalities:
        section = Section(f"self-{modality}", f"The samples: {MODALITY[modality]}")
        summary = run.table(f"{modality}/summary.parquet")
        if len(summary) and (summary["n_live_singlets"] > 0).any():
            of_lymphocytes = (summary["n_lymphocytes"] > 0).any()
            caption = "NK cells as a share of the {} of each sample, with the range that the gates allow.".format(
                "lymphocytes" if of_lymphocytes else "live single events (the markers do not tell all lymphocytes)"
            )
            meaningless = nk_share_words(run, modality)
            if meaningless:
                section.blocks.append(Text(meaningless, "warning"))
            names, choice = samples_shown(run, list(summary["sample"]))
            whole = "n_lymphocytes" if of_lymphocytes else "n_live_singlets"
            drawn = nk_share(summary[summary["sample"].isin(names)], run.samples, of=whole)
            name = f"self_nk_{modality}"
            section.blocks.append(
                site.figure(name, drawn, caption + choice, table=summary, table_name=f"summary_{modality}")
            )
        named = abundance[
            (abundance["modality"] == modality) & abundance["fraction"].notna() & (abundance["population"] != NK)
        ]
        if len(named):
            caption = "Composition of the NK cells in each sample" + (
                ", by day." if named["day"].nunique() > 1 else "."
            )
            name = f"self_composition_{modality}"
            chosen, choice = of_patients(run, named)
            drawn = composition(chosen)
            section.blocks.append(
                site.figure(name, drawn, caption + choice, table=named, table_name=f"composition_{modality}")
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
        site.table_file("arms", ranked)  # whole; the page leaves out what could not be tested
        if ranked["p"].notna().any() and ranked["p"].isna().any():
            rest = ranked[ranked["p"].isna()]
            pairs = list(dict.fromkeys(f"{a} against {b}" for a, b in zip(rest["arm"], rest["other"], strict=True)))
            why = "; ".join(dict.fromkeys(rest["reason"].dropna()))
            caption += f" Not tested: {esc(', '.join(pairs))} ({esc(why)}); their shares are in the file."
            ranked = ranked[ranked["p"].notna()]
        result.append(Section("arms", "Do the arms differ?", [site.table("arms", ranked, caption, columns=columns)]))
    elif run.samples["arm"].nunique() < 2:
        words = "All patients belong to one arm, so there is nothing to compare cross-sectionally."
        result.append(Section("arms", "Do the arms differ?", [Text(words, "note")]))
    return result
