"""The large parts of an AnnData file of all cells, each written piece by piece: matrices, map and graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cytof.h5ad import mark
from cimlnk.populations.load import cell_names, feature_names

ROWS = 65_536  # rows of a piece where a matrix is copied
COUNTS_PIECE = 1 << 20  # values of a chunk of a sparse matrix
INT32 = 2**31
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write_dense(
    f: Any, name: str, samples: Sequence[str | Path], *, node: str, shared: list[str], place: pd.Series
) -> None:
    """One matrix of all samples, one after the other: `node` of their files, its `shared` columns; `place` of cells."""
    import h5py

    n, d = len(place), len(shared)
    chunks = (min(max(n, 1), 8192), max(d, 1))
    data = f.create_dataset(name, shape=(n, d), dtype="f4", **({"chunks": chunks, **PACKED} if n and d else {}))
    mark(data, "array", "0.2.0")
    for path in samples:
        rows = _rows(path, place)
        if not len(rows):
            continue
        columns = pd.Index(feature_names(path)).get_indexer(shared)
        with h5py.File(path, "r") as source:
            for a in range(0, len(rows), ROWS):
                block = source[node][a : a + ROWS].astype(np.float32, copy=False)
                data[rows[0] + a : rows[0] + a + len(block)] = block[:, columns]


def write_sparse(
    f: Any, name: str, samples: Sequence[str | Path], *, node: str, shared: list[str], place: pd.Series
) -> None:
    """One CSR of all samples, appended piece by piece; the row pointers are kept, the values never."""
    import h5py
    import scipy.sparse as sp

    group = f.create_group(name)
    mark(group, "csr_matrix", "0.1.0")
    group.attrs["shape"] = np.array([len(place), len(shared)], dtype=np.int64)
    open_end = {"shape": (0,), "maxshape": (None,), "chunks": (COUNTS_PIECE // 4,)}
    data = group.create_dataset("data", dtype="f4", **open_end, **PACKED)
    wide = sum(_values(p, node) for p in samples) >= INT32
    indices = group.create_dataset("indices", dtype="i8" if wide else "i4", **open_end, **PACKED)
    lengths = np.zeros(len(place), np.int64)
    at = 0
    for path in sorted(samples, key=lambda p: (r := _rows(p, place)).size and r[0]):
        rows = _rows(path, place)
        if not len(rows):
            continue
        names = pd.Index(feature_names(path))
        whole = list(names) == shared
        with h5py.File(path, "r") as source:
            part = source[node]
            pointers = part["indptr"][:].astype(np.int64)
            for a in range(0, len(rows), ROWS):
                b = min(a + ROWS, len(rows))
                low, high = int(pointers[a]), int(pointers[b])
                block = sp.csr_matrix(
                    (
                        part["data"][low:high].astype(np.float32),
                        part["indices"][low:high].astype(np.int32),
                        pointers[a : b + 1] - low,
                    ),
                    shape=(b - a, len(names)),
                )
                if not whole:
                    block = sp.csr_matrix(block[:, names.get_indexer(shared)])
                block.sort_indices()
                for target, values in ((data, block.data), (indices, block.indices)):
                    target.resize(at + block.nnz, axis=0)
                    target[at:] = values
                at += block.nnz
                lengths[rows[a:b]] = np.diff(block.indptr)
    _pointers(group, lengths)


def write_umap(group: Any, umap: str | Path, place: pd.Series) -> None:
    """The map, in the order of the cells; a cell that has no place in it is NaN."""
    table = pd.read_parquet(umap, columns=["cell", "umap1", "umap2"])
    values = table[["umap1", "umap2"]].to_numpy(np.float32)
    if len(table) != len(place) or not (table["cell"].to_numpy() == place.index.to_numpy()).all():
        found = pd.Index(table["cell"]).get_indexer(place.index)
        values = np.where(found[:, None] >= 0, values[found], np.float32(np.nan))
    mark(group.create_dataset("X_umap", data=values), "array", "0.2.0")


def copy_rows(group: Any, name: str, file: str | Path) -> None:
    """A matrix of a ``.npy`` file, by pieces of its rows."""
    matrix = np.load(file, mmap_mode="r")
    data = group.create_dataset(name, shape=matrix.shape, dtype="f4")
    mark(data, "array", "0.2.0")
    for a in range(0, len(matrix), ROWS):
        data[a : a + ROWS] = np.load(file, mmap_mode="r")[a : a + ROWS]


def write_graph(group: Any, graph: str | Path, n: int) -> int:
    """Weights and distances of the neighbour graph; of a sketch only its cells have entries. Returns k."""
    with np.load(graph) as z:
        rows, indices = z["rows"], z["indices"]
        k = indices.shape[1]
        lengths = np.zeros(n, np.int64)
        lengths[rows] = k
        _csr(group, "distances", z["distances"].ravel(), indices=rows[indices].ravel(), lengths=lengths, n=n)
        del indices
        lengths[rows] = np.diff(z["indptr"])
        _csr(group, "connectivities", z["data"], indices=rows[z["csr_indices"]], lengths=lengths, n=n)
    return k


def _rows(path: str | Path, place: pd.Series) -> NDArray[np.int64]:
    """Rows of the whole table that a sample's cells take: together, and in the file's order."""
    rows = place.reindex(cell_names(path)).to_numpy(dtype=float)
    if np.isnan(rows).any() or (len(rows) and (np.diff(rows) != 1).any()):
        raise ValueError(f"{path}: its cells do not lie together, in order, in the cell table")
    return rows.astype(np.int64)


def _values(path: str | Path, node: str) -> int:
    import h5py

    with h5py.File(path, "r") as f:
        return int(f[node]["data"].shape[0]) if "data" in f[node] else 0


def _csr(
    parent: Any, name: str, data: NDArray[Any], *, indices: NDArray[Any], lengths: NDArray[np.int64], n: int
) -> None:
    group = parent.create_group(name)
    mark(group, "csr_matrix", "0.1.0")
    group.attrs["shape"] = np.array([n, n], dtype=np.int64)
    group.create_dataset("data", data=data.astype(np.float32, copy=False))
    group.create_dataset("indices", data=indices.astype(np.int32 if len(data) < INT32 else np.int64))
    _pointers(group, lengths)


def _pointers(group: Any, lengths: NDArray[np.int64]) -> None:
    """Row pointers of the type of the indices: SciPy wants one type for both."""
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    group.create_dataset("indptr", data=pointers.astype(group["indices"].dtype))
