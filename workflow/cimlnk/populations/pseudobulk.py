"""Counts summed over the cells of a population in a sample, for expression tests that respect the patient."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from cimlnk.common.tables import read_table
from cimlnk.common.vocabulary import sample_of

from .load import cell_names, common_features, feature_names
from .state import ALL


def summed(path: str | Path, population: np.ndarray, genes: Sequence[str]) -> tuple[list[str], np.ndarray, list[int]]:
    """Sum ``layers["counts"]`` (CSR) over each population of one sample, and over all cells as ``NK``.

    Returns
    -------
    names
        Populations, ``NK`` first.
    counts
        Populations × genes, int64.
    n_cells
        Cells summed per population.
    """
    from scipy import sparse

    with h5py.File(path) as f:
        node = f["layers/counts"]
        shape = tuple(node.attrs["shape"])
        matrix = sparse.csr_matrix((node["data"][:], node["indices"][:], node["indptr"][:]), shape=shape)
    matrix = matrix[:, pd.Index(feature_names(path)).get_indexer(list(genes))]
    names = [ALL, *sorted(pd.unique(population))]
    masks = [np.ones(len(population), dtype=bool), *[population == n for n in names[1:]]]
    counts = np.vstack([np.asarray(matrix[m].sum(axis=0)).ravel() for m in masks])
    return names, np.rint(counts).astype(np.int64), [int(m.sum()) for m in masks]


def write_pseudobulk(
    *, sample_files: Sequence[str | Path], populations: str, output: str, provenance: Mapping[str, Any]
) -> None:
    """Write the pseudobulk counts of all samples as h5ad.

    Rows are ``"{sample}|{population}"``; ``obs`` has sample, population and n_cells; columns are the genes every
    sample measured; ``uns["cimlnk"]`` holds the provenance.
    """
    import anndata as ad

    table = read_table(populations)
    by_sample = dict(tuple(table.groupby("sample", sort=True)))
    paths = [p for p in sorted(map(str, sample_files)) if len(cell_names(p))]
    genes = common_features(paths)
    rows, obs = [], []
    for path in paths:
        cells = cell_names(path)
        sample = sample_of(cells[0])
        population = by_sample[sample].set_index("cell")["population"].reindex(cells).to_numpy()
        names, counts, n_cells = summed(path, population, genes)
        rows.append(counts)
        obs += [(sample, name, n) for name, n in zip(names, n_cells, strict=True)]
    frame = pd.DataFrame(obs, columns=["sample", "population", "n_cells"])
    frame.index = (frame["sample"] + "|" + frame["population"]).astype(str) if len(frame) else pd.Index([], dtype=str)
    data = ad.AnnData(
        X=np.vstack(rows).astype(np.int32) if rows else np.zeros((0, 0), dtype=np.int32),
        obs=frame,
        var=pd.DataFrame(index=pd.Index(genes, dtype=object)),
        uns={"cimlnk": json.dumps(provenance, sort_keys=True)},
    )
    data.write_h5ad(output, compression="gzip")


def read_pseudobulk(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what :func:`write_pseudobulk` wrote, as tables.

    Returns
    -------
    counts
        Genes × rows, integer.
    rows
        Index as the columns of `counts`; sample, population and n_cells.
    """
    from anndata.io import read_elem

    with h5py.File(path) as file:
        rows, genes, x = read_elem(file["obs"]), read_elem(file["var"]), read_elem(file["X"])
    rows = rows.astype({"sample": str, "population": str})
    return pd.DataFrame(x.T, index=genes.index, columns=rows.index), rows
