"""The first page: what happened to the infused NK cells, readable on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import NK
from cimlnk.report.blocks import Page, Section, Site, Text, esc
from cimlnk.report.clinicians.course import patient_rows
from cimlnk.report.figures.course import folds_by_arm, nk_by_patient
from cimlnk.report.many import of_patients
from cimlnk.report.reading import blood_nk, expansion_band, first_modality, il2_given, infused, left_out, treated_arm
from cimlnk.report.run import Run

from . import baseline
from .claims import tally
from .names import MODALITY

MOST_NAMED = 20  # samples left out that the overview names; the page on quality has all


def cards(items: list[tuple[str, str]]) -> Text:
    """Key figures side by side."""
    body = "".join(f'<div class="card"><b>{esc(v)}</b><span>{esc(k)}</span></div>' for k, v in items)
    return Text(f'<div class="cards">{body}</div>', "html")


def headline(run: Run) -> list[tuple[str, str]]:
    """What the overview says in large figures: name and number each, without those that the run does not know."""
    samples, claims = run.samples, run.table("claims/claims.parquet")
    treated = run.config["claims"]["arms"]["treated"]
    n = samples["patient"].nunique()
    items = [("patient" if n == 1 else "patients", str(n))]
    for modality in run.modalities:
        n = run.rows(f"{modality}/cells.parquet")
        items.append((f"NK cells, {MODALITY[modality]}", f"{n:,}"))
    if run.has("dynamics/kinetics.parquet"):
        rows = patient_rows(run)  # counts after a stem-cell boost are not the infusion's: not read, as in the summary
        mine = rows.loc[rows["arm"] == treated, "peak_fold"].dropna()
        if len(mine):
            low, high = f"{mine.min():.1f}", f"{mine.max():.1f}"
            what = "peak fold" if len(mine) == 1 else "median peak fold"
            span = "" if low == high else f" (range {low}–{high})"
            items.append((f"{what}, {treated}{span}", f"{mine.median():.1f}×"))
    if len(claims) and treated_arm(run):
        found = claims[claims["kind"] == "finding"]
        told = found["verdict"] != "not evaluable"
        if told.any():
            items.append(("findings supported", f"{int((found['verdict'] == 'supported').sum())} of {len(found)}"))
        else:  # "0 of 20" would look like a result
            items.append((f"of {len(found)} findings can be told from these data", "none"))
    return items


def cannot_tell(samples: pd.DataFrame, days_counted: int = 0) -> list[str]:
    """What no analysis of these samples can say, in at most one line.

    Parameters
    ----------
    days_counted
        Days for which NK cells per microlitre are known; counts may go on where files do not.

    Examples
    --------
    >>> one = pd.DataFrame({"patient": ["a"], "timepoint": ["pre"], "tissue_or_product": ["blood"]})
    >>> cannot_tell(one)
    ['One patient and one time point: no change over time can be told, and nothing be tested.']
    """
    blood = samples[samples["tissue_or_product"] == "blood"]
    patients, times = samples["patient"].nunique(), blood["timepoint"].nunique()
    if times == 1 and days_counted > 1:
        label = blood["timepoint"].iloc[0]
        alone = ", and nothing can be tested in one patient" if patients == 1 else ""
        return [
            f"All files of blood are of one time point ({label}): how the kinds of NK cells change cannot be told. "
            f"NK cells were counted on {days_counted} days; their number over time is shown{alone}."
        ]
    if times == 1 and patients == 1:
        return ["One patient and one time point: no change over time can be told, and nothing be tested."]
    if times == 1:
        label = blood["timepoint"].iloc[0]
        return [f"All blood is of one time point ({label}): no change over time can be told, only how patients differ."]
    if patients == 1 and times > 1:
        return ["One patient: what changed is shown, but nothing can be tested, as chance cannot be told from one."]
    return []


def _days_counted(run: Run) -> int:
    table = run.table("dynamics/abundance.parquet")
    if not len(table):
        return 0
    known = table[(table["population"] == NK) & (table["tissue_or_product"] == "blood") & table["cells_per_ul"].notna()]
    return int(known.groupby("patient")["day"].nunique().max()) if len(known) else 0


def warning_box(run: Run, site: Site) -> list[Text]:
    """What must be known before any result is read; the whole list folded away under it."""
    table = run.table("quality/warnings.parquet")
    if not len(table):
        return []
    shown = table[table["severity"] != "note"]
    file = site.table_file("warnings", table)
    items = []
    # a sample that was left out stands in the box above, with the reason
    for (modality, kind, remedy), group in shown[shown["kind"] != "sample left out"].groupby(
        ["modality", "kind", "remedy"], sort=False
    ):
        words = []
        for _, part in group.fillna({"subject": ""}).groupby("subject", sort=False):
            words.append(f"<li>{esc(told_of(part))}</li>")
        what = "" if modality == "all" else f" ({esc(MODALITY[modality])})"
        items.append(f"<li><b>{esc(kind)}</b>{what}. <i>{esc(remedy)}</i><ul>{''.join(words)}</ul></li>")
    notes = len(table) - len(shown)
    if not len(shown):
        said = count(notes, "note")
        where = f'on the page <a href="quality.html">Quality</a> and as a <a href="{file}">table (CSV)</a>'
        return [Text(f"Nothing to warn of; {said} {where}.", "note")]
    more = f" and {count(notes, 'note')}" if notes else ""
    tail = f'<a href="{file}">{count(len(shown), "warning").capitalize()}{more} as a table (CSV)</a>'
    if not items:
        return [Text(f"Nothing more to warn of; {tail}.", "note")]
    most = 12
    body = f"<ul>{''.join(items[:most])}</ul>"
    if len(items) > most:
        body += f"<details><summary>{len(items) - most} more</summary><ul>{''.join(items[most:])}</ul></details>"
    title = "<p><b>Before you read on</b></p>"
    return [Text(f'<div class="warning">{title}{body}<p>{tail}</p></div>', "html")]


def told_of(rows: pd.DataFrame) -> str:
    """Warnings of one kind and subject in a line: the samples before what is told of them all, else before their own.

    Examples
    --------
    >>> told_of(pd.DataFrame({"sample": ["A", "B"], "text": ["few cells", "few cells"]}))
    'A, B: few cells'
    >>> told_of(pd.DataFrame({"sample": ["A", "B", "C"], "text": ["4 cells", "2 cells", "9 cells"]}))
    'A: 4 cells; B: 2 cells; and 1 more sample'
    """
    samples = list(dict.fromkeys(rows["sample"].dropna()))
    texts = list(dict.fromkeys(rows["text"]))
    if not samples:
        return texts[0] + (f" … and {len(rows) - 1} more" if len(rows) > 1 else "")
    if len(texts) == 1:
        more = f" and {len(samples) - 6} more" if len(samples) > 6 else ""
        return f"{', '.join(samples[:6])}{more}: {texts[0]}"
    first = rows.dropna(subset=["sample"]).drop_duplicates("sample").head(2)
    told = "; ".join(f"{s}: {t.rstrip('.')}" for s, t in zip(first["sample"], first["text"], strict=True))
    return told + (f"; and {count(len(samples) - 2, 'more sample')}" if len(samples) > 2 else "")


def arms_words(samples: pd.DataFrame) -> str:
    """How many patients each arm has, and without arms how many there are."""
    sizes = samples.groupby("arm")["patient"].nunique()
    if len(sizes) == 1:
        arm = "" if sizes.index[0] == "all" else f", all of arm {sizes.index[0]}"
        return f"{count(int(sizes.iloc[0]), 'patient')}{arm}."
    return f"Arms and patients: {', '.join(f'{a} ({n})' for a, n in sizes.items())}."


def asked_words(claims: pd.DataFrame) -> str:
    """How many findings were asked and supported, as the page of the claims counts them, and the self-checks apart."""
    found = claims[claims["kind"] == "finding"]
    checks = count(int((claims["kind"] == "self-check").sum()), "self-check")
    return (
        f"{f'Findings supported: {tally(found)}' if len(found) else 'No finding was asked'}; {checks} of the analysis"
    )


def remark(row: Mapping[Any, Any]) -> str | None:
    """What must be known of a patient's row: why there is no fold, what ended the counts, a peak without a day."""
    words = [row["reason"]] if row["reason"] else []
    if row["event"] and not words:
        words.append(f"counts up to the {row['event']} on day {row['event_day']:.0f}")
    if row["peak_from"] < row["peak_day"]:
        words.append(f"the peak may be of day {row['peak_from']:.0f}, by the counts' error")
    return "; ".join(words) or None


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    cohort = run.config["cohort"]
    samples = run.samples
    told = str(cohort.get("description") or "").strip()
    lead = f"{esc(told)}{'' if not told or told[-1] in '.!?' else '.'} {esc(arms_words(samples))}".strip()
    result = Page("index.html", cohort.get("title") or cohort["id"], lead, menu="Overview")

    overview = Section("overview", "At a glance", [cards(headline(run))])
    missing = left_out(run)
    if len(missing):
        words = "; ".join(f"{esc(r.sample)}: {esc(r.reason)}" for r in missing.head(MOST_NAMED).itertuples())
        if len(missing) > MOST_NAMED:
            words += f"; and {len(missing) - MOST_NAMED} more, see the page “Quality”"
        overview.blocks.append(Text(f"<b>{count(len(missing), 'sample')} left out.</b> {words}", "warning"))
    overview.blocks += [Text(esc(words), "note") for words in cannot_tell(samples, _days_counted(run))]
    overview.blocks += warning_box(run, site)
    if run.config.get("simulate"):
        overview.blocks.append(
            Text(
                "This cohort is <b>synthetic</b>: its numbers were planted to resemble the study's design and say "
                "nothing about real patients. How well the pipeline finds what was planted is on the page “Recovered "
                "truth”.",
                "note",
            )
        )
    result.sections.append(overview)

    treated = treated_arm(run)
    if not treated:
        result.sections += baseline.sections(run, site)
    nk = blood_nk(run)
    counted = nk.dropna(subset=["cells_per_ul"]) if len(nk) else nk
    band, il2 = expansion_band(run), il2_given(run)
    course = Section("course", "NK cells in blood")
    if len(counted):
        counts = run.table("cohort/counts.parquet")
        events = counts.dropna(subset=["event"]) if len(counts) else pd.DataFrame(columns=["patient", "day", "event"])
        caption = (
            "NK cells per microlitre of blood, one panel per patient. Dots are measured values with their 95 % "
            f"interval; the dotted line is the patient's own value before infusion, the violet band is {band[0]:g} to "
            f"{band[1]:g} times that value{', the yellow band the IL-2 period (days 0–12)' if il2 else ''}."
            + (" Triangles: no NK cell found, at the upper limit." if (counted["cells_per_ul"] <= 0).any() else "")
            + (" Red dashed lines mark events." if len(events) else "")
        )
        chosen, choice = of_patients(run, counted)
        drawn = nk_by_patient(chosen, events, band, baseline=run.baseline, il2=il2)
        course.blocks.append(site.figure("nk_per_ul_by_patient", drawn, caption + choice, table=nk))
        folds = run.table("dynamics/folds.parquet")
        folds = first_modality(folds[(folds["population"] == "NK") & folds["fold_change"].notna()])
        if len(folds):
            caption = (
                "Fold of NK cells over the pre-infusion value of the same patient. Thin lines are patients, thick "
                "lines the arm's median. Product and donor samples are not blood and are never the denominator."
                + (" A fold of 0 stands at its upper limit." if (folds["fold_change"] <= 0).any() else "")
            )
            course.blocks.append(site.figure("nk_folds", folds_by_arm(folds, band), caption, table=folds))
    else:
        # why a file was left out stands above; it is not why nothing was counted
        reasons = (
            sorted(r for r in set(nk["reason"].dropna()) if not r.startswith("sample left out")) if len(nk) else []
        )
        course.blocks.append(
            Text(
                "This cohort has no absolute counts, so NK cells per microlitre and folds cannot be determined"
                + (f": {esc('; '.join(reasons))}." if reasons else "."),
                "note",
            )
        )
    result.sections.append(course)

    patients = run.table("cohort/patients.parquet")
    if len(patients):
        if run.has("dynamics/kinetics.parquet") and infused(run):
            rows = patient_rows(run)
            rows["remark"] = [remark(r) for r in rows.to_dict("records")]
            shown = ["patient", "baseline_per_ul", "peak_day", "peak_fold", "last_day", "last_fold", "remark"]
            patients = patients.merge(rows[shown], on="patient", how="left")
        columns = {
            "patient": "patient", "arm": "arm", "disease": "disease", "dose_per_kg": "NK dose / kg",
            "il2_received": "IL-2 doses", "cmv_viremia": "CMV viremia", "baseline_per_ul": "NK/µL before",
            "peak_fold": "peak fold", "peak_day": "peak day", "last_fold": "last fold", "last_day": "last day",
            "remark": "remark",
        }  # fmt: skip
        columns = {k: v for k, v in columns.items() if k in patients}
        result.sections.append(
            Section("patients", "Patients", [site.table("patients", patients, "One row per patient.", columns=columns)])
        )

    claims = run.table("claims/claims.parquet")
    if len(claims) and not treated:
        words = (
            "<details><summary>The study's claims are about infused patients of an arm that this cohort does not have."
            f"</summary><p>{asked_words(claims)}: see the page <a href='claims.html'>Claims</a>.</p></details>"
        )
        result.sections.append(Section("claims", "The study's claims", [Text(words, "html")]))
    elif len(claims):
        asked = claims[claims["kind"] == "finding"]
        short = asked[asked["verdict"] != "not evaluable"]
        caption = (
            "What was asked of the cells. How each verdict came about, the checks of the design and of the analysis "
            "are on the page “Claims”."
        )
        if len(short) < len(asked):
            caption = f"{count(len(asked) - len(short), 'further claim')} cannot be judged in this cohort. {caption}"
        columns = {"claim": "id", "title": "claim", "verdict": "verdict", "bound": "asked", "why": "found"}
        result.sections.append(
            Section(
                "claims",
                "The study's claims in these data",
                [
                    site.table("claims_short", short, caption, columns=columns)
                    if len(short)
                    else Text("None of the study's claims is evaluable in this cohort; the page “Claims” says why.")
                ],
            )
        )
    return result
