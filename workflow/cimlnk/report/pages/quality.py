"""Quality: what was kept at every gate, what was left out, and whether the design can answer."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text, esc
from cimlnk.report.figures.quality import gate_yields, nk_of_lymphocytes
from cimlnk.report.reading import left_out
from cimlnk.report.run import Run

from .names import MODALITY


def _design(run: Run) -> list[Text]:
    blocks = []
    for modality, part in sorted(run.json("cohort/design.json").get("modalities", {}).items()):
        harmony = part["harmony_on_batch"]
        words = [part["words"], f"Correction of batches: {harmony['verdict']}. {harmony['why']}"]
        done = run.json(f"{modality}/features.json").get("integration")
        if done:
            before, after = done.get("explained_before", {}), done.get("explained_after", {})
            method = done.get("method") or ("alignment" if done.get("applied") else "none")
            words.append(f"Done here: {method}" + (f" ({done['reason']})." if done.get("reason") else "."))
            if before and after:
                kept = "; ".join(f"{k} {before[k]:.1%} before, {after[k]:.1%} after" for k in sorted(before))
                words.append(f"Variation of the features explained by {kept}.")
        blocks.append(Text(f"<b>{MODALITY[modality]}:</b> {esc(' '.join(words))}", "note"))
    return blocks


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(
        "quality.html",
        "Quality",
        "How many events each step kept, per sample, with the thresholds that were found and how.",
        group="data",
    )
    missing = left_out(run)
    section = Section("left-out", "Samples left out")
    if len(missing):
        section.blocks.append(site.table("left_out", missing, "Left out of every later result, and why."))
    else:
        section.blocks.append(Text("None: every sample of the sheet is in the results."))
    result.sections.append(section)
    told = run.table("quality/warnings.parquet")
    if len(told):
        caption = "Everything the stages had to tell, the serious first: what happened, and what to do about it."
        columns = {
            "severity": "severity", "modality": "data", "sample": "sample", "kind": "what", "subject": "about",
            "text": "found", "remedy": "what to do",
        }  # fmt: skip
        columns = {k: v for k, v in columns.items() if k in told}
        shown = site.table("warnings", told, caption, columns=columns)
        result.sections.insert(0, Section("warnings", "Warnings", [shown]))
    measured = run.table("quality/availability.parquet")
    if len(measured) and not measured["measured"].all():
        wide = measured.pivot(index="marker", columns="sample", values="measured")
        wide = wide[~wide.all(axis=1)].replace({True: "yes", False: ""}).reset_index()
        caption = (
            "Markers that not every file measured. They are used neither for clusters nor for names, and compared only "
            "between files that have them."
        )
        table = site.table("availability", wide, caption)
        result.sections.append(Section("availability", "Markers measured in some files only", [table]))
    design = _design(run)
    if design:
        result.sections.append(Section("design", "Can batch and time be told apart?", list(design)))
    for modality in run.modalities:
        gates, summary = run.gates(modality), run.table(f"{modality}/summary.parquet")
        section = Section(f"gates-{modality}", f"From events to NK cells: {MODALITY[modality]}")
        if len(gates):
            caption = (
                "Share of each sample's events that remains after every step. A dark row in one column only is a "
                "sample to look at."
            )
            drawn = gate_yields(gates, run.samples)
            section.blocks.append(
                site.figure(f"yields_{modality}", drawn, caption, table=gates, table_name=f"gates_{modality}")
            )
        with_nodes = summary[summary["n_lymphocytes"] > 0]
        if len(with_nodes):
            caption = (
                "NK cells as a share of the lymphocytes of the same file, the number that turns a lymphocyte count "
                "into NK/µL. Bars show how far it moves when every gate's threshold moves within its uncertainty."
            )
            drawn = nk_of_lymphocytes(summary, run.samples)
            section.blocks.append(
                site.figure(f"nk_share_{modality}", drawn, caption, table=summary, table_name=f"summary_{modality}")
            )
        columns = {
            "sample": "sample", "n_events": "events", "n_live_singlets": "live singlets",
            "n_lymphocytes": "lymphocytes", "n_nk": "NK", "n_nk_low": "NK low", "n_nk_high": "NK high",
            "qc_score": "QC score", "reason": "remark",
        }  # fmt: skip
        section.blocks.append(
            site.table(
                f"summary_{modality}",
                summary,
                "One row per sample of the sheet. QC score: share of the events in good stretches of the acquisition.",
                columns=columns,
            )
        )
        flagged = gates[gates["reason"].notna()] if len(gates) else pd.DataFrame()
        if len(flagged):
            columns = {
                "sample": "sample", "gate": "gate", "channel": "channel", "threshold": "threshold",
                "method": "method", "reason": "remark",
            }  # fmt: skip
            section.blocks.append(
                site.table(
                    f"gate_remarks_{modality}",
                    flagged,
                    "Gates that were skipped or set another way than usual.",
                    columns=columns,
                )  # fmt: skip
            )
        result.sections.append(section)
    return result
