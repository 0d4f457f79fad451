"""What is known of every cell of a modality, as one table in the order of the features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.common.palette import colours, order
from cimlnk.common.tables import read_table
from cimlnk.common.vocabulary import NK
from cimlnk.populations.load import cell_names

SHEET = ("sample", "patient", "day", "timepoint", "arm", "tissue_or_product", "batch")
NOT_SHOWN = ("path", "sha256", "modality")
CALLED = {"lineage_confidence": None, "nk_probability": NK}  # column of a sample's obs -> lineage, None = the record's


def cell_table(
    *,
    cells: str | Path,
    populations: str | Path,
    samples: str | Path,
    lineages: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per cell: sample sheet columns, population, cluster, confidence, and lineage where it was called.

    Parameters
    ----------
    cells
        CELLS, whose order the rows take.
    populations
        POPULATIONS of the same cells in any order.
    samples
        SAMPLES with covariates; ``path``, ``sha256`` and ``modality`` are left out.
    lineages
        Index cell, columns ``lineage`` and ``lineage_confidence``, if there are any.

    Returns
    -------
    pandas.DataFrame
        Index cell id; texts as categories (populations in their fixed order), ``day`` int32, ``confidence`` float32.
    """
    import pyarrow.parquet as pq

    ids = pq.read_table(cells, columns=["cell", "sample"]).to_pandas()
    named = pq.read_table(populations, columns=["cell", "cluster", "population", "confidence"]).to_pandas()
    if len(named) != len(ids) or not (named["cell"].to_numpy() == ids["cell"].to_numpy()).all():
        named = named.set_index("cell").reindex(ids["cell"])
        if named["cluster"].isna().any():
            raise ValueError(f"{int(named['cluster'].isna().sum())} cells have no population")
    sheet = read_table(samples).set_index("sample")
    sample = pd.Categorical(ids["sample"], categories=list(dict.fromkeys(ids["sample"])))
    columns: dict[str, object] = {"sample": sample}
    names = [c for c in SHEET[1:] if c in sheet] + [c for c in sheet if c not in (*SHEET, *NOT_SHOWN)]
    for name in names:
        values = sheet[name].reindex(sample.categories)
        columns[name] = _per_cell(values, sample.codes, name)
    population = named["population"].astype(str).to_numpy()
    columns["population"] = pd.Categorical(population, categories=order(population))
    cluster = named["cluster"].to_numpy().astype(int)
    columns["cluster"] = pd.Categorical(cluster.astype(str), categories=[str(c) for c in sorted(set(cluster))])
    columns["confidence"] = named["confidence"].to_numpy().astype(np.float32)
    table = pd.DataFrame(columns, index=pd.Index(ids["cell"].astype(str).to_numpy(), name=None))
    if lineages is not None:
        called = lineages.reindex(table.index)
        table["lineage"] = pd.Categorical(called["lineage"])
        table["lineage_confidence"] = called["lineage_confidence"].to_numpy(dtype=np.float32)
    return table


def lineage_table(samples: Sequence[str | Path]) -> pd.DataFrame | None:
    """Lineage by which the cells of the samples' files were chosen, and how surely.

    Parameters
    ----------
    samples
        Per-sample h5ad files. Mass and flow cytometry hold ``obs["lineage_confidence"]`` and the target's name in
        ``uns["cimlnk"]``, single-cell RNA ``obs["nk_probability"]``; files gated by hand or by density hold neither.

    Returns
    -------
    pandas.DataFrame or None
        Index cell id, ``lineage`` (missing where none was called) and ``lineage_confidence`` (float32, NaN likewise);
        None if no file has a call.
    """
    import h5py

    parts = []
    for path in samples:
        names = cell_names(path)
        lineage, confidence = None, np.full(len(names), np.nan, np.float32)
        with h5py.File(path, "r") as f:
            column = next((c for c in CALLED if c in f["obs"]), None)
            if column is not None:
                confidence = f["obs"][column][:].astype(np.float32)
                lineage = CALLED[column] or json.loads(f["uns/cimlnk"].asstr()[()])["lineages"]["target"]
        columns = {"lineage": lineage, "lineage_confidence": confidence}
        parts.append(pd.DataFrame(columns, index=names, dtype=object).astype({"lineage_confidence": np.float32}))
    whole = pd.concat(parts) if parts else pd.DataFrame()
    return whole if len(whole) and whole["lineage"].notna().any() else None


def _per_cell(values: pd.Series, codes: np.ndarray, name: str) -> object:
    """A column of the sheet spread over the cells: numbers as numbers, everything else as categories."""
    if name == "day":
        return values.to_numpy(dtype=np.int32)[codes]
    if values.dtype.kind in "biuf":
        return values.to_numpy()[codes]
    distinct = sorted({str(v) for v in values.dropna()})
    place = {v: i for i, v in enumerate(distinct)}
    per_sample = np.array([place[str(v)] if pd.notna(v) else -1 for v in values], dtype=np.int32)
    return pd.Categorical.from_codes(per_sample[codes], categories=distinct)


def colour_entries(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """``<column>_colors`` for every category a map is coloured by, in the order of the categories (scanpy's rule)."""
    entries = {}
    for column in ("population", "arm", "patient", "timepoint", "batch", "cluster", "tissue_or_product", "lineage"):
        if column in table and len(names := list(table[column].cat.categories)):
            shades = colours(names)
            entries[f"{column}_colors"] = np.array([shades[n] for n in names], dtype=object)
    return entries
