"""What the rule dynamics_kinetics runs: read tables, fit, write tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.tables import read_table, write_table

from .summary import make_kinetics
from .tables import CURVES, KINETICS

PathLike = str | Path


def write_kinetics(
    abundance: PathLike,
    folds: PathLike,
    counts: PathLike,
    *,
    baseline_timepoint: str,
    settings: Mapping[str, Any],
    seed: int,
    kinetics: PathLike,
    curves: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write KINETICS and CURVES."""
    tables = [read_table(path) for path in (abundance, folds, counts)]
    summary, lines = make_kinetics(
        tables[0], tables[1], tables[2], baseline_timepoint=baseline_timepoint, settings=settings, seed=seed
    )
    write_table(summary, kinetics, KINETICS, provenance=provenance)
    write_table(lines, curves, CURVES, provenance=provenance)
