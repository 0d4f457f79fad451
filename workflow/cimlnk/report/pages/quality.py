"""Quality: what was kept at every gate, what was left out, and whether the design can answer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cimlnk.cohort.design import ONE_BATCH
from cimlnk.report.blocks import MAX_ROWS, Page, Section, Site, Text, esc
from cimlnk.report.figures.quality import gate_yields, nk_share
from cimlnk.report.many import MOST_SAMPLES, first_the_odd, samples_shown
from cimlnk.report.reading import left_out, nk_share_words
from cimlnk.report.run import Run
from cimlnk.report.style import plain

from .names import MODALITY

UNIT = {"cytof": "events", "flow": "events", "rna": "barcodes"}


def correction(harmony: Mapping[str, str]) -> str:
    """Whether batches may be corrected; of one batch nothing is refused, as there is nothing to correct."""
    if harmony["why"] == ONE_BATCH:
        return harmony["why"]
    return f"Correction of batches: {harmony['verdict']}. {harmony['why']}"


def _design(run: Run) -> list[Text]:
    blocks = []
    for modality, part in sorted(run.json("cohort/design.json").get("modalities", {}).items()):
        harmony = part["harmony_on_batch"]
        words = [part["words"], correction(harmony)]
        done = run.json(f"{modality}/features.json").get("integration")
        if done:
            before, after = done.get("explained_before", {}), done.get("explained_after", {})
            method = str(done.get("method") or ("alignment" if done.get("applied") else "none"))
            why = str(done.get("reason") or "").rstrip(".")
            new = why and why not in f"{part['words']} {harmony['why']}"  # its verdict was reported already
            did = "nothing" if method == "none" else method.capitalize()
            words.append(f"Done here: {did}" + (f" ({why})." if new else "."))
            if before and after:
                kept = "; ".join(f"{k} {before[k]:.1%} before, {after[k]:.1%} after" for k in sorted(before))
                words.append(f"Variation of the features explained by {kept}.")
        blocks.append(Text(f"<b>{MODALITY[modality]}:</b> {esc(' '.join(words))}", "note"))
    return blocks


MOST_NAMED = 4  # samples of one warning or gate remark that are named on the page; the file names all


def gathered(rows: pd.DataFrame, keys: list[str], text: str) -> pd.DataFrame:
    """One row for what was told of several samples in like words: samples and texts side by side.

    Parameters
    ----------
    rows
        Column sample, `keys` and `text`.
    keys
        Columns in which rows of one group are equal (missing values are equal too).
    text
        The column whose sentences are told one after the other, at most two.
    """
    filled = rows.assign(**{k: rows[k].astype(object).where(rows[k].notna(), "") for k in keys})
    found = []
    for _, group in filled.groupby(keys, sort=False):
        names = list(dict.fromkeys(group["sample"].dropna()))
        texts = list(dict.fromkeys(group[text].dropna()))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        told = "; ".join(texts[:2]) + (f"; and {len(texts) - 2} alike" if len(texts) > 2 else "")
        found.append(
            {**group.iloc[0][keys], "samples": len(names) or None, "sample": ", ".join(names[:MOST_NAMED]) + more,
             text: told}
        )  # fmt: skip
    return pd.DataFrame(found, columns=[*keys, "samples", "sample", text])


def of_several(told: pd.DataFrame) -> pd.DataFrame:
    """WARNINGS with one row for what is said in the same words of several subjects, no sample being named.

    Examples
    --------
    >>> rows = {"kind": "k", "subject": ["CD38", "CD62L"], "sample": None, "text": ["CD38: no cut", "CD62L: no cut"]}
    >>> of_several(pd.DataFrame(rows))[["subject", "text"]].to_numpy().tolist()
    [['CD38, CD62L', 'no cut']]
    """
    if not {"subject", "sample"} <= set(told.columns):
        return told
    named = [isinstance(s, str) and isinstance(t, str) and t.startswith(f"{s}: ") and pd.isna(who)
             for s, t, who in zip(told["subject"], told["text"], told["sample"], strict=True)]  # fmt: skip
    alike = told[named].copy()
    alike["text"] = [t.removeprefix(f"{s}: ") for s, t in zip(alike["subject"], alike["text"], strict=True)]
    keys = [c for c in told.columns if c not in ("subject", "sample")]
    first = alike.groupby(keys, sort=False, dropna=False)["subject"].agg(", ".join).reset_index()
    first.index = alike.drop_duplicates(keys).index
    others = told[[not n for n in named]]
    return pd.concat([others, first.reindex(columns=told.columns)]).sort_index()


def gate_remarks(gates: pd.DataFrame) -> pd.DataFrame:
    """Gates that were skipped or set another way than usual: one row a gate and way, over its samples."""
    flagged = gates[gates["reason"].notna()].copy()
    if not len(flagged):
        return flagged
    # "balanced accuracy 0.932" and "93% of the lymphocytes are NK cells" are one remark with other numbers
    flagged["alike"] = flagged["reason"].str.replace(r"\d[\d.]*", "#", regex=True)
    keys = ["gate", "channel", "method", "alike"]
    table = gathered(flagged, keys, "reason")
    filled = flagged.assign(**{k: flagged[k].astype(object).where(flagged[k].notna(), "") for k in keys})
    cuts = filled.groupby(keys, sort=False)["threshold"].agg(["min", "max"]).reset_index(drop=True)
    ends = zip(cuts["min"].map(plain), cuts["max"].map(plain), strict=True)
    table["threshold"] = [a if a == b else f"{a} to {b}" for a, b in ends]
    return table


def measured_by(measured: pd.DataFrame) -> pd.DataFrame:
    """AVAILABILITY of very many files: one row a marker that some lack, with how many have it and who does not.

    Examples
    --------
    >>> rows = {"sample": ["a", "b", "a", "b"], "marker": ["CD2", "CD2", "CD3", "CD3"], "measured": [True, False] * 2}
    >>> measured_by(pd.DataFrame(rows)).iloc[0].tolist()
    ['CD2', 1, 1, 'b']
    """
    found = []
    for marker, rows in measured.groupby("marker", sort=True):
        lacking = list(rows.loc[~rows["measured"], "sample"])
        if lacking:
            more = f" and {len(lacking) - MOST_NAMED:,} more" if len(lacking) > MOST_NAMED else ""
            found.append((marker, len(rows) - len(lacking), len(lacking), ", ".join(lacking[:MOST_NAMED]) + more))
    return pd.DataFrame(found, columns=["marker", "files that measured it", "files that did not", "which did not"])


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
            "severity": "severity", "modality": "data", "kind": "what", "subject": "about", "samples": "samples",
            "sample": "which", "text": "found", "remedy": "what to do",
        }  # fmt: skip
        site.table_file("warnings", told)  # one row a sample
        keys = [k for k in ("severity", "modality", "kind", "subject", "remedy") if k in told]
        together = gathered(of_several(told), keys, "text")
        columns = {k: v for k, v in columns.items() if k in together}
        shown = site.table("warnings", together, caption, columns=columns)
        result.sections.insert(0, Section("warnings", "Warnings", [shown]))
    measured = run.table("quality/availability.parquet")
    if len(measured) and not measured["measured"].all():
        if measured["sample"].nunique() > MOST_SAMPLES:
            site.table_file("availability", measured[~measured["measured"]])
            wide = measured_by(measured)
        else:
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
        result.sections.append(Section("design", "Can batch and time be distinguished?", list(design)))
    for modality in run.modalities:
        gates, summary = run.gates(modality), run.table(f"{modality}/summary.parquet")
        section = Section(f"gates-{modality}", f"From events to NK cells: {MODALITY[modality]}")
        if len(gates):
            caption = (
                f"Share of each sample's {UNIT[modality]} that remains after every step. A column that is dark from a "
                "step on where its neighbours are not is a sample to look at."
            )
            names, choice = samples_shown(run, list(gates["sample"]))
            drawn = gate_yields(gates[gates["sample"].isin(names)], run.samples, UNIT[modality])
            section.blocks.append(
                site.figure(f"yields_{modality}", drawn, caption + choice, table=gates, table_name=f"gates_{modality}")
            )
        with_nodes = summary[summary["n_lymphocytes"] > 0]
        if len(with_nodes):
            caption = (
                "NK cells as a share of the lymphocytes of the same file, the number that turns a lymphocyte count "
                "into NK/µL. Bars show how far it moves when every gate's threshold moves within its uncertainty."
            )
            meaningless = nk_share_words(run, modality)
            if meaningless:
                section.blocks.append(Text(meaningless, "warning"))
                caption = "NK cells as a share of the lymphocytes of the same file."
            names, choice = samples_shown(run, list(with_nodes["sample"]))
            drawn = nk_share(summary[summary["sample"].isin(names)], run.samples)
            name = f"nk_share_{modality}"
            section.blocks.append(
                site.figure(name, drawn, caption + choice, table=summary, table_name=f"summary_{modality}")
            )
        columns = {
            "sample": "sample", "n_events": UNIT[modality], "n_live_singlets": "live single",
            "n_lymphocytes": "lymphocytes", "n_nk": "NK", "n_nk_low": "NK, least", "n_nk_high": "NK, most",
            "qc_score": "QC score", "reason": "remark",
        }  # fmt: skip
        score = {"rna": "share of the barcodes that are live single cells"}.get(
            modality, "share of the events in good stretches of the acquisition"
        )
        listed = first_the_odd(run, summary) if len(summary) > MAX_ROWS else summary
        section.blocks.append(
            site.table(
                f"summary_{modality}",
                listed.assign(n_nk_low=listed["n_nk_low"].round(), n_nk_high=listed["n_nk_high"].round()),
                f"One row per sample of the sheet. QC score: {score}. Least and most: with every threshold at an end "
                "of its uncertainty.",
                columns=columns,
            )
        )
        flagged = gates[gates["reason"].notna()] if len(gates) else pd.DataFrame()
        if len(flagged):
            site.table_file(f"gate_remarks_{modality}", flagged)  # one row a sample
            columns = {
                "gate": "gate", "channel": "channel", "method": "set by", "threshold": "threshold",
                "samples": "samples", "sample": "which", "reason": "remark",
            }  # fmt: skip
            words = "Gates that were skipped or set another way than usual, or of which there is something to say."
            section.blocks.append(site.table(f"gate_remarks_{modality}", gate_remarks(gates), words, columns=columns))
        result.sections.append(section)
    return result
