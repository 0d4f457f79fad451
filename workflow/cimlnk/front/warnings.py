"""Collect the warnings of a run, and say them in a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.palette import in_text
from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import CYTOMETRY, MODALITIES
from cimlnk.populations.load import cell_names, feature_names

from . import collect, collect_populations, collect_sheets
from .collect_donors import of_donors
from .tables import AVAILABILITY, WARNINGS


def collect_warnings(*, root: str | Path, files: Iterable[str | Path], baseline: str) -> pd.DataFrame:
    """WARNINGS of a run.

    Parameters
    ----------
    root
        ``results/<cohort id>``.
    files
        The tables that may be read; a table that is not among them is not asked for, so that nothing depends on what
        an earlier run left.
    baseline
        ``dynamics.baseline_timepoint``.
    """
    root = Path(root)
    have = {str(Path(f).relative_to(root)): Path(f) for f in files}

    def table(name: str) -> pd.DataFrame:
        return read_table(have[name])

    samples, counts = table("cohort/samples.parquet"), table("cohort/counts.parquet")
    rows = collect_sheets.of_sheets(samples, counts, baseline)
    rows += collect_sheets.of_design(json.loads(have["cohort/design.json"].read_text(encoding="utf-8")))
    for modality in MODALITIES:
        names = sorted(n for n in have if n.startswith(f"{modality}/gates/") and n.endswith(".parquet"))
        for name in names:
            rows += collect.of_gates(modality, table(name))
        if f"{modality}/summary.parquet" in have:
            rows += collect.of_summary(modality, table(f"{modality}/summary.parquet"))
        if f"{modality}/graph.json" in have:
            rows += collect_populations.of_graph(
                modality, json.loads(have[f"{modality}/graph.json"].read_text(encoding="utf-8"))
            )
        if f"{modality}/populations.parquet" in have:
            annotation = table(f"{modality}/annotation.parquet")
            populations = table(f"{modality}/populations.parquet")
            rows += collect_populations.of_populations(modality, populations, annotation)
            if modality == "rna":  # thresholds of proteins are found in every batch by itself
                rows += collect_populations.of_patients(populations, samples)
        if f"{modality}/thresholds.parquet" in have:
            rows += collect_populations.of_thresholds(modality, table(f"{modality}/thresholds.parquet"))
            if f"{modality}/overridden.parquet" in have:
                changed = table(f"{modality}/overridden.parquet")
                rows += collect_populations.of_overrides(modality, changed, table(f"{modality}/thresholds.parquet"))
        h5ad = [n for n in have if n.startswith(f"{modality}/samples/")]
        records = {Path(n).stem: _record(have[n]) for n in sorted(h5ad)}
        rows += collect_sheets.of_hashes(modality, _hashes(samples, records))
        rows += collect_sheets.of_records(modality, records)
    if "adt/nk_agreement.parquet" in have:
        rows += collect_populations.of_proteins(table("adt/nk_agreement.parquet"), table("adt/name_agreement.parquet"))
    if "donors/matches.parquet" in have:
        donors = ("donors/matches", "donors/comparisons", "dynamics/donor_shares")
        rows += of_donors(*(table(f"{name}.parquet") for name in donors))
    for modality in CYTOMETRY:
        cells = {Path(n).stem: p for n, p in have.items() if n.startswith(f"{modality}/samples/")}
        rows += collect_sheets.of_availability(markers_of(cells), modality)
        if f"{modality}/lineages.parquet" in have:
            rows += collect.of_lineages(table(f"{modality}/lineages.parquet"), samples, modality)
        if f"{modality}/lineages.npz" in have:
            with np.load(have[f"{modality}/lineages.npz"], allow_pickle=False) as archive:
                markers, batches = list(map(str, archive["markers"])), list(map(str, archive["batches"]))
                values, batch = archive["values"], archive["batch"]
            rows += collect_sheets.of_values(values, markers, batches, batch=batch, modality=modality)
    return collect.table_of(rows)


def write_warnings(
    *,
    root: str | Path,
    files: Sequence[str | Path],
    baseline: str,
    output: str | Path,
    availability: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Write :func:`collect_warnings` (WARNINGS), and which file measured which marker (AVAILABILITY).

    Raises
    ------
    UserError
        If every sample of every modality was left out.
    """
    summaries = [read_table(f) for f in files if Path(f).name == "summary.parquet"]
    if summaries and all(t["left_out"].all() for t in summaries):
        n, first = sum(map(len, summaries)), summaries[0]["reason"].iloc[0]
        raise UserError("the cohort", "samples", Plain(f"none of {n} that can be used ({first}; …)"), "at least one")
    write_table(collect_warnings(root=root, files=files, baseline=baseline), output, WARNINGS, provenance=provenance)
    parts = []
    for modality in CYTOMETRY:
        place = f"{modality}/samples/"
        parts.append(
            markers_of({Path(f).stem: Path(f) for f in files if str(Path(f).relative_to(root)).startswith(place)})
        )
    write_table(pd.concat(parts, ignore_index=True), availability, AVAILABILITY, provenance=provenance)


def markers_of(files: Mapping[str, Path]) -> pd.DataFrame:
    """AVAILABILITY from the samples' h5ad files; samples without cells are left out."""
    have = {sample: list(map(str, feature_names(path))) for sample, path in files.items() if len(cell_names(path))}
    union = list(dict.fromkeys(m for markers in have.values() for m in markers))
    rows = [(sample, m, m in set(markers)) for sample, markers in have.items() for m in union]
    return AVAILABILITY.check(pd.DataFrame(rows, columns=list(AVAILABILITY.columns)))


def _record(path: Path) -> dict[str, Any]:
    """What the reading of a sample noted: the JSON in ``uns["cimlnk"]`` of its h5ad."""
    import h5py

    with h5py.File(path, "r") as stream:
        record: dict[str, Any] = json.loads(stream["uns"]["cimlnk"][()] if "cimlnk" in stream.get("uns", {}) else b"{}")
    return record


def _hashes(samples: pd.DataFrame, records: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Sample -> sha256 of its raw file, as its h5ad recorded it (by the name that the sheet gives)."""
    found = {}
    for row in samples.to_dict("records"):
        record = records.get(str(row["sample"]), {})
        inputs = record.get("provenance", record).get("inputs", {})
        named = {Path(k).name: v for k, v in inputs.items()}
        for name in (Path(str(row["path"])).name, "matrix.mtx.gz", "matrix.mtx"):  # of a 10x folder its matrix
            if name in named:
                found[str(row["sample"])] = str(named[name])
                break
    return found


def grouped(table: pd.DataFrame) -> pd.DataFrame:
    """One row per kind and subject: how many samples, their names, and one example of the text.

    Returns
    -------
    DataFrame
        severity, modality, stage, kind, subject, n (rows), samples (names joined), text, remedy; order kept.
    """
    if not len(table):
        return pd.DataFrame(
            columns=["severity", "modality", "stage", "kind", "subject", "n", "samples", "text", "remedy"]
        )
    keys = ["severity", "modality", "stage", "kind", "subject"]
    # what concerns patients is one matter, whoever they are
    subject = table["subject"].where(
        ~table["kind"].isin(["baseline missing", "count missing", "count of zero", "same file twice"])
    )
    out = []
    for key, part in table.assign(subject=subject.fillna("")).groupby(keys, sort=False, observed=True):
        who = list(dict.fromkeys([*part["sample"].dropna(), *table.loc[part.index, "subject"].dropna()]))
        names = list(part["sample"].dropna()) or ([] if key[4] else who)
        record = dict(zip(keys, key, strict=True))
        record |= {"n": len(part), "samples": ", ".join(map(str, names)), "text": part["text"].iloc[0]}
        out.append(record | {"remedy": part["remedy"].iloc[0]})
    return pd.DataFrame(out)


def summary_lines(table: pd.DataFrame, most: int = 12, width: int = 150) -> list[str]:
    """The warnings for a console: at most `most` lines of at most `width` letters, the rest counted."""
    groups = grouped(table)
    lines = []
    for row in groups.head(most).to_dict("records"):
        many = f" and {row['n'] - 1} more like it" if row["n"] > 1 else ""
        who = f" {row['samples'].split(', ')[0]}:" if row["samples"] and row["n"] >= 1 else ""
        modality = "" if row["modality"] == "all" else f"{row['modality']}: "
        line = f"  {row['severity']}: {modality}{row['kind']}:{who} {in_text(row['text'])}{many}"
        lines.append(line if len(line) <= width else line[: width - 1] + "…")
    if len(groups) > most:
        lines.append(f"  … and {len(groups) - most} more kinds, see the report's overview")
    return lines


def say_end(warnings: str | Path, site: str | Path) -> str:
    """The last words of a run: its warnings and where the report lies."""
    table = read_table(warnings) if Path(warnings).is_file() else WARNINGS.empty()
    n = {s: int((table["severity"] == s).sum()) for s in ("serious", "caution", "note")}
    lines = [f"cimlnk: warnings: {n['serious']} serious, {n['caution']} to read with care, {n['note']} notes"]
    lines += summary_lines(table[table["severity"] != "note"])
    lines.append(f"cimlnk: finished; open {site}")
    return "\n".join(lines)
