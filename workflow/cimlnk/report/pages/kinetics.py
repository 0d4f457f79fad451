"""The kinetics of every series: fitted curves over the measured values, and both as tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.dynamics.abundance.folds import daily
from cimlnk.report.blocks import MAX_CSV_ROWS, Figure, Section, Site, Table, Text, esc
from cimlnk.report.figures.kinetics import fitted_courses
from cimlnk.report.many import of_patients
from cimlnk.report.reading import infused, without_told
from cimlnk.report.run import Run
from cimlnk.report.style import ARMS, POPULATIONS, colours, order, plain

from .names import MODALITY

MEASURED = {
    "baseline_per_ul": "before/µL", "peak_fold": "peak fold", "peak_fold_range": "95 % interval",
    "peak_from": "peak from day", "peak_day": "highest on day",
    "days_above_2fold": "days above 2×", "last_fold": "last fold", "last_day": "last day",
    "reason": "remark",
}  # fmt: skip
FITTED = {
    "model_peak_fold": "peak fold", "model_peak_fold_range": "95 % interval",
    "model_peak_day": "peak day", "model_peak_day_range": "95 % interval",
    "doubling_time_days": "doubling (d)", "doubling_range": "95 % interval",
    "half_life_days": "half-life (d)", "half_life_range": "95 % interval",
    "plateau_fold": "plateau fold", "plateau_range": "95 % interval", "n_days": "days used", "model_reason": "remark",
}  # fmt: skip
MODEL = (
    "Line and band: the fitted curve, median and 95 % credible interval (of the curve, not of single measurements). "
    "Model: flat before infusion, a drop at day 0 (lymphodepletion), a straight rise on the log scale to a peak, decay "
    "to a plateau; patients of an arm inform each other (partial pooling), so with few samples the curve leans on "
    "theirs."
)
MARKS = (
    "Dots: measured values with 95 % intervals; triangles: no cell found, at the upper limit; open marks came after "
    "the event at the red dashed line and are not in the fit; a thin line links dots without a fit."
)
WHERE = (
    "The numbers of the fit are in the table “as fitted” of the page <a href='dynamics.html#kinetics'>Dynamics</a> and "
    "in <code>dynamics/kinetics.parquet</code>, the curves in <code>dynamics/curves.parquet</code>."
)

WHOLE = f"{MARKS} {MODEL} {WHERE}"
AGAIN = "Marks, line and band as in the figure above."


def fitted_figure(
    run: Run, site: Site, name: str, *, rows: dict[str, str], panel: str, colour_by: str, lead: str, again: bool = False
) -> Figure | None:
    """The measured and fitted courses of the chosen series; None if no curve was fitted.

    Parameters
    ----------
    run, site
        The run and the site the figure is written to.
    name
        Of the figure and of the table behind it.
    rows
        Column -> value that choose the series; population `named` stands for all but `NK`.
    panel, colour_by
        Columns that make the panels and the colours.
    lead
        What is shown, the first sentence of the caption.
    again
        Whether the page has reported already how such a figure is read.
    """
    curves, _ = of_patients(run, _chosen(run.table("dynamics/curves.parquet"), rows))
    if not len(curves):
        return None
    fits = _chosen(run.table("dynamics/kinetics.parquet"), rows)
    measured = daily(_chosen(run.table("dynamics/abundance.parquet"), rows))
    measured, choice = of_patients(run, measured[measured["cells_per_ul"].notna()])
    ranks = {p: i for i, p in enumerate(["NK", *order(measured["population"])])}
    arms = {a: i for i, a in enumerate([*ARMS, *sorted(set(measured["arm"]) - set(ARMS))])}
    measured = measured.assign(rank=measured["population"].map(ranks), place=measured["arm"].map(arms))
    measured = measured.sort_values(["rank", "place", "patient", "day"], kind="stable")
    values = list(dict.fromkeys(measured[colour_by]))
    known = {"population": POPULATIONS, "arm": ARMS}.get(colour_by, colours(sorted(values), {}))
    drawn = fitted_courses(measured, curves, fits, panel=panel, colour_by=colour_by, colour=colours(values, known))
    return site.figure(name, drawn, f"{lead} {AGAIN if again else WHOLE}{choice}", table=_both(measured, curves))


def _chosen(table: pd.DataFrame, rows: dict[str, str]) -> pd.DataFrame:
    if not len(table):
        return table
    keep = pd.Series(True, index=table.index)
    for column, value in rows.items():
        keep &= (table[column] != "NK") if (column, value) == ("population", "named") else (table[column] == value)
    return table[keep]


def _both(measured: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """What the figure draws, measured and fitted, in one table."""
    key = ["modality", "patient", "arm", "population", "day"]
    names = {"cells_per_ul": "value", "cells_per_ul_low": "low", "cells_per_ul_high": "high"}
    points = measured.rename(columns=names).assign(what="measured")
    lines = curves.rename(columns={"fitted": "value"}).assign(what="fitted")
    return pd.concat([points, lines], ignore_index=True)[[*key, "what", "value", "low", "high"]]


def section(run: Run, site: Site) -> Section:
    """Kinetics of all patients: NK cells by patient, subsets by arm, and the two tables."""
    result = Section("kinetics", "Kinetics per patient and subset")
    table = run.table("dynamics/kinetics.parquet")
    given = infused(run) if len(run.samples) else True
    if not given and not (len(table) and table[["baseline_per_ul", "last_fold"]].notna().to_numpy().any()):
        result.blocks.append(Text("No kinetics: nobody of this cohort was given NK cells, nor counted before.", "note"))
        return result
    if not len(table):
        result.blocks.append(Text("No kinetics: the cohort has no absolute counts.", "note"))
        return result
    first = str(table["modality"].min())  # NK counts are the same in both modalities
    lead = "<b>NK cells per microlitre over days after infusion, one panel per patient, coloured by arm.</b>"
    drawn = fitted_figure(
        run,
        site,
        "fitted_nk",
        rows={"modality": first, "population": "NK"},
        panel="patient",
        colour_by="arm",
        lead=lead,
    )
    figures = [drawn]
    treated = run.config["claims"]["arms"]["treated"]
    for modality in run.modalities:
        lead = (
            f"<b>Subsets of the arm {esc(treated)} by {MODALITY[modality]}, cells per microlitre, one colour per "
            "patient.</b> Each patient's own page shows them one patient at a time."
        )
        rows = {"modality": modality, "arm": treated, "population": "named"}
        figures.append(
            fitted_figure(
                run,
                site,
                f"fitted_subsets_{modality}",
                rows=rows,
                panel="population",
                colour_by="patient",
                lead=lead,
                again=any(f is not None for f in figures),
            )
        )
    result.blocks += [f for f in figures if f is not None]
    ranked = table.sort_values(["modality", "population", "arm", "patient"])
    below = tables(site, "kinetics", ranked, who={"patient": "patient", "arm": "arm"})
    if not result.blocks and isinstance(below[0], Table):
        why = "; ".join(sorted(set(table["model_reason"].dropna())))
        result.blocks.append(Text(f"No curve could be fitted: {esc(why)}.", "note"))
    result.blocks += below
    return result


def tables(site: Site, name: str, rows: pd.DataFrame, *, who: dict[str, str]) -> list[Text | Table]:
    """KINETICS as two tables, as measured and as fitted, or why there is neither; `who` adds columns in front."""
    key = {"modality": "by", **who, "population": "subset"}
    site.table_file(name, rows, MAX_CSV_ROWS)  # the file keeps the limits as numbers, the page shows them as ranges
    # all NK cells are counted in blood, not by a kind of data: once is enough
    shown = _ranges(without_told(rows, ["patient"], ["baseline_per_ul", "peak_fold", "peak_day", "last_fold"]))
    if not rows[["baseline_per_ul", "peak_fold", "last_fold", "model_peak_fold"]].notna().to_numpy().any():
        why = rows["reason"].fillna("no reason given").value_counts().sort_index()
        words = "; ".join(f"{esc(str(reason))} ({n} of {len(rows)} series)" for reason, n in why.items())
        return [Text(f"No series has a count before infusion or a fold: {words}.", "note")]
    gaps = shown["reason"].notna().any()
    shown = shown.assign(reason=[remark(row) for row in shown.to_dict("records")])
    measured = site.table(
        name,
        shown,
        "<b>As measured.</b> Fold is over the patient's own blood before infusion. Intervals carry counting, gating "
        "and naming uncertainty. Where earlier counts are not told from the highest by their error, the peak has no "
        "day of its own: it is from the first of them on."
        + (" An empty number has its reason in the last column." if gaps else ""),
        columns={**key, **MEASURED},
    )
    fitted = shown[shown["model_peak_fold"].notna()]
    if not len(fitted):
        return [measured]
    caption = (
        "<b>As fitted.</b> Posterior medians with 95 % credible intervals; half-life is that of the excess over the "
        "plateau. A rise or fall that is not shown in 97.5 % of the draws has no time, only its lower limit (≥)."
    )
    reasons = shown.loc[shown["model_peak_fold"].isna(), "model_reason"].value_counts()
    if len(reasons):
        words = "; ".join(f"{n} × {why}" for why, n in sorted(reasons.items()))
        caption += f" Without a fit: {esc(words)}."
    site.table_file(f"{name}_fit", rows[rows["model_peak_fold"].notna()], MAX_CSV_ROWS)
    return [measured, site.table(f"{name}_fit", fitted, caption, columns={**key, **FITTED})]


def remark(row: Mapping[Hashable, Any]) -> str | None:
    """Why a measured number is missing, and what an event makes of those that are there."""
    words = [str(row["reason"])] if isinstance(row["reason"], str) and row["reason"] else []
    day = row.get("censored_day", np.nan)
    if np.isfinite(day) and row["last_day"] > day:
        of_event = "peak, days above 2× and last fold" if row["peak_day"] > day else "days above 2× and last fold"
        words.append(f"event on day {day:.0f}: {of_event} hold later counts, which are not the infusion's alone")
    return "; ".join(words) or None


def _ranges(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds to every pair of columns `x_low`, `x_high` the text `x_range`."""
    texts = {}
    for column in [c.removesuffix("_low") for c in rows if c.endswith("_low")]:
        pairs = zip(rows[f"{column}_low"].map(plain), rows[f"{column}_high"].map(plain), strict=True)
        texts[f"{column}_range"] = [a if a == b else f"{a}–{b}" if a and b else f"≥ {a}" if a else "" for a, b in pairs]
    return rows.assign(**texts)
