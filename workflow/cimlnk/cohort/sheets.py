"""The cohort's sheets: read, checked against each other and the config, all problems reported together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems
from cimlnk.common.home import locate

from .alike import alike_names
from .antibodies import check_antibodies, hashtagged, read_antibody_sheet
from .checks import (
    check_baselines,
    check_counts,
    check_functional,
    check_patients,
    check_samples,
)
from .overrides import Override, excluded_samples, read_overrides
from .panel import check_panel, rename_markers
from .places import Download, place_files
from .read import LINE
from .rows import read_rows
from .tables import COUNTS, FUNCTIONAL, PANEL, PATIENTS, SAMPLES


@dataclass
class Cohort:
    """The validated sheets.

    Attributes
    ----------
    samples
        SAMPLES, one row per file, in the sheet's order; but `path` is where the file lies (or will lie) on this
        machine, as a rule's input: relative to the working directory for simulated and downloaded files.
    counts, patients
        COUNTS sorted by patient and day (no rows without a counts sheet) and PATIENTS sorted by patient (made from the
        samples without a patients sheet).
    panel
        PANEL in the sheet's order (no rows without a panel).
    flow_panel
        The same of the flow files: the panel, unless `flow.panel` is given.
    sources
        Sample -> path or URL as the sheet gives it.
    given
        Samples whose file is the user's, not one that a rule simulates or downloads.
    downloads
        File name below ``data/<cohort id>/download/`` -> what is fetched there.
    warnings
        What is allowed but costs something, one sentence each: samples without counts, patients without baseline.
    overrides
        Rows of the override sheet, in its order; samples it excludes are in none of the tables.
    antibodies
        Sample -> what the antibody sheet gives it (counts, empty, hashtags, hashtag, hashtag_column), paths as rules
        read them.
    """

    samples: pd.DataFrame
    counts: pd.DataFrame
    patients: pd.DataFrame
    panel: pd.DataFrame
    sources: dict[str, str]
    given: frozenset[str]
    downloads: dict[str, Download]
    warnings: list[str] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    functional: pd.DataFrame = field(default_factory=FUNCTIONAL.empty)
    antibodies: dict[str, dict[str, str]] = field(default_factory=dict)
    flow_panel: pd.DataFrame = field(default_factory=PANEL.empty)


def load_cohort(cfg: Mapping[str, Any], base: str | Path) -> Cohort:
    """Read and cross-check all sheets a resolved config names.

    Parameters
    ----------
    cfg
        A config from :func:`cimlnk.cohort.config.resolve`.
    base
        Folder to which the sheets' paths (and, without ``cohort.data_root``, the files' paths) refer; sheets that are
        not there are looked for among the shipped ones.

    Raises
    ------
    UserErrors
        All problems of all sheets together.
    """
    base = Path(base)
    settings, settings_of_flow = cfg["cohort"], cfg["flow"]
    problems = Problems()
    warnings: list[str] = []
    read = {
        kind: None
        if settings[kind] is None
        else read_rows(locate(settings[kind], base), kind, settings[kind], problems=problems)
        for kind in ("samples", "counts", "patients", "panel", "functional")
    }
    samples, counts, patients, panel = read["samples"], read["counts"], read["patients"], read["panel"]
    overrides = read_overrides(cfg, base, problems)
    antibodies = read_antibody_sheet(cfg, base, problems)
    given_antibodies: dict[str, dict[str, str]] = {}
    if samples is not None:
        samples = _without(samples, overrides, settings["overrides"], problems=problems)
    places: dict[str, str] = {}
    given: frozenset[str] = frozenset()
    downloads: dict[str, Download] = {}
    if samples is not None:
        check_samples(samples, cfg, problems)
        warnings += alike_names(samples, settings["samples"])
        check_baselines(samples, cfg, problems, warnings=warnings, counts=counts)
        places, given, downloads = place_files(samples, cfg, base, problems=problems, shared=hashtagged(antibodies))
        if antibodies is not None:
            given_antibodies = check_antibodies(antibodies, samples, cfg, base=base, problems=problems)
    if patients is not None:
        check_patients(patients, samples, cfg, problems=problems, warnings=warnings)
    if counts is not None:
        check_counts(counts, samples, patients, cfg=cfg, problems=problems, warnings=warnings)
    modalities = set() if samples is None else set(samples["modality"])
    flow = "flow" in modalities
    own = settings_of_flow["panel"] if flow else None
    flow_panel = read_rows(locate(own, base), "panel", own, problems=problems) if own is not None else panel
    if not flow or "cytof" in modalities:
        check_panel(panel, samples, cfg, problems=problems)
    if flow:
        check_panel(flow_panel, samples, cfg, problems=problems, modality="flow")
    if modalities and "rna" not in modalities:
        sheets = [rename_markers(p) for p in (panel, flow_panel) if p is not None]
        of_panels = {m for p in sheets for m in p.loc[p["role"] != "ignore", "marker"] if m is not None}
        _check_markers(overrides, of_panels, settings["overrides"], problems=problems)
    if read["functional"] is not None:
        check_functional(read["functional"], samples, cfg, problems=problems)
    problems.raise_if_any()
    assert samples is not None
    sources = dict(zip(samples["sample"], samples["path"], strict=True))
    local = samples.drop(columns=LINE).assign(path=samples["sample"].map(places))
    return Cohort(
        samples=SAMPLES.check(local),
        counts=_table(counts, COUNTS).sort_values(["patient", "day"], ignore_index=True),
        patients=_table(patients if patients is not None else _patients_of(samples), PATIENTS).sort_values(
            "patient", ignore_index=True
        ),
        panel=rename_markers(_table(panel, PANEL)),
        flow_panel=rename_markers(_table(flow_panel, PANEL)),
        functional=_table(read["functional"], FUNCTIONAL),
        sources=sources,
        given=given,
        downloads=downloads,
        warnings=warnings,
        overrides=overrides,
        antibodies=given_antibodies,
    )


def _without(samples: pd.DataFrame, overrides: list[Override], file: str, *, problems: Problems) -> pd.DataFrame:
    """The sample sheet without the samples that the override sheet takes out."""
    known = [s for s in samples["sample"] if s is not None]
    for o in overrides:
        if o["what"] == "sample" and o["key"] not in known:
            problems.add(file, f"row {o['row']}, column key", o["key"], "a sample of the sample sheet", known)
    batches = [b for b in samples["batch"].unique() if b is not None]
    for o in overrides:
        if o["what"] == "threshold" and o["key"] not in {"all", *known, *batches}:
            expected = "all, a batch or a sample of the sample sheet"
            problems.add(file, f"row {o['row']}, column key", o["key"], expected, [*batches, *known])
    left = samples[~samples["sample"].isin(excluded_samples(overrides))].reset_index(drop=True)
    if left.empty and len(samples):
        problems.add(file, "column action", Plain("every sample excluded"), "at least one sample that is kept")
    return left


def _check_markers(overrides: list[Override], markers: set[str], file: str, *, problems: Problems) -> None:
    """Thresholds and splits are by markers of a panel; with RNA it is the data that tell (genes, antibodies)."""
    for o in overrides:
        if o["marker"] is not None and o["marker"] not in markers:
            where = f"row {o['row']}, column marker"
            problems.add(file, where, o["marker"], "a marker of the panel sheet", sorted(markers))


def _table(rows: pd.DataFrame | None, schema: Any) -> pd.DataFrame:
    return schema.empty() if rows is None else schema.check(rows.drop(columns=LINE, errors="ignore"))


def _patients_of(samples: pd.DataFrame) -> pd.DataFrame:
    """PATIENTS from the sample sheet alone: the arm is known, the rest is not."""
    table = samples[["patient", "arm"]].drop_duplicates("patient")
    for column, (kind, _) in PATIENTS.columns.items():
        if column not in table.columns:
            table[column] = float("nan") if kind == "float" else None
    return table
