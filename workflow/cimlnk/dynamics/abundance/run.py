"""What the rules of this stage run: read tables, call one pure function each, write tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.kinetics.summary import make_kinetics
from cimlnk.dynamics.kinetics.tables import CURVES, KINETICS
from cimlnk.dynamics.tables import DIVERSITY, TESTS

from .differential import abundance_tests
from .diversity import make_diversity
from .folds import make_folds
from .power import power_table
from .scales import compare_scales
from .shares import make_abundance
from .tables import ABUNDANCE, FOLDS, POWER, SCALES

PathLike = str | Path


def _cells(path: PathLike) -> pd.DataFrame:
    """POPULATIONS without the cell ids: millions of strings that nothing here asks for."""
    return pd.read_parquet(path, columns=["sample", "population", "confidence"])


def write_abundance(
    populations: Sequence[PathLike],
    summaries: Sequence[PathLike],
    modalities: Sequence[str],
    samples: PathLike,
    counts: PathLike,
    patients: PathLike,
    baseline_timepoint: str,
    uncertainty: Mapping[str, float],
    abundance: PathLike,
    folds: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write ABUNDANCE and FOLDS; `populations` and `summaries` are in the order of `modalities`."""
    table = make_abundance(
        dict(zip(modalities, map(_cells, populations), strict=True)),
        dict(zip(modalities, map(read_table, summaries), strict=True)),
        read_table(samples),
        read_table(counts),
        read_table(patients),
        uncertainty,
    )
    write_table(table, abundance, ABUNDANCE, provenance)
    write_table(make_folds(table, baseline_timepoint), folds, FOLDS, provenance)


def write_kinetics(
    abundance: PathLike,
    folds: PathLike,
    counts: PathLike,
    baseline_timepoint: str,
    settings: Mapping[str, Any],
    seed: int,
    kinetics: PathLike,
    curves: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write KINETICS and CURVES."""
    tables = [read_table(path) for path in (abundance, folds, counts)]
    summary, lines = make_kinetics(tables[0], tables[1], tables[2], baseline_timepoint, settings, seed)
    write_table(summary, kinetics, KINETICS, provenance)
    write_table(lines, curves, CURVES, provenance)


def write_tests(
    abundance: PathLike,
    samples: PathLike,
    patients: PathLike,
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
    write_table(table, tests, TESTS, provenance)
    write_table(compare_scales(table, settings["alpha"]), scales, SCALES, provenance)
    write_table(power_table(table, settings["power"], settings["alpha"]), power, POWER, provenance)


def write_diversity(
    abundance: PathLike, settings: Mapping[str, Any], seed: int, diversity: PathLike, provenance: Mapping[str, Any]
) -> None:
    """Write DIVERSITY."""
    table = make_diversity(read_table(abundance), settings["min_cells"], settings["draws"], seed)
    write_table(table, diversity, DIVERSITY, provenance)
