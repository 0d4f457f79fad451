"""All patients of a cohort too large for a page each: one row a patient, and the way to its page and its gates."""

from __future__ import annotations

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import CYTOMETRY
from cimlnk.report.blocks import Page, Section, Site, Text, esc, slug
from cimlnk.report.clinicians.course import patient_rows
from cimlnk.report.many import CHOICE, patients_shown, people
from cimlnk.report.run import Run
from cimlnk.report.style import plain

HEAD = ("patient", "arm", "stands out by", "gates of the files", "NK/µL before", "peak fold", "peak day", "last fold")
NUMBERS = ("baseline_per_ul", "peak_fold", "peak_day", "last_fold")


def page(run: Run, site: Site) -> Page | None:
    """Build the page; None where every patient has a page."""
    known, shown = people(run), set(patients_shown(run))
    if len(shown) == len(known):
        return None
    result = Page(
        "patients.html",
        "All patients",
        f"{len(shown)} of {count(len(known), 'patient')} have a page here: {CHOICE}.",
        group="patients",
    )
    printed = run.has("export/patients.pdf")
    words = ["Names lead to a patient's page"]
    words.append(" where there is one, else to its page of the PDF." if printed else " where there is one.")
    words.append(
        " Files lead to the pictures of their gates in the results folder, below which the report has to lie. "
        "All numbers of all patients are in the results (<code>dynamics/</code>) and in the workbook."
    )
    result.sections.append(Section("way", "The way to a patient", [Text("".join(words), "note")]))
    rows = patient_rows(run)
    site.table_file("everybody", rows, len(rows))
    head = "".join(
        f'<th scope="col" tabindex="0"{" class=num" if k >= len(HEAD) - len(NUMBERS) else ""}>{h}</th>'
        for k, h in enumerate(HEAD)
    )
    files = dict(iter(run.samples.sort_values("day").groupby("patient")))
    body = "".join(
        _row(run, row, number=k, why=str(known.at[row["patient"], "why"]), own=row["patient"] in shown,
             printed=printed, files=files[row["patient"]])
        for k, row in enumerate(rows.to_dict("records"), 1)
    )  # fmt: skip
    filter_ = (
        '<label class="filter">Rows with <input type="search" data-table="table-everybody" '
        f'aria-describedby="rows-everybody"> <span id="rows-everybody" role="status">{len(rows)} rows</span></label>'
    )
    table = (
        f'{filter_}<div class="wrap more" tabindex="0" role="region" aria-label="All patients">'
        f'<table id="table-everybody"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        '<p class="lead" style="font-size:13.5px">One row per patient, by arm. '
        '<a href="tables/everybody.csv">Table (CSV)</a></p>'
    )
    result.sections.append(Section("everybody", "Patients", [Text(table, "html")]))
    return result


def _row(
    run: Run, row: dict[str, object], *, number: int, why: str, own: bool, printed: bool, files: pd.DataFrame
) -> str:
    patient = str(row["patient"])
    place = f"patient-{slug(patient)}.html" if own else f"patients.pdf#page={number}" if printed else ""
    name = f'<a href="{place}">{esc(patient)}</a>' if place else esc(patient)
    gates = " ".join(
        f'<a href="../{f.modality}/gates/{esc(f.sample)}.png">{esc(f.timepoint)}</a>'
        for f in files.itertuples()
        if f.modality in CYTOMETRY and run.has(f"{f.modality}/gates/{f.sample}.png")
    )
    cells = [name, esc(row["arm"]), esc(why), gates]
    numbers = "".join(f'<td class="num">{esc(plain(row[c]))}</td>' for c in NUMBERS)
    return f"<tr>{''.join(f'<td>{c}</td>' for c in cells)}{numbers}</tr>"
