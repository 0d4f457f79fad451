"""Marker state and expression within the named populations."""

from __future__ import annotations

import pandas as pd

from cimlnk.dynamics.tables import METHODS
from cimlnk.report.blocks import MAX_CSV_ROWS, SPOKEN, Page, Section, Site, Text, esc
from cimlnk.report.figures.change import effect_map, effect_reach, volcano
from cimlnk.report.run import Run

from .cohort import MODALITY

AUTHORS = {"metank": "MetaNK", "rueckert": "Rückert", "netskar": "Netskar", "foltz": "Foltz", "eml": "EML"}

SORTED = "Sorted by FDR; intervals are 95 %."
BESIDE = "One method a change; the others of the same change stand beside it in the results."
MOST_CONTRASTS = 6  # shown as figures; every contrast is in the table


def contrasts_of(run: Run, rows: pd.DataFrame) -> list[str]:
    """Contrasts with results, the treated arm's first, in the table's order."""
    treated = run.config["claims"]["arms"]["treated"]
    found = list(dict.fromkeys(rows.dropna(subset=["effect"])["contrast"]))
    return sorted(found, key=lambda c: not c.startswith(f"{treated}:"))


def primary(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of TESTS to read (and those that say why there is none), methods in words."""
    kept = rows[rows["primary"] | (rows["method"] == "none")] if len(rows) else rows
    return kept.assign(method=kept["method"].map(METHODS))


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(
        "state.html",
        "Marker state",
        "How markers and genes change within each named population, patient by patient.",
        group="data",
    )
    table = run.table("dynamics/state.parquet")
    for modality in run.modalities:
        rows = table[table["modality"] == modality] if len(table) else table
        # mixed models and sign flips of the same effects stand beside them in the results
        rows = primary(rows)
        tests = [t for t in ("state_median", "state_mean", "state") if len(rows) and (rows["test"] == t).any()]
        tests = tests or (sorted(rows["test"].unique())[:1] if len(rows) else [])
        if not tests or rows["effect"].notna().sum() == 0:
            continue
        main = rows[rows["test"] == tests[0]]
        section = Section(f"state-{modality}", f"Change of markers: {MODALITY[modality]}")
        figured = contrasts_of(run, main)[:MOST_CONTRASTS]
        reach = effect_reach(main[main["contrast"].isin(figured)])
        for number, contrast in enumerate(figured):
            mine = main[main["contrast"] == contrast]
            unit = str(mine["effect_unit"].iloc[0])
            caption = (
                f"<b>{esc(contrast)}.</b> Mean within-patient change ({esc(unit)}) of each marker in each population; "
                "strong colour and a dot where the false discovery rate is below 0.1, pale where no change is shown. "
                "One scale for these figures. All NK: the cells of all populations together."
            )
            drawn = effect_map(mine, unit, reach=reach)
            behind = mine[
                ["contrast", "population", "feature", "n_patients", "effect", "effect_low", "effect_high", "fdr"]
            ]
            section.blocks.append(site.figure(f"state_{modality}_{number}", drawn, caption, table=behind))
        columns = {
            "contrast": "contrast", "population": "subset", "feature": "marker", "test": "measure",
            "method": "method", "n_patients": "n", "effect": "effect", "effect_low": "low", "effect_high": "high",
            "effect_unit": "unit", "p": "p", "p_floor": "least p", "fdr": "FDR", "reason": "remark",
        }  # fmt: skip
        ranked = rows.sort_values(["fdr", "p"], kind="stable")
        drawn = volcano(ranked[ranked["test"] == tests[0]], str(main["effect_unit"].iloc[0]))
        caption = (
            f"<b>Effect against certainty</b> of every marker, population and contrast, by "
            f"{SPOKEN['test'].get(tests[0], tests[0])}. The smallest p are named."
        )
        behind = ranked[ranked["test"] == tests[0]][["contrast", "population", "feature", "effect", "p", "fdr"]]
        section.blocks.append(
            site.figure(f"volcano_{modality}", drawn, caption, table=behind.head(MAX_CSV_ROWS), png=True)
        )
        words = f"{SORTED} {BESIDE}"
        section.blocks.append(site.table(f"state_{modality}", ranked, words, columns=columns))
        result.sections.append(section)
    for name, title, what, caption in (
        ("expression", "Expression (pseudobulk)", "gene", "Genes tested on counts summed per sample and population."),
        ("signatures", "Gene programmes", "programme", "Scores of published and own gene sets."),
    ):
        rows = run.table(f"dynamics/{name}.parquet")
        if len(rows) and {"contrast", "population", "feature", "effect", "p"} <= set(rows.columns):
            columns = {
                "contrast": "contrast", "population": "subset", "feature": what, "method": "method",
                "n_patients": "n", "effect": "effect", "effect_low": "low", "effect_high": "high",
                "effect_unit": "unit", "p": "p", "p_floor": "least p", "fdr": "FDR", "reason": "remark",
            }  # fmt: skip
            if rows["effect"].isna().all():
                why = rows["reason"].fillna("no reason given").value_counts()
                words = "; ".join(f"{esc(str(reason))} ({n} of {len(rows)} tests)" for reason, n in why.items())
                site.table_file(name, rows, MAX_CSV_ROWS)
                result.sections.append(Section(name, title, [Text(f"Nothing could be tested: {words}.", "note")]))
                continue
            ranked = primary(rows).sort_values(["fdr", "p"], kind="stable")
            if name == "signatures":
                site.table_file(name, ranked, MAX_CSV_ROWS)  # with the programmes' names in the files
                ranked = ranked.assign(feature=ranked["feature"].map(programme))
            columns = {k: v for k, v in columns.items() if k in ranked}
            shown = site.table(name, ranked, f"{caption} {SORTED} {BESIDE}", columns=columns)
            result.sections.append(Section(name, title, [shown]))
    levels = _programmes(run, site)
    if levels is not None:
        result.sections.append(levels)
    if not result.sections:
        result.sections.append(
            Section("none", "No state test", [Text("No population was seen at two time points of enough patients.")])
        )
    return result


def programme(name: str) -> str:
    """A gene set's name as it is read: authors and cytokines as they are written.

    Examples
    --------
    >>> programme("rueckert_bright_early"), programme("activation_il12_15_18")
    ('Rückert bright early', 'activation IL-12/15/18')
    """
    words = name.replace("il12_15_18", "IL-12/15/18").split("_")
    return " ".join(AUTHORS.get(w, w) for w in words)


def _programmes(run: Run, site: Site) -> Section | None:
    """How much every subset expresses every programme on every day, against random sets of like genes."""
    table = run.table("dynamics/signature_scores.parquet")
    if not len(table) or "level" not in table or table["level"].isna().all():
        return None
    rows = table.dropna(subset=["level"]).merge(run.samples[["sample", "patient", "day", "timepoint"]], on="sample")
    rows = rows.assign(beyond=rows["level_p"] < 0.05)
    keys = ["signature", "population", "day", "timepoint"]
    means = rows.groupby(keys, sort=True).agg(
        n_samples=("sample", "size"), n_genes=("n_genes", "max"), level=("level", "mean"), level_z=("level_z", "mean"),
        beyond=("beyond", "sum"),
    )  # fmt: skip
    columns = {
        "signature": "programme", "population": "subset", "timepoint": "time point", "n_samples": "samples",
        "n_genes": "genes", "level": "level (log2)", "level_z": "in SD of random sets",
        "beyond": "samples with p < .05",
    }  # fmt: skip
    caption = (
        "Mean over samples. Level: how much more of the programme's genes than of random genes that NK cells of this "
        "cohort express as much. The random sets say how unusual a level is, not how sure it is over patients. "
        "One in twenty samples has p < .05 by chance. The genes and the source of every programme are in "
        "<code>resources/signatures/programmes.yaml</code>; most are lists of published studies, by first author "
        "(MetaNK: Rebuffet 2024; EML: Foltz 2024)."
    )
    shown = means.reset_index().sort_values("level_z", key=abs, ascending=False, kind="stable")
    site.table_file("programme_levels", shown)
    shown = shown.assign(signature=shown["signature"].map(programme))
    block = site.table("programme_levels", shown, caption, columns=columns)
    title = f"Programmes by subset{' and day' if means.index.get_level_values('day').nunique() > 1 else ''}"
    return Section("programme-levels", title, [block])
