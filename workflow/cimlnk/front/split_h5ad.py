"""One h5ad with several samples: which columns of obs tell them apart, and a file of raw counts for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError
from cimlnk.rna.counts import not_counts
from cimlnk.rna.read_h5 import read_obs

# Columns of obs, best first: of samples, and of persons (whose samples a second column may tell apart).
SAMPLE_COLUMNS = ("sample", "sample_id", "sampleid", "orig.ident", "library", "library_id", "gem_id")
PERSON_COLUMNS = ("donor", "donor_id", "patient", "patient_id", "individual", "subject", "subject_id")
TIME_COLUMNS = ("timepoint", "time_point", "day", "visit", "time", "condition", "stim", "stimulation")
MOST_SAMPLES = 500
LOOKED_AT = 1_000  # rows whose values tell whether a matrix holds counts


@dataclass
class Parts:
    """The samples within one h5ad.

    Attributes
    ----------
    path
        The file.
    columns
        The columns of obs that tell the samples apart.
    rows
        Sample -> its rows, ascending.
    barcodes
        obs_names of all rows.
    about
        Sample × those columns of obs that are the same for all cells of every sample.
    without
        Cells of no sample.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[str, NDArray[np.int64]]
    barcodes: NDArray[np.object_]
    about: pd.DataFrame
    without: int


def samples_within(path: Path) -> Parts | None:
    """The samples of an h5ad, None if it holds one (or nothing in obs tells them).

    A column of samples (``sample``, ``orig.ident``, ``library``, …) goes before one of persons (``donor``,
    ``patient``, …); where persons were sampled more than once, a column of time points is joined to it.
    """
    obs = read_obs(path)
    named = {str(c).lower(): str(c) for c in obs.columns}
    several = {k: c for k, c in named.items() if 1 < obs[c].nunique() <= MOST_SAMPLES}
    columns = [several[k] for k in SAMPLE_COLUMNS if k in several][:1]
    if not columns:
        columns = [several[k] for k in PERSON_COLUMNS if k in several][:1]
        columns += [several[k] for k in TIME_COLUMNS if k in several][:1]
    if not columns:
        return None
    keys = obs[columns].astype("object")
    known = keys.notna().all(axis=1).to_numpy()
    names = keys.astype(str).agg("_".join, axis=1).map(_name).to_numpy()
    rows = {str(n): np.flatnonzero(known & (names == n)) for n in pd.unique(names[known])}
    if len(rows) < 2:
        return None
    about = {}
    inside = obs[known].assign(_sample=names[known])
    for column in obs.columns:
        values = inside.groupby("_sample", observed=True)[column]
        if (values.nunique(dropna=False) == 1).all():
            about[str(column)] = values.first().reindex(list(rows)).astype(str)
    return Parts(path, tuple(columns), rows, obs.index.to_numpy(object), pd.DataFrame(about), int((~known).sum()))


def write_parts(parts: Parts, targets: dict[str, Path]) -> None:
    """Write the raw counts, obs and var of each sample as an h5ad of its own; the counts are read sample by sample.

    Counts are taken from ``layers['counts']``, else ``X``, else ``raw``, whichever holds whole numbers.

    Raises
    ------
    UserError
        If none of them does.
    """
    import anndata as ad
    import h5py
    from anndata.io import read_elem, sparse_dataset

    with h5py.File(parts.path, "r") as file:
        refused = []
        for place in ("layers/counts", "X", "raw/X"):
            if place not in file:
                continue
            item = file[place]
            matrix: Any = item if isinstance(item, h5py.Dataset) else sparse_dataset(item)
            if reason := not_counts(_rows(matrix, np.arange(min(LOOKED_AT, matrix.shape[0])))):
                refused.append(f"{place} {reason}")
                continue
            if not isinstance(item, h5py.Dataset) and sparse_dataset(item).format == "csc":
                matrix = read_elem(item).tocsr()  # columns lie together: rows can only be had from the whole
            break
        else:
            found = Plain("; ".join(refused) or "no matrix")
            raise UserError(parts.path, "counts", found, "raw counts in layers['counts'], X or raw")
        obs, var = read_elem(file["obs"]), read_elem(file["raw/var" if place == "raw/X" else "var"])
        for sample, target in targets.items():
            rows = parts.rows[sample]
            target.parent.mkdir(parents=True, exist_ok=True)
            counts = sp.csr_matrix(_rows(matrix, rows), dtype=np.float32)
            ad.AnnData(counts, obs=obs.iloc[rows].copy(), var=var.copy()).write_h5ad(target, compression="gzip")


def _rows(matrix: Any, rows: NDArray[np.int64]) -> Any:
    return matrix[rows]


def _name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_.-")[:100] or "unnamed"
