"""Place cells of new samples on a finished clustering of mass cytometry, and write the widened tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.sheets import Cohort
from cimlnk.cohort.tables import COUNTS, PATIENTS, SAMPLES
from cimlnk.common.errors import Plain, UserError
from cimlnk.common.provenance import provenance
from cimlnk.common.tables import Schema, read_table, write_table
from cimlnk.cytof.features import summary_table
from cimlnk.cytof.h5ad import iterate_x, read_names, read_record
from cimlnk.cytof.tables import CELLS, SUMMARY
from cimlnk.dynamics.abundance.run import write_abundance
from cimlnk.graph.sketching import extend
from cimlnk.graph.tables import CLUSTERS
from cimlnk.populations.tables import POPULATIONS

# Of a sample's cells beyond the 99th percentile of the known ones' distances; 1 % by construction where nothing is new.
STRANGE_SHARE = 0.10
ADDED = Schema(
    "added",
    {
        "sample": ("str", "new sample"),
        "population": ("str", "named subset"),
        "n_cells": ("int", "cells placed in it"),
        "n_nk": ("int", "NK cells of the sample"),
        "fraction": ("float", "n_cells / n_nk"),
        "confidence": ("float", "mean confidence of the cells placed in it"),
        "strange": ("float", "share of the sample's cells unusually far from every known cell"),
    },
)


def place(
    earlier: Path, files: Mapping[str, Path], cohort: Cohort, *, cfg: Mapping[str, Any], out: Path, seed: int
) -> pd.DataFrame:
    """Label the cells of `files` by the clusters of `earlier`, and write both together below `out`.

    ``cytof/{cells,clusters,populations,summary}.parquet``, ``dynamics/{abundance,folds}.parquet`` and the sheets hold
    the earlier rows as they were and the new ones behind them; ``cytof/added.parquet`` is ADDED, returned too. A new
    cell's population is the one its cluster has in the earlier run. A sample without NK cells is left out and stands in
    the summary with the reason.

    Raises
    ------
    UserError
        If no new sample has an NK cell, or one lacks a marker of the clustering.
    """
    about = json.loads((earlier / "cytof/features.json").read_text(encoding="utf-8"))
    known = np.load(earlier / "cytof/features.npy", mmap_mode="r")
    clusters = read_table(earlier / "cytof/clusters.parquet", CLUSTERS)
    populations = read_table(earlier / "cytof/populations.parquet", POPULATIONS)
    parts, unusable = [], []
    for sample, path in files.items():
        if not read_names(path)[0]:
            unusable.append(f"{sample}: {read_record(path).get('reason') or 'no NK cells'}")
            continue
        ids, values = new_features(path, sample, about)
        labels = clusters["cluster"].to_numpy(np.int32)
        sure = clusters["confidence"].to_numpy(np.float32)
        found = extend(np.asarray(known), labels, values, confidence=sure, seed=seed)
        parts.append(pd.DataFrame({"cell": ids, "sample": sample, "cluster": found.labels,
                                   "confidence": found.confidence, "strangeness": found.strangeness}))  # fmt: skip
    if not parts:
        raise UserError("new samples", "NK cells", Plain("; ".join(unusable)), "a sample with NK cells")
    new = pd.concat(parts, ignore_index=True)
    new["population"] = new["cluster"].map(commonest(populations))
    record = provenance("add", {"earlier": earlier.name, "samples": list(files)}, [])
    records = [read_record(p) for p in files.values()]
    old_summary = read_table(earlier / "cytof/summary.parquet", SUMMARY)
    tables = [
        ("cells", CELLS, read_table(earlier / "cytof/cells.parquet"), new),
        ("clusters", CLUSTERS, clusters, new),
        ("populations", POPULATIONS, populations, new),
        ("summary", SUMMARY, old_summary, summary_table(list(files), records)),
    ]
    for name, schema, old, more in tables:
        both = pd.concat([old, more[list(schema.columns)]], ignore_index=True)
        write_table(both, out / f"cytof/{name}.parquet", schema, provenance=record)
    sheets = (("samples", SAMPLES), ("counts", COUNTS), ("patients", PATIENTS))
    for name, schema in sheets:
        write_table(getattr(cohort, name), out / f"cohort/{name}.parquet", schema, provenance=record)
    write_abundance(
        populations=[out / "cytof/populations.parquet"],
        summaries=[out / "cytof/summary.parquet"],
        modalities=["cytof"],
        samples=out / "cohort/samples.parquet",
        counts=out / "cohort/counts.parquet",
        patients=out / "cohort/patients.parquet",
        baseline_timepoint=cfg["dynamics"]["baseline_timepoint"],
        uncertainty=cfg["dynamics"]["uncertainty"],
        few_cells=cfg["dynamics"]["few_cells"],
        abundance=out / "dynamics/abundance.parquet",
        folds=out / "dynamics/folds.parquet",
        provenance=record,
    )
    table = added(new)
    write_table(table, out / "cytof/added.parquet", ADDED, provenance=record)
    return table


def new_features(path: Path, sample: str, about: Mapping[str, Any]) -> tuple[list[str], NDArray[np.float32]]:
    """Cell ids and features of a new sample, cut and scaled as those of the earlier run were."""
    ids, var = read_names(path)
    lacking = [m for m in about["features"] if m not in var.index]
    if lacking:
        expected = (
            f"all {len(about['features'])} markers the cells were clustered by: put it into the sheet and run it anew"
        )
        raise UserError(sample, "markers", Plain(f"no {', '.join(lacking)}"), expected)
    low, high, centre, spread = (np.asarray(about[k], np.float32) for k in ("low", "high", "centre", "spread"))
    values = np.vstack(list(iterate_x(path, about["features"])))
    return ids, ((np.clip(values, low, high) - centre) / spread).astype(np.float32)


def commonest(populations: pd.DataFrame) -> pd.Series:
    """Cluster -> the population most of its cells bear (all of them, unless a row of overrides split it)."""
    counts = populations.groupby(["cluster", "population"], observed=True).size().rename("n").reset_index()
    best = counts.sort_values(["n", "population"], ascending=[False, True], kind="stable").drop_duplicates("cluster")
    return best.set_index("cluster")["population"]


def added(new: pd.DataFrame) -> pd.DataFrame:
    """ADDED from the placed cells."""
    table = new.groupby(["sample", "population"], sort=True, observed=True).agg(
        n_cells=("cell", "size"), confidence=("confidence", "mean")
    )
    table = table.reset_index()
    table["n_nk"] = table["sample"].map(new.groupby("sample").size())
    table["fraction"] = table["n_cells"] / table["n_nk"]
    table["strange"] = table["sample"].map((new["strangeness"] > 1).groupby(new["sample"]).mean())
    return ADDED.check(table)
