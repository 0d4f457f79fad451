"""What the rule dynamics_tests runs: read tables, test, write tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.tables import TESTS

from .differential import abundance_tests
from .power import power_table
from .scales import compare_scales
from .tables import POWER, SCALES

PathLike = str | Path


def write_tests(
    abundance: PathLike,
    samples: PathLike,
    patients: PathLike,
    *,
    baseline_timepoint: str,
    settings: Mapping[str, Any],
    reference_arm: str | None,
    min_patients: int,
    seed: int,
    tests: PathLike,
    scales: PathLike,
    power: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write TESTS (abundance), SCALES and POWER."""
    table = abundance_tests(
        read_table(abundance),
        read_table(samples),
        read_table(patients),
        baseline=baseline_timepoint,
        formula=settings["formula"],
        reference_arm=reference_arm,
        min_patients=min_patients,
        min_nk_cells=settings["min_nk_cells"],
        seed=seed,
    )
    write_table(table, tests, TESTS, provenance=provenance)
    write_table(compare_scales(table, settings["alpha"]), scales, SCALES, provenance=provenance)
    write_table(power_table(table, settings["power"], settings["alpha"]), power, POWER, provenance=provenance)
