"""One page per patient."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text, esc, slug
from cimlnk.report.figures.course import composition, nk_by_patient, subsets_absolute
from cimlnk.report.many import pictured
from cimlnk.report.reading import expansion_band, il2_given, infused
from cimlnk.report.run import Run
from cimlnk.report.style import plain

from . import donors, kinetics
from .cohort import MODALITY, cards

FACTS = {
    "dose_per_kg": "NK cells infused / kg", "il2_planned": "IL-2 doses planned", "il2_received": "IL-2 doses received",
    "cmv_viremia": "CMV viremia", "donor_cmv": "donor CMV",
}  # fmt: skip


def _facts(run: Run, patient: str) -> Text:
    table = run.table("cohort/patients.parquet")
    items = []
    if len(table):
        for _, row in table[table["patient"] == patient].iterrows():
            items = [
                (FACTS.get(c, c.replace("_", " ")), plain(v)) for c, v in row.items() if c != "patient" and plain(v)
            ]
    samples = run.samples[run.samples["patient"] == patient]
    items.append(("file" if len(samples) == 1 else "files", str(len(samples))))
    return cards(items)


GATED = {"cytof": "mass cytometry", "flow": "flow cytometry"}


def _gates(run: Run, site: Site, samples: pd.DataFrame) -> Text | None:
    """The gate figures of the patient's samples, folded away; None if there are none.

    Of very many samples the site holds some (:mod:`cimlnk.report.many`); the others are linked in the results folder.
    """
    own = [
        (str(row.sample), f"{row.sample} ({row.timepoint})", name)
        for row in samples.sort_values("day").itertuples()
        if run.has(name := f"{row.modality}/gates/{row.sample}.png")
    ]
    held = pictured(run)
    block = site.folded("figures/gates", [(s, t, run.files[n]) for s, t, n in own if s in held], "Gates")
    links = [f'<a href="../{esc(n)}">{esc(t)}</a>' for s, t, n in own if s not in held]
    if not links:
        return block if own else None
    return Text(f"{block.body}<p>In the results folder: {', '.join(links)}.</p>", "html")


def place_words(arm: str, timepoints: list[str], run: Run) -> str:
    """A patient's arm, unless all are of one called all, and time points; a sole one where its name says something."""
    many = "Time points" if len(timepoints) > 1 else "Time point"
    days = "One time point" if timepoints == ["sampled"] else f"{many}: {', '.join(timepoints)}"
    if arm == "all" and run.samples["arm"].nunique() < 2:
        return f"{days}."
    return f"Arm {arm}; {days[:1].lower()}{days[1:]}."


def page(run: Run, site: Site, patient: str) -> Page:
    """Build the page of one patient."""
    abundance = run.table("dynamics/abundance.parquet")
    mine = abundance[abundance["patient"] == patient]
    samples = run.samples[run.samples["patient"] == patient]
    arm = str(samples["arm"].iloc[0])
    result = Page(
        f"patient-{slug(patient)}.html",
        f"Patient {patient}",
        esc(place_words(arm, list(dict.fromkeys(samples.sort_values("day")["timepoint"].astype(str))), run)),
        group="patients",
    )
    result.sections.append(Section("facts", "Facts", [_facts(run, patient)]))
    counts = run.table("cohort/counts.parquet")
    events = counts[counts["event"].notna() & (counts["patient"] == patient)] if len(counts) else pd.DataFrame()
    nk = mine[(mine["population"] == "NK") & (mine["tissue_or_product"] == "blood")]
    nk = nk.sort_values("modality").drop_duplicates(["day"])
    counted = nk.dropna(subset=["cells_per_ul"])
    course = Section("course", "NK cells in blood")
    if len(counted):
        band, il2 = expansion_band(run), il2_given(run)
        caption = (
            f"NK cells per microlitre with 95 % intervals; dotted line: before infusion; violet band: {band[0]:g} to "
            f"{band[1]:g} times that{'; yellow band: IL-2 period' if il2 else ''}"
            f"{'; red dashed lines: events' if len(events) else ''}."
        )
        if not len(events):
            events = pd.DataFrame(columns=["patient", "day", "event"])
        drawn = nk_by_patient(counted, events, band, baseline=run.baseline, il2=il2)
        course.blocks.append(site.figure(f"patient_{patient}_nk", drawn, caption, table=nk))
        if len(events):
            columns = {"day": "day", "event": "event"}
            events = events.assign(event=events["event"].astype(str).str.replace("_", " "))
            course.blocks.append(site.table(f"patient_{patient}_events", events, "Events.", columns=columns))
    else:
        course.blocks.append(Text("No absolute counts for this patient.", "note"))
    result.sections.append(course)
    explained = False
    for modality in run.modalities:
        rows = mine[(mine["modality"] == modality) & (mine["population"] != "NK") & mine["fraction"].notna()]
        if not len(rows):
            continue
        section = Section(f"subsets-{modality}", f"Subsets: {MODALITY[modality]}")
        section.blocks.append(
            site.figure(
                f"patient_{patient}_composition_{modality}",
                composition(rows),
                "Composition of the NK cells in each sample.",
                table=rows,
                table_name=f"patient_{patient}_{modality}",
            )  # fmt: skip
        )
        lead = "<b>Cells per microlitre over days after infusion.</b>"
        chosen = {"modality": modality, "patient": patient}
        name = f"patient_{patient}_absolute_{modality}"
        fitted = kinetics.fitted_figure(
            run, site, name, rows=chosen, panel="population", colour_by="population", lead=lead, again=explained
        )
        explained = explained or fitted is not None
        absolute = rows[(rows["tissue_or_product"] == "blood") & rows["cells_per_ul"].notna()]
        if fitted is not None:
            section.blocks.append(fitted)
        elif len(absolute):
            caption = "Cells per microlitre of every subset."
            drawn = subsets_absolute(absolute)
            section.blocks.append(
                site.figure(name, drawn, caption, table=rows, table_name=f"patient_{patient}_{modality}")
            )
        result.sections.append(section)
    whose = donors.course_blocks(run, site, patient)
    if whose:
        result.sections.append(Section("donors", "Whose cells", whose))
    gates = _gates(run, site, samples)
    if gates:
        kinds = [word for m, word in GATED.items() if (samples["modality"] == m).any()]
        result.sections.append(Section("gates", f"Gates of the {' and '.join(kinds)} files", [gates]))
    table = run.table("dynamics/kinetics.parquet")
    rows = table[table["patient"] == patient] if len(table) else table
    measured = (
        rows[["baseline_per_ul", "peak_fold", "model_peak_fold"]].notna().to_numpy().any() if len(rows) else False
    )
    if measured or (len(rows) and infused(run)):
        section = Section("kinetics", "Kinetics")
        section.blocks += kinetics.tables(site, f"patient_{patient}_kinetics", rows, who={})
        result.sections.append(section)
    return result
