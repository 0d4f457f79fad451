"""The validated sheets as tables, and the design's verdict beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.errors import without_secrets
from cimlnk.common.job import keep_going
from cimlnk.common.provenance import told_apart, without_places
from cimlnk.common.tables import write_table

from .design import confounding
from .files import check_files, same_files
from .sheets import Cohort, load_cohort
from .tables import COUNTS, FUNCTIONAL, PANELS, PATIENTS, SAMPLES


def sheet_settings(cfg: Mapping[str, Any], leaves_out: bool = False) -> dict[str, Any]:
    """The part of a config the sheets are checked with: a change of anything else leaves the tables as they are.

    The override sheet is a part of it only where it leaves out samples (`leaves_out`): names change no sheet.
    """
    about = ("title", "download_timeout", "download_retries", "download_most_gb")
    return {
        "cohort": {key: value for key, value in cfg["cohort"].items() if key not in about}
        | {"overrides": cfg["cohort"]["overrides"] if leaves_out else None},
        "simulate": None if cfg["simulate"] is None else {},
        "cytof": {
            "nk_identity": cfg["cytof"]["nk_identity"],
            "debarcoding": {"enabled": cfg["cytof"]["debarcoding"]["enabled"]},
        },
        "rna": {"antibodies": cfg["rna"]["antibodies"]},
        "flow": {"nk_identity": cfg["flow"]["nk_identity"], "panel": cfg["flow"]["panel"]},
        "dynamics": {"baseline_timepoint": cfg["dynamics"]["baseline_timepoint"]},
    }


def placeless_samples(cohort: Cohort) -> pd.DataFrame:
    """SAMPLES with `path` as in the sheet, an absolute one without the folders that tell no files apart."""
    places = cohort.samples["sample"].map(cohort.sources).map(without_secrets)
    return cohort.samples.assign(path=told_apart(places.tolist()))


def save_cohort(
    cfg: Mapping[str, Any],
    base: str | Path,
    samples: str | Path,
    *,
    counts: str | Path,
    patients: str | Path,
    design: str | Path,
    functional: str | Path,
    panel: str | Path,
    check_fcs: Callable[[Path, pd.DataFrame], object],
    provenance: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write SAMPLES, COUNTS, PATIENTS, FUNCTIONAL, PANELS (Parquet) and the design (JSON) of a cohort.

    Parameters
    ----------
    cfg
        A config from :func:`cimlnk.cohort.config.resolve`, or its part from :func:`sheet_settings`.
    base
        Folder to which the sheets' paths refer.
    samples, counts, patients, design, functional, panel
        Files to write. `path` in SAMPLES is as in the sheet, an absolute one without the folders
        that are uninformative apart, so that the table does not depend on where the data lie.
    check_fcs
        Looks up a panel in an FCS file, see :func:`cimlnk.cohort.files.check_files`.
    provenance
        Stored in every table.

    Returns
    -------
    list of str
        Warnings, which are in ``design.json`` too. Problems of files are among the returned ones when Snakemake runs
        with ``--keep-going`` (the sample's own rule then leaves it out and says why).

    Raises
    ------
    UserErrors
        Problems of the sheets, and (without ``--keep-going``) of the files that are there.
    """
    cohort = load_cohort(cfg, base)
    problems = check_files(cohort, check_fcs)
    if not keep_going():
        problems.raise_if_any()
    write_table(placeless_samples(cohort), samples, SAMPLES, provenance=provenance)
    write_table(cohort.counts, counts, COUNTS, provenance=provenance)
    write_table(cohort.patients, patients, PATIENTS, provenance=provenance)
    write_table(cohort.functional, functional, FUNCTIONAL, provenance=provenance)
    panels = [
        sheet.assign(modality=modality)
        for modality, sheet in (("cytof", cohort.panel), ("flow", cohort.flow_panel))
        if (cohort.samples["modality"] == modality).any()
    ]
    write_table(pd.concat(panels) if panels else PANELS.empty(), panel, PANELS, provenance=provenance)
    given = cohort.samples[cohort.samples["sample"].isin(cohort.given)]
    warnings = [*cohort.warnings, *same_files(dict(zip(given["sample"], given["path"], strict=True)))]
    paths = [*cohort.samples["path"], *(v for v in cfg["cohort"].values() if isinstance(v, str))]
    warnings = [without_places(w, paths) for w in warnings]
    record = {"modalities": confounding(cohort.samples), "warnings": warnings}
    Path(design).write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
    return [*warnings, *map(str, problems.errors)]
