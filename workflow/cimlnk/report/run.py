"""The tables of one run, by their place below the results folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cimlnk.common.tables import read_provenance, read_table
from cimlnk.common.vocabulary import MODALITIES, SAMPLE_KEYS

KEYS = [*SAMPLE_KEYS, "batch"]


class Run:
    """Access to the tables that the report rule was given.

    Parameters
    ----------
    root
        ``results/<cohort id>``.
    files
        Files the rule declared as input; others are not read, so that the report never depends on leftovers.
    config
        The resolved config.
    """

    def __init__(self, root: str | Path, files: Iterable[str | Path], config: Mapping[str, Any]) -> None:
        self.root = Path(root)
        self.files = {str(Path(f).relative_to(self.root)): Path(f) for f in files if _below(f, self.root)}
        self.config = config
        self._tables: dict[str, pd.DataFrame] = {}  # every page asks for the same few

    @property
    def baseline(self) -> str:
        """The time point that is the baseline."""
        return str(self.config["dynamics"]["baseline_timepoint"])

    def has(self, name: str) -> bool:
        return name in self.files

    def named(self, start: str, end: str) -> list[str]:
        """Names of the files that lie in the folder `start` (not deeper) and end in `end`, sorted."""
        return sorted(n for n in self.files if n.startswith(start) and n.endswith(end) and "/" not in n[len(start) :])

    def table(self, name: str) -> pd.DataFrame:
        """The table, or an empty frame if this run does not make it."""
        if name not in self.files:
            return pd.DataFrame()
        if name not in self._tables:
            self._tables[name] = read_table(self.files[name])
        return self._tables[name].copy(deep=False)

    def json(self, name: str) -> dict[str, Any]:
        """The JSON file, or an empty dict."""
        return json.loads(self.files[name].read_text(encoding="utf-8")) if name in self.files else {}

    def provenance(self, name: str) -> dict[str, Any]:
        return read_provenance(self.files[name]) if name in self.files else {}

    @property
    def modalities(self) -> list[str]:
        return [m for m in MODALITIES if self.has(f"{m}/populations.parquet")]

    @property
    def samples(self) -> pd.DataFrame:
        return self.table("cohort/samples.parquet")

    def rows(self, name: str) -> int:
        """How many rows a table has; 0 if this run does not make it."""
        return pq.ParquetFile(self.files[name]).metadata.num_rows if name in self.files else 0

    def cells(self, modality: str, most: int | None = None) -> pd.DataFrame:
        """One row per cell: map position, population, confidence, and the sample's patient, day and arm.

        Parameters
        ----------
        modality
            Kind of data.
        most
            Cells, evenly spaced over the table, so that every sample keeps its share; all by default. Memory goes with
            these, not with the cells there are.
        """
        named, umap = (pq.read_table(self.files[f"{modality}/{n}.parquet"]) for n in ("populations", "umap"))
        if not named["cell"].equals(umap["cell"]):
            table = named.to_pandas().merge(umap.to_pandas(), on="cell")
            table = table.iloc[_evenly(len(table), most)]
        else:
            for column in ("umap1", "umap2"):
                named = named.append_column(column, umap[column])
            table = named.take(_evenly(len(named), most)).to_pandas()
        return table.merge(self.samples[KEYS], on="sample")

    def populations_of(self, modality: str) -> list[str]:
        """Names of the populations of a kind of data, in the order of their first cells."""
        column = pq.read_table(self.files[f"{modality}/populations.parquet"], columns=["population"])["population"]
        return [str(p) for p in column.unique().to_pylist()]

    def gates(self, modality: str) -> pd.DataFrame:
        """Gate tables of all samples."""
        name = f"{modality}/gates"  # a folder, which no table is named like
        if name not in self._tables:
            parts = [read_table(self.files[n]) for n in self.named(f"{name}/", ".parquet")]
            parts = [p for p in parts if len(p)]
            self._tables[name] = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        return self._tables[name].copy(deep=False)


def _evenly(n: int, most: int | None) -> NDArray[np.int64]:
    """At most `most` of `n` rows, evenly spaced."""
    return np.arange(n) if most is None or n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def _below(file: str | Path, root: Path) -> bool:
    return Path(file).is_relative_to(root)
