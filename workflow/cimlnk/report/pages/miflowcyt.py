"""What MIFlowCyt asks of a cytometry experiment (Lee 2008, doi:10.1002/cyto.a.20623), as far as the run knows it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import CYTOMETRY, MODALITY_WORDS
from cimlnk.report.blocks import Page, Section, Site
from cimlnk.report.reading import left_out
from cimlnk.report.run import Run
from cimlnk.report.style import plain

TO_FILL_IN = "to be filled in by the laboratory"
REAGENTS = {
    "channel": "channel ($PnN)", "marker": "analyte", "role": "used for", "clone": "clone", "supplier": "supplier",
    "catalogue": "catalogue number", "lot": "lot", "instrument": "instrument", "cofactor": "cofactor (arcsinh)",
}  # fmt: skip
GIVEN = ("clone", "supplier", "catalogue", "lot")
UNSTAINED = ("time", "event_length", "gaussian", "scatter", "pulse", "autofluorescence", "ignore", "not_used", "bead")
FILES = {"sample": "sample", "patient": "patient", "arm": "arm", "day": "day", "tissue_or_product": "material",
         "batch": "batch", "path": "list-mode file", "sha256": "sha256 in the sheet, first 16 digits"}  # fmt: skip


def page(run: Run, site: Site) -> Page | None:
    """Build the page; None for a cohort without cytometry."""
    modalities = [m for m in CYTOMETRY if m in run.modalities]
    if not modalities:
        return None
    result = Page(
        "miflowcyt.html",
        "MIFlowCyt",
        "What a journal or repository asks of a cytometry experiment, in the order of the standard (MIFlowCyt 1.0). "
        f"What the run cannot know is marked “{TO_FILL_IN}”.",
        group="record",
    )
    table = items(run, modalities)
    open_ = int((table["what the run knows"] == TO_FILL_IN).sum())
    caption = f"{len(table) - open_} of {len(table)} items are answered from the run, {open_} are not."
    result.sections.append(Section("checklist", "Checklist", [site.table("miflowcyt", table, caption)]))
    panels = run.table("cohort/panel.parquet")
    for modality in modalities:
        words = MODALITY_WORDS[modality]
        own = panels[panels["modality"] == modality] if len(panels) else panels
        if len(own):
            site.table_file(f"reagents_{modality}", own)
            own = own.assign(role=own["role"].replace({"ignore": "not used"}).str.replace("_", " "))
            block = site.table(f"reagents_{modality}", own, reagent_words(own), columns=REAGENTS)
            result.sections.append(Section(f"reagents-{modality}", f"2.4 Channels and reagents: {words}", [block]))
        files = run.samples[run.samples["modality"] == modality]
        files = files.assign(path=[str(p).replace("\\", "/").rsplit("/", 1)[-1] for p in files["path"]])
        site.table_file(f"files_{modality}", files)  # with the whole digests
        files = files.assign(sha256=files["sha256"].str[:16])
        block = site.table(f"files_{modality}", files, "One row per file.", columns=FILES)
        result.sections.append(Section(f"files-{modality}", f"2.1 and 4.1 Samples and files: {words}", [block]))
        gates = gate_table(run, modality)
        if len(gates):
            caption = (
                "One row per gate, over all samples: the median threshold and its range on the scale of analysis, and "
                "the median share of the entering events that it keeps. Every sample's gates are in the results as "
                f"Gating-ML 2.0 ({modality}/gates/SAMPLE.xml) and tables ({modality}/gates/SAMPLE.parquet)."
            )
            block = site.table(f"gate_summary_{modality}", gates, caption)
            result.sections.append(Section(f"gates-{modality}", f"4.4 Gates: {words}", [block]))
    return result


def reagent_words(panel: pd.DataFrame) -> str:
    """Caption of a panel: what of its reagents the sheet leaves open."""
    stained = panel[~panel["role"].str.replace(" ", "_").isin(UNSTAINED)]
    missing = [c for c in GIVEN if stained[c].isna().all()]
    partly = [f"{c} ({int(stained[c].isna().sum())})" for c in GIVEN if c not in missing and stained[c].isna().any()]
    text = "One row per channel of the panel sheet."
    if missing:
        text += f" The sheet does not tell {', '.join(missing)}: add these columns to it, and they appear here."
    if partly:
        text += f" Not given for some of the {len(stained)} stained channels: {', '.join(partly)}."
    return text


def items(run: Run, modalities: Sequence[str]) -> pd.DataFrame:
    """The items of the checklist: number, item, what the run knows of it."""
    samples = run.samples[run.samples["modality"].isin(modalities)]
    arms = ", ".join(f"{a} ({count(g['patient'].nunique(), 'patient')})" for a, g in samples.groupby("arm", sort=True))
    days = ", ".join(str(d) for d in sorted(samples["day"].unique()))
    kinds = samples["tissue_or_product"].value_counts(sort=False).items()
    material = ", ".join(f"{count(n, 'file')} of {k}" for k, n in kinds)
    missing = left_out(run)
    told = run.table("quality/warnings.parquet")
    checks = f"every file's acquisition, gates and staining were checked; {len(missing)} of {len(run.samples)} samples "
    checks += f"left out, {len(told)} warnings and notes (page “Quality”)"
    people = count(samples["patient"].nunique(), "patient")
    rows = [
        ("1.1", "Purpose", run.config["cohort"].get("description") or TO_FILL_IN),
        ("1.2", "Keywords", TO_FILL_IN),
        ("1.3", "Experiment variables", f"arm: {arms}; day: {days}"),
        ("1.4, 1.5", "Organization and primary contact", TO_FILL_IN),
        ("1.6", "Date", TO_FILL_IN),
        ("1.7", "Conclusions", "pages “Overview” and “Claims”, to be written in words by the authors"),
        ("1.8", "Quality control", checks),
        ("2.1", "Specimens", f"{material}, of {people}; organism and consent {TO_FILL_IN}"),
        ("2.3", "Treatment of the samples (staining, fixation)", TO_FILL_IN),
        ("2.4", "Reagents", "table below"),
        ("3.1, 3.2", "Instrument", "; ".join(instruments(run, modalities)) or TO_FILL_IN),
        ("3.3", "Settings of the instrument", "in the keywords of the list-mode files"),
        ("4.1", "List-mode files", f"{count(len(samples), 'file')}, table below"),
        ("4.2", "Compensation", "; ".join(f"{MODALITY_WORDS[m]}: {compensation(run, m)}" for m in modalities)),
        ("4.3", "Transformation", "arcsinh of the value over the cofactor of its channel (table of reagents)"),
        ("4.4", "Gates and their statistics", "table below"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["item", "asked", "what the run knows"])


def instruments(run: Run, modalities: Sequence[str]) -> list[str]:
    """Instruments by the files ($CYT and $CYTSN) and by the panel sheet."""
    found: dict[str, int] = {}
    for modality in modalities:
        for name in (run.json(f"{modality}/features.json").get("instruments") or {}).values():
            found[name] = found.get(name, 0) + 1
    words = [f"{name} ({count(n, 'file')})" for name, n in sorted(found.items())]
    panels = run.table("cohort/panel.parquet")
    if len(panels):
        given = panels.loc[panels["modality"].isin(modalities), "instrument"].dropna()
        words += [f"{name} (panel sheet)" for name in dict.fromkeys(given)]
    return words


def compensation(run: Run, modality: str) -> str:
    """What was done about light or metal that spills into other channels."""
    if modality == "flow":
        done = [run.json(n) for n in run.named("flow/compensated/", ".json")]
        applied = sum(bool((d.get("compensation") or {}).get("applied")) for d in done)
        return f"applied to {applied} of {len(done)} files, see the page on preparation"
    if run.has("cytof/spillover.csv"):
        return "spillover between mass channels taken off, see the page on preparation"
    return "none (spillover between mass channels was not corrected)"


def gate_table(run: Run, modality: str) -> pd.DataFrame:
    """One row per gate: parent, markers, side, thresholds and share kept over the samples."""
    gates = run.gates(modality)
    if not len(gates):
        return pd.DataFrame()
    gates = gates.assign(kept=gates["n_out"] / gates["n_in"].where(gates["n_in"] > 0))
    rows = []
    for _, own in gates.groupby("step", sort=True):
        first, cuts = own.iloc[0], own["threshold"].dropna()
        low, middle, high = (
            (plain(float(v)) for v in (cuts.min(), cuts.median(), cuts.max())) if len(cuts) else ("", "", "")
        )
        rows.append(
            {
                "gate": first["gate"], "of": first["parent"] if pd.notna(first["parent"]) else "all events",
                "marker": str(first["marker"] or "").replace("+", " + "),
                "channel": str(first["channel"] or "").replace("+", " + "), "kept side": first["side"],
                "threshold": f"{middle} ({low} to {high})" if len(cuts) and low != high else middle,
                "share kept": f"{100 * own['kept'].median():.1f} %" if own["kept"].notna().any() else "",
                "found by": ", ".join(sorted(set(own["method"]))),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).fillna("")
