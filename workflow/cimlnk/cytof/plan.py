"""Which preparation steps a cohort asks for, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError

from .prepare import acquisitions
from .steps import FILE_STEPS


@dataclass(frozen=True)
class Preparation:
    """The preparation of a cohort's mass-cytometry files.

    Attributes
    ----------
    acquisitions
        Files as acquired: name -> path. One per sample, or one per pool of barcoded samples.
    acquisition_of
        Sample -> name of its acquisition.
    steps
        The file steps that are switched on, in order.
    baseline
        Acquisitions whose beads are the baseline; empty if every file is normalised to its own mean.
    training
        Samples the alignment is fitted on; empty if alignment is off.
    """

    acquisitions: dict[str, str]
    acquisition_of: dict[str, str]
    steps: tuple[str, ...]
    baseline: tuple[str, ...]
    training: tuple[str, ...]

    def folder_before(self, step: str | None) -> str | None:
        """Folder with the files a step reads (None: after all steps); None if that are the raw ones."""
        order = list(FILE_STEPS)
        last = len(order) if step is None else order.index(step)
        done = [s for s in self.steps if order.index(s) < last]
        return FILE_STEPS[done[-1]] if done else None

    def samples_in(self, acquisition: str) -> list[str]:
        """Samples of the sheet in an acquisition."""
        return [s for s, a in self.acquisition_of.items() if a == acquisition]

    def shown(self) -> list[str]:
        """Results that tell what the switched-on steps did (figures and their numbers), below the cohort's folder."""
        files = []
        for step in self.steps:
            folder = f"cytof/{FILE_STEPS[step]}"
            if step == "spillover":
                files += ["cytof/spillover.svg", "cytof/spillover.csv"]
            names = self.acquisition_of if step == "spillover" else self.acquisitions
            numbers = "yields.parquet" if step == "debarcoding" else "json"
            files += [f"{folder}/{name}.{ending}" for name in names for ending in ("svg", numbers)]
        if self.training:
            files += [f"cytof/alignment/distances.{ending}" for ending in ("svg", "parquet")]
        return files


def plan_preparation(samples: pd.DataFrame, settings: Mapping[str, Any]) -> Preparation:
    """Work out and check the preparation of a cohort; reads no data file.

    Parameters
    ----------
    samples
        The sheet's mass-cytometry samples (index sample; path, batch, covariates).
    settings
        The section `cytof` of the config.

    Raises
    ------
    UserError
        For a switched-on step whose files are not named, an unknown reference, pools with one name, or an alignment
        that the design does not identify; all mistakes together.
    """
    steps = tuple(s for s in FILE_STEPS if settings[s]["enabled"])
    problems = Problems()
    where = "config"
    names = acquisitions(samples, "debarcoding" in steps)
    by_path = {path: name for name, path in names.items()}
    pooled = "debarcoding" in steps
    owner = {str(s): by_path[str(p)] if pooled else str(s) for s, p in samples["path"].items()}
    baseline: tuple[str, ...] = ()
    beads = settings["bead_normalisation"]
    if "bead_normalisation" in steps and beads["baseline"] == "cohort":
        baseline = tuple(names)
    elif "bead_normalisation" in steps and beads["baseline"] == "reference":
        if beads["reference"] in names:
            baseline = (beads["reference"],)
        else:
            what = "a pooled file's name without ending" if pooled else "a mass-cytometry sample of the sheet"
            problems.add(where, "cytof.bead_normalisation.reference", beads["reference"], what, names)
    if pooled and not settings["debarcoding"]["key"]:
        problems.add(where, "cytof.debarcoding.key", "", "the path of the key sheet")
    spill = settings["spillover"]
    if "spillover" in steps:
        given = [k for k in ("single_stains", "matrix") if spill[k]]
        if len(given) != 1:
            found = Plain(" and ".join(given) or "neither single_stains nor matrix")
            problems.add(where, "cytof.spillover", found, "one of single_stains and matrix")
        if spill["single_stains"] and len(spill["stained_masses"]) < 2:
            problems.add(where, "cytof.spillover.stained_masses", spill["stained_masses"], "the masses of the stains")
    training: list[str] = []
    if settings["alignment"]["enabled"]:
        from .alignment.files import training_samples

        try:
            training, _ = training_samples(samples, settings["alignment"])
        except UserError as error:
            problems.extend(error)
    problems.raise_if_any()
    return Preparation(names, owner, steps, baseline, tuple(training))
