"""The two PDFs: two pages that answer the ten questions, and one page per patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.report.reading import blood_nk, first_modality, infused, left_out
from cimlnk.report.run import Run
from cimlnk.report.style import colours, label, order, plain, plain_log, set_days

from .answers import answers, focus
from .course import boosts, event_words, expansion_bound, patient_rows
from .sheet import SOFT, WARN, Sheet, document
from .subsets import subsets_at_peak
from .without_infusion import WHY_SHORT
from .words import digits, fold

MOST_LABELS = 20  # names beside the lines; more would not fit
FIRST_PAGE = 6  # answers beside the figure
FACTS = {
    "disease": "disease", "dose_per_kg": "NK cells infused per kg", "il2_received": "IL-2 doses received",
    "cmv_viremia": "CMV viremia", "donor_cmv": "donor CMV", "response": "response", "relapse": "relapse",
}  # fmt: skip


def write_clinicians(
    *,
    root: str | Path,
    files: Sequence[str | Path],
    config: Mapping[str, Any],
    summary: str | Path,
    patients: str | Path,
) -> None:
    """Write both PDFs; text in them can be searched, and they hold no date, so that equal runs give equal bytes.

    Parameters
    ----------
    root, files, config
        As of :func:`cimlnk.report.site.write_site`.
    summary, patients
        The PDF of two pages (one where nobody was infused), and that of one page per patient.
    """
    run = Run(root, files, config)
    rows = patient_rows(run)
    title = str(config["cohort"].get("title") or config["cohort"]["id"])
    with document(summary) as pdf:
        _summary(pdf, run, rows, title=title)
    with document(patients) as pdf:
        for row in rows.to_dict("records"):
            _patient(pdf, run, row, title=title)


def _summary(pdf: Any, run: Run, rows: pd.DataFrame, *, title: str) -> None:
    told = answers(run)
    given = infused(run)
    parts = (told[:FIRST_PAGE], told[FIRST_PAGE:]) if given else (told,)
    for page, part in enumerate(parts):
        lead = "Every number is from this run; the report shows the way to it." if given else WHY_SHORT
        foot = f"{title} · summary for clinicians · page {page + 1} of {len(parts)}"
        sheet = Sheet(pdf, title=title, lead=f"Summary for clinicians. {lead}", foot=foot)
        _draw_summary(sheet, run, rows, page=page)
        for number, answer in enumerate(part, 1 + page * FIRST_PAGE):
            sheet.write(f"{number}  {answer.question}", size=9.4, weight="bold", after=0.001)
            sheet.write(answer.text)
        if page == 1:
            _table(sheet, rows)
        sheet.close()


def _draw_summary(sheet: Sheet, run: Run, rows: pd.DataFrame, *, page: int) -> None:
    if page == 0:
        folds = run.table("dynamics/folds.parquet")
        folds = (
            first_modality(folds[(folds["population"] == NK) & folds["fold_change"].notna()]) if len(folds) else folds
        )
        if len(folds):
            _folds(sheet.axes(2.9, [(0.07, 0.92)])[0], folds, expansion_bound(run))
    else:
        mine, _, _ = focus(run, rows)
        shares = subsets_at_peak(run, mine)
        if len(shares):
            _shares(sheet.axes(1.9, [(0.06, 0.66)])[0], shares)


def _folds(axis: Any, folds: pd.DataFrame, bound: float) -> None:
    """Every patient's fold over days, named at the end of its line; days are spaced by their square root."""
    colour = colours(sorted(folds["arm"].astype(str).unique()))
    axis.set_yscale("log")
    axis.axhline(1, color="#777777", linewidth=0.8, linestyle=":")
    axis.axhline(bound, color="#777777", linewidth=0.8, linestyle="--")
    ends = []
    for (arm, patient), mine in folds.groupby(["arm", "patient"], sort=True):
        mine = mine.sort_values("day")
        axis.plot(mine["day"], mine["fold_change"], color=colour[str(arm)], linewidth=1.1, marker="o", markersize=2.2)
        ends.append((float(mine["fold_change"].iloc[-1]), str(patient), colour[str(arm)], float(mine["day"].iloc[-1])))
    set_days(axis, sorted(folds["day"].unique()), 5.6)
    axis.set_ylabel("NK cells: fold of the count before")
    if len(ends) <= MOST_LABELS:
        _end_labels(axis, ends)
    handles = [axis.plot([], [], color=c, label=a)[0] for a, c in colour.items()]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=max(len(handles), 1), borderaxespad=0.2)
    right = axis.get_xlim()[1]
    axis.annotate(f"{bound:.0f}-fold ", (right, bound), fontsize=6.5, color=SOFT, va="bottom", ha="right")
    plain_log(axis)


def _end_labels(axis: Any, ends: list[tuple[float, str, str, float]]) -> None:
    """Names right of the last points, moved apart on the logarithmic axis so that none lies over another."""
    low, high = (np.log(v) for v in axis.get_ylim())
    step, at = (high - low) * 0.052, -np.inf
    for value, name, shade, day in sorted(ends):
        at = max(float(np.log(value)), at + step)
        axis.annotate(
            name, (day, value), xytext=(1.015, (at - low) / (high - low)), textcoords="axes fraction", fontsize=6.5,
            color=shade, va="center", annotation_clip=False,
        )  # fmt: skip


def _shares(axis: Any, shares: pd.DataFrame) -> None:
    """Composition of every patient's NK cells at the file of the peak, or nearest to it."""
    names = order(shares["population"])
    colour = colours(names)
    wide = shares.pivot_table(index="patient", columns="population", values="share", fill_value=0.0)
    days = shares.drop_duplicates("patient").set_index("patient")["day"]
    bottom = np.zeros(len(wide))
    for name in names:
        axis.bar(range(len(wide)), wide[name], bottom=bottom, color=colour[name], width=0.8, label=label(name))
        bottom += wide[name].to_numpy()
    axis.set_xticks(range(len(wide)), [f"{p}\nday {days[p]}" for p in wide.index], fontsize=7)
    axis.set_ylabel("share of NK cells")
    axis.set_ylim(0, 1)
    axis.grid(False)
    axis.set_title("Kinds of NK cells in the blood file at the peak, or nearest to it")
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.02, 0.5))


def _day(value: float) -> str:
    return "" if not np.isfinite(value) else f"{value:.0f}"


def _days(first: float, last: float) -> str:
    """The day of the highest count, or the days whose counts are not told from it."""
    return f"{first:.0f}–{last:.0f}" if first < last else _day(last)


def _table(sheet: Sheet, rows: pd.DataFrame) -> None:
    head = ["patient", "arm", "NK/µL before", "highest fold (95 %)", "on days", "last fold", "on day", "lost by day"]
    body = []
    for r in rows.to_dict("records"):
        most = f"{digits(r['peak_fold'])} ({digits(r['peak_fold_low'])}–{digits(r['peak_fold_high'])})"
        known = np.isfinite(r["peak_fold"])
        body.append(
            [
                r["patient"] + ("*" if pd.notna(r["event"]) else ""), r["arm"], plain(r["baseline_per_ul"]),
                most if known else str(r["reason"]),
                _days(r["peak_from"], r["peak_day"]), digits(r["last_fold"]), _day(r["last_day"]), _day(r["lost_day"]),
            ]
        )  # fmt: skip
    room = int((sheet.y - (0.08 if rows["event"].notna().any() else 0.06)) / 0.0155) - 1
    if room >= 2:
        sheet.table(head, body[:room], [1.1, 1.3, 1.1, 2.2, 0.7, 0.9, 0.7, 1.0])
    if rows["event"].notna().any():
        sheet.write(f"* {boosts(rows)}; counts after it are not read.", size=7.5, colour=SOFT)
    if len(body) > room:
        sheet.write(f"{len(body) - max(room, 0)} further patients are on their own pages.", size=7.5, colour=SOFT)


def _patient(pdf: Any, run: Run, row: Mapping[Any, Any], *, title: str) -> None:
    patient = row["patient"]
    sheet = Sheet(
        pdf,
        title=f"Patient {patient}",
        lead=f"Arm {row['arm']} · {_facts(run, patient)}",
        foot=f"{title} · patient {patient}",
    )
    if infused(run) or np.isfinite(row["peak_fold"]):
        sheet.write(_in_words(run, row), size=9.2, after=0.004)
    for words in _remarks(run, patient):
        sheet.write(words, size=8.4, colour=WARN)
    nk = blood_nk(run)
    nk = nk[(nk["patient"] == patient) & nk["cells_per_ul"].notna()] if len(nk) else nk
    if len(nk):
        _counts(sheet.axes(2.6, [(0.07, 1.0)])[0], run, nk.sort_values("day"), row=row)
    table = run.table("dynamics/abundance.parquet")
    for modality in run.modalities:
        own = table[
            (table["modality"] == modality) & (table["patient"] == patient) & (table["population"] != NK)
            & table["fraction"].notna()
        ]  # fmt: skip
        if len(own):
            _composition(sheet.axes(1.75, [(0.07, 0.70)])[0], own, modality)
    sheet.close()


def _facts(run: Run, patient: str) -> str:
    table = run.table("cohort/patients.parquet")
    own = table[table["patient"] == patient] if len(table) else table
    told = [
        f"{w}: {plain(own[c].iloc[0])}" for c, w in FACTS.items() if c in own and len(own) and plain(own[c].iloc[0])
    ]
    return " · ".join([*told, f"{(run.samples['patient'] == patient).sum()} files"])


def _in_words(run: Run, row: Mapping[Any, Any]) -> str:
    if not np.isfinite(row["peak_fold"]):
        return f"No fold of NK cells can be given: {row['reason']}."
    text = f"Before infusion {plain(row['baseline_per_ul'])} NK cells per microlitre of blood. Highest count: "
    text += f"{fold(row['peak_fold'])} of that"
    if np.isfinite(row["peak_fold_low"]):
        text += f" (95 % interval {fold(row['peak_fold_low'])} to {fold(row['peak_fold_high'])})"
    bound = expansion_bound(run)
    text += f", on day {row['peak_day']:.0f}"
    if row["peak_from"] < row["peak_day"]:
        text += f" (not told from that of day {row['peak_from']:.0f} by their error)"
    text += "; "
    reached = np.isfinite(row["reached"])
    text += f"{bound:.0f}-fold first on day {row['reached']:.0f}." if reached else f"{bound:.0f}-fold was not reached."
    cut = pd.notna(row["event"])
    last = f"Last count up to the {row['event']} on day {row['event_day']:.0f}" if cut else "Last count"
    text += f" {last}: {fold(row['last_fold'])}, on day {row['last_day']:.0f}."
    if cut:
        text += " Later counts are not the infusion's alone and are not read here."
    if np.isfinite(row["lost_day"]):
        text += f" The expansion was lost by day {row['lost_day']:.0f}."
    release = run.table("dynamics/release.parquet")
    own = release[release["patient"] == row["patient"]] if len(release) else release
    for product in own.to_dict("records"):
        known = np.isfinite(product["purity"])
        purity = f", {100 * product['purity']:.0f} % NK cells" if known else f": {product['reason']}"
        text += f" Product {product['decision']}{purity}."
    return text


def _remarks(run: Run, patient: str) -> list[str]:
    """Files left out and serious warnings of a patient's files, and events."""
    mine = set(run.samples.loc[run.samples["patient"] == patient, "sample"])
    missing, told = left_out(run), run.table("quality/warnings.parquet")
    words = [f"Left out: {r.sample} ({r.reason})." for r in missing.itertuples() if r.sample in mine]
    if len(told):
        own = told[told["sample"].isin(mine) & (told["severity"] == "serious")].drop_duplicates("text").head(3)
        words += [f"{r.sample}: {r.text.rstrip('.')}." for r in own.itertuples()]
    counts = run.table("cohort/counts.parquet")
    events = counts[(counts["patient"] == patient) & counts["event"].notna()] if len(counts) else counts
    if len(events):
        named = "; ".join(f"day {r.day} {event_words(str(r.event))}" for r in events.itertuples())
        words.append(f"Events: {named}.")
    return words


def _counts(axis: Any, run: Run, nk: pd.DataFrame, *, row: Mapping[Any, Any]) -> None:
    """NK cells per microlitre with intervals, the count before and the bound of an expansion as lines, events."""
    shade = colours([row["arm"]])[row["arm"]]
    axis.set_yscale("log")
    axis.plot(nk["day"], nk["cells_per_ul"], color=shade, marker="o", markersize=3.5, linewidth=1.3)
    error = nk.dropna(subset=["cells_per_ul_low", "cells_per_ul_high"])
    axis.vlines(error["day"], error["cells_per_ul_low"], error["cells_per_ul_high"], color=shade, linewidth=0.9)
    if np.isfinite(row["baseline_per_ul"]):
        axis.axhline(row["baseline_per_ul"], color="#777777", linewidth=0.8, linestyle=":")
        axis.axhline(row["baseline_per_ul"] * expansion_bound(run), color="#777777", linewidth=0.8, linestyle="--")
    counts = run.table("cohort/counts.parquet")
    events = counts[(counts["patient"] == row["patient"]) & counts["event"].notna()] if len(counts) else counts
    for event in events.itertuples():
        axis.axvline(event.day, color=WARN, linewidth=0.9, linestyle="--")
    set_days(axis, sorted(nk["day"].unique()), 6.0)
    plain_log(axis)
    axis.set_ylabel("NK cells / µL")
    marks = f"dotted: before infusion; dashed: {expansion_bound(run):.0f} times that"
    axis.set_title(f"NK cells in blood ({marks}{'; red: events' if len(events) else ''})", fontsize=8.5)


def _composition(axis: Any, rows: pd.DataFrame, modality: str) -> None:
    names = order(rows["population"])
    colour = colours(names)
    wide = rows.pivot_table(index=["day", "timepoint"], columns="population", values="fraction", fill_value=0.0)
    bottom = np.zeros(len(wide))
    for name in names:
        axis.bar(range(len(wide)), wide[name], bottom=bottom, color=colour[name], width=0.82, label=label(name))
        bottom += wide[name].to_numpy()
    axis.set_xticks(range(len(wide)), wide.index.get_level_values("timepoint"), fontsize=7)
    axis.set_ylim(0, 1)
    axis.grid(False)
    axis.set_ylabel("share of NK cells")
    axis.set_title(f"Kinds of NK cells by {'mass cytometry' if modality == 'cytof' else 'single-cell RNA sequencing'}")
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.02, 0.5))
