"""What the rules of this stage run: read tables, call one pure function each, write tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table

from .folds import make_folds
from .shares import make_abundance
from .tables import ABUNDANCE, FOLDS

PathLike = str | Path


def _cells(path: PathLike) -> pd.DataFrame:
    """POPULATIONS without the cell ids: millions of strings that nothing here asks for."""
    return pd.read_parquet(path, columns=["sample", "population", "confidence"])


def write_abundance(
    populations: Sequence[PathLike],
    summaries: Sequence[PathLike],
    modalities: Sequence[str],
    *,
    samples: PathLike,
    counts: PathLike,
    patients: PathLike,
    baseline_timepoint: str,
    uncertainty: Mapping[str, float],
    few_cells: Mapping[str, int],
    abundance: PathLike,
    folds: PathLike,
    provenance: Mapping[str, Any],
    rna_suspension: str = "auto",
) -> None:
    """Write ABUNDANCE and FOLDS; `populations` and `summaries` are in the order of `modalities`."""
    table = make_abundance(
        dict(zip(modalities, map(_cells, populations), strict=True)),
        dict(zip(modalities, map(read_table, summaries), strict=True)),
        read_table(samples),
        counts=read_table(counts),
        patients=read_table(patients),
        uncertainty=uncertainty,
        few_cells=few_cells,
        rna_suspension=rna_suspension,
    )
    write_table(table, abundance, ABUNDANCE, provenance=provenance)
    made = make_folds(table, baseline_timepoint, min_baseline=few_cells["min_baseline"])
    write_table(made, folds, FOLDS, provenance=provenance)
