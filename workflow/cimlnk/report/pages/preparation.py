"""What the steps before gating did to the files: a section per step that is switched on, and spillover of dyes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cimlnk.cytof.steps import FILE_STEPS
from cimlnk.report.blocks import MAX_CSV_ROWS, Figure, Page, Section, Site, Table, Text
from cimlnk.report.run import Run

OPEN = 2  # figures shown at once; more are folded away under their file's name
TITLES = {"bead_normalisation": "Bead normalisation", "debarcoding": "Debarcoding", "spillover": "Spillover"}
LOOK = {
    "bead_normalisation": (
        "Look whether the beads' running medians are level after normalisation: a slope or a step that is still there "
        "is sensitivity of the instrument that later pages would show as biology."
    ),
    "debarcoding": (
        "Look whether every sample got its share of the events and whether single cells and doublets (orange line) "
        "separate: a sample with few events or a cut-off amid its events is to be mistrusted."
    ),
    "spillover": (
        "Look whether the cloud that lay along the black line before compensation lies flat after it: what still "
        "climbs is spillover left, and a cloud pressed to zero where cells should be positive is too much taken."
    ),
    "matrix": (
        "Spillover between mass channels in per cent of the sender's signal. Look for entries above about 5 %, which "
        "point to a wrong single stain or an impure isotope."
    ),
    "alignment": (
        "Look whether pairs from different batches come closer while pairs within a batch stay on the diagonal: "
        "points of one batch below it are biology that was removed with the batch."
    ),
}


def page(run: Run, site: Site) -> Page | None:
    """Build the page; None if no step is switched on."""
    sections = [_step(run, site, step) for step in FILE_STEPS]
    sections += [_alignment(run, site), _fluorescence(run, site)]
    present = [s for s in sections if s is not None]
    if not present:
        return None
    lead = "What was done to the files before gating, and to the batches after it, with what to look for."
    return Page("preparation.html", "Preparation of files", lead, present, group="data", menu="Preparation")


def _step(run: Run, site: Site, step: str) -> Section | None:
    folder = f"cytof/{FILE_STEPS[step]}/"
    figures = [(name.removeprefix(folder).removesuffix(".svg"), name) for name in run.named(folder, ".svg")]
    if not figures:
        return None
    section = Section(step.replace("_", "-"), TITLES[step])
    if step == "spillover":
        place = "figures/spillover.svg"
        site.copy(run.files["cytof/spillover.svg"], place)
        matrix = pd.read_csv(run.files["cytof/spillover.csv"])
        table = site.table_file("spillover", matrix)
        section.blocks.append(Figure("spillover", place, LOOK["matrix"], table, "Spillover between mass channels"))
    section.blocks.append(Text(LOOK[step]))
    section.blocks.append(_table(run, site, step, files=[file for file, _ in figures]))
    place = f"figures/{FILE_STEPS[step]}"
    section.blocks.append(site.folded(place, [(f, f, run.files[n]) for f, n in figures], TITLES[step], unfolded=OPEN))
    return section


def _table(run: Run, site: Site, step: str, *, files: list[str]) -> Table:
    folder = f"cytof/{FILE_STEPS[step]}/"
    if step == "debarcoding":
        parts = [run.table(f"{folder}{file}.yields.parquet").assign(file=file) for file in files]
        columns = {
            "file": "file", "sample": "sample", "code": "barcode masses", "n_nearest": "events of the code",
            "n_above_cutoff": "above cut-off", "n_assigned": "assigned", "cutoff": "cut-off",
            "expected_doublets": "doublets expected", "reason": "remark",
        }  # fmt: skip
        rows = pd.concat(parts, ignore_index=True)
        site.table_file("debarcoding", rows, MAX_CSV_ROWS)
        # a key may serve several pools: a code without events is worth a row only if no other pool has it
        elsewhere = rows["sample"].isin(rows.loc[rows["n_assigned"] > 0, "sample"])
        shown = rows[(rows["n_nearest"] > 0) | ~elsewhere]
        caption = "One row per sample of the key; codes whose events are all in another pool are in the file only."
        return site.table("debarcoding", shown, caption, columns=columns)
    records = [(file, run.json(f"{folder}{file}.json")) for file in files]
    if step == "bead_normalisation":
        rows = pd.DataFrame([_beads(file, record) for file, record in records])
        caption = (
            "One row per file. Drift is the change of the beads over the run in per cent; the factors are the least "
            "and the largest by which counts were multiplied."
        )
        return site.table("bead_normalisation", rows, caption)
    rows = pd.DataFrame(
        [
            {
                "file": file,
                "events": record.get("n_events"),
                "remark": record.get("reason") or "; ".join(map(_short, record.get("notes", []))),
            }
            for file, record in records
        ]
    )
    caption = "One row per file; <code>cytof/compensated/</code> has the counts per channel and the remarks in full."
    return site.table("compensation", rows, caption)


def _short(note: str) -> str:
    """A note with its list of channels cut to the first three and their number."""
    what, colon, names = note.partition(": ")
    channels = names.split(", ")
    return f"{what}: {', '.join(channels[:3])} … ({len(channels)} channels)" if colon and len(channels) > 4 else note


def _beads(file: str, record: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"file": file, "events": record.get("n_events"), "beads": record.get("n_beads")}
    row["bead doublets"] = record.get("n_bead_doublets")
    for name in ("before", "after"):
        drift = record.get(f"drift_{name}")
        row[f"drift {name} (%)"] = None if drift is None else round(100 * float(drift), 1)
    row |= {"least factor": record.get("factor_min"), "largest factor": record.get("factor_max")}
    return {**row, "remark": record.get("reason")}


def _alignment(run: Run, site: Site) -> Section | None:
    name = "cytof/alignment/distances"
    if not run.has(f"{name}.svg"):
        return None
    section = Section("alignment", "Batch alignment")
    place = "figures/alignment.svg"
    site.copy(run.files[f"{name}.svg"], place)
    distances = run.table(f"{name}.parquet")
    caption = (
        "Distances of all pairs of samples before and after alignment (mean earth mover's distance over markers, "
        f"analysis scale). {LOOK['alignment']}"
    )
    table = site.table_file("alignment_distances", distances)
    section.blocks.append(Figure("alignment", place, caption, table, "Distances before and after alignment"))
    means = distances.groupby("kind").agg(pairs=("before", "size"), before=("before", "mean"), after=("after", "mean"))
    kinds = means.reset_index().rename(columns={"kind": "pairs of"})
    section.blocks.append(site.table("alignment_kinds", kinds, "Mean distance by kind of pair."))
    return section


def _fluorescence(run: Run, site: Site) -> Section | None:
    """What was done about spillover in every flow file, and the scale of every channel."""
    folder = "flow/compensated/"
    names = run.named(folder, ".json")
    if not names:
        return None
    rows = []
    for name in names:
        record = run.json(name)
        done = record.get("compensation") or {}
        others = [n for n in record.get("notes", []) if not n.startswith("spillover: ")]
        rows.append(
            {
                "file": name.removeprefix(folder).removesuffix(".json"),
                "events": record.get("n_events"),
                "matrix": done.get("source"),
                "spillover": "left out" if record["left_out"] else "removed" if done["applied"] else "left as it was",
                "because": record.get("reason") or done.get("evidence"),
                "remark": "; ".join(others),
            }
        )
    caption = (
        "One row per file. Where a matrix was given, bright cells of each dye show whether it was applied before: the "
        "share of the matrix's spillover still seen in the receiving channels is told, near 100 % before and near 0 % "
        "after compensation."
    )
    section = Section("fluorescence", "Spillover and scale of fluorescence")
    section.blocks.append(site.table("fluorescence_spillover", pd.DataFrame(rows), caption))
    if run.has("flow/cofactors.parquet"):
        cofactors = run.table("flow/cofactors.parquet")
        words = (
            "One row per channel: the cofactor of the arcsinh puts the upper edge of the negative cells at two. Look "
            "at channels of another method than the negative cells: their thresholds rest on a guess."
        )
        section.blocks.append(site.table("fluorescence_cofactors", cofactors, words))
    return section
