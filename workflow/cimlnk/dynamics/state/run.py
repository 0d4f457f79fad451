"""What the rule dynamics_state runs: read, call the pure function, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import CYTOMETRY
from cimlnk.dynamics.tables import TESTS

from .differential import state_tests

PathLike = str | Path
UNITS = {"cytof": "arcsinh", "flow": "arcsinh", "rna": "log1p"}


def write_state_tests(
    *,
    states: Sequence[PathLike],
    modalities: Sequence[str],
    samples: PathLike,
    settings: Mapping[str, Any],
    seed: int,
    tests: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write TESTS of the marker (cytof) and gene (rna) state of every population.

    The median of a gene is 0 in most subsets (few molecules per cell), so genes are tested by mean and fraction.

    Parameters
    ----------
    states
        STATE files in the order of `modalities`.
    settings
        Config ``dynamics.state`` and ``baselines``, the cohort's baseline and further ones.
    """
    table = read_table(samples)
    parts = []
    for modality, path in zip(modalities, states, strict=True):
        measures = settings["measures"] if modality in CYTOMETRY else ["mean", "fraction_positive"]
        parts.append(
            state_tests(
                read_table(path),
                table,
                modality=modality,
                baselines=settings["baselines"],
                reference_arm=settings["reference_arm"],
                measures=measures,
                min_cells=settings["min_cells"],
                min_patients=settings["min_patients"],
                seed=seed,
                effect_unit={"median": UNITS[modality], "mean": UNITS[modality]},
            )
        )
    write_table(pd.concat(parts, ignore_index=True) if parts else TESTS.empty(), tests, TESTS, provenance=provenance)
