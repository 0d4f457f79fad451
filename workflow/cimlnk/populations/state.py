"""Marker state per sample and population: the small table the differential state tests start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import sample_of

from .depth import at_depth, cell_depths, common_depth
from .load import cell_names, columns, feature_names
from .positivity import cuts_of, fraction_positive
from .tables import STATE

ALL = "NK"  # the row of all NK cells of a sample, whatever their subset


def summarise(
    values: np.ndarray,
    features: Sequence[str],
    population: np.ndarray,
    *,
    cut: np.ndarray,
    sample: str,
    positive: np.ndarray | None = None,
) -> pd.DataFrame:
    """STATE rows of one sample: each population and ``NK`` for all cells together.

    Parameters
    ----------
    values
        Cells × features on the analysis scale.
    population
        Name per cell.
    cut
        Threshold per feature; positive is strictly above. NaN gives NaN for the share of positive cells.
    positive
        Cells × features, probability of being positive; instead of `cut` where it is known better (genes).
    """
    groups = [(ALL, np.ones(len(values), dtype=bool))]
    groups += [(p, population == p) for p in sorted(pd.unique(population))]
    rows = []
    for name, mask in groups:
        members = values[mask]
        if len(members):
            rows.append(
                pd.DataFrame(
                    {
                        "sample": sample,
                        "population": name,
                        "feature": list(features),
                        "n_cells": len(members),
                        "median": np.median(members, axis=0),
                        "mean": members.mean(axis=0, dtype=np.float64),
                        "fraction_positive": fraction_positive(members, np.broadcast_to(cut, members.shape))
                        if positive is None
                        else positive[mask].mean(axis=0),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True) if rows else STATE.empty()


def write_state(
    *,
    sample_files: Sequence[str | Path],
    sheet: str,
    populations: str,
    thresholds: str,
    features: Sequence[str] | None,
    state: str,
    provenance: Mapping[str, Any],
) -> None:
    """Summarise every sample by population and write STATE, one sample in memory at a time.

    Genes are summarised at the depth that nine tenths of the cells of every sample reach (:mod:`.depth`); cells below
    are left out. At their own depths a gene would be "higher" wherever sequencing went deeper.

    Parameters
    ----------
    sheet
        SAMPLES, for the batch of every sample.
    features
        Features wanted; those a sample did not measure are absent from its rows. None takes the features of the
        threshold table.
    """
    table = read_table(populations)
    by_sample = dict(tuple(table.groupby("sample", sort=True)))
    cuts = read_table(thresholds)
    wanted = list(dict.fromkeys(cuts["feature"])) if features is None else list(features)
    of_genes = features is not None
    files = [p for p in sorted(map(str, sample_files)) if len(cell_names(p))]
    depth = common_depth([cell_depths(p) for p in files]) if of_genes else np.nan
    batch = read_table(sheet).set_index("sample")["batch"].astype(str)
    parts = []
    for path in files:
        names = cell_names(path)
        measured = set(feature_names(path))
        present = [f for f in wanted if f in measured]
        rows = by_sample[sample_of(names[0])].set_index("cell")["population"].reindex(names)
        sample = sample_of(names[0])
        if not of_genes:
            cut = cuts_of(cuts, present, str(batch[sample]))
            parts.append(summarise(columns(path, present), present, rows.to_numpy(), cut=cut, sample=sample))
            continue
        depths = cell_depths(path)
        deep = np.flatnonzero(depths >= depth)
        values, positive = at_depth(columns(path, present, "counts")[deep], depths[deep], depth)
        none = np.full(len(present), np.nan)
        parts.append(summarise(values, present, rows.to_numpy()[deep], cut=none, sample=sample, positive=positive))
    result = pd.concat(parts, ignore_index=True) if parts else STATE.empty()
    write_table(
        result.sort_values(["sample", "population", "feature"], kind="stable"), state, STATE, provenance=provenance
    )
