"""Reading columns out of the per-sample h5ad files without loading them whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd


def _strings(group: h5py.Group, default: str) -> np.ndarray:
    key = group.attrs.get("_index", default)
    values = group[key]
    if isinstance(values, h5py.Group):  # nullable or categorical encodings are never used for an index by us
        raise ValueError(f"unsupported index encoding in {group.file.filename}")
    return values.asstr()[:]


def feature_names(path: str | Path) -> np.ndarray:
    """Names of the columns of `X`."""
    with h5py.File(path) as f:
        return _strings(f["var"], "_index")


def variables(paths: Iterable[str | Path], column: str) -> dict[str, float]:
    """A numeric column of `var` by feature, from the first file that has the feature."""
    found: dict[str, float] = {}
    for path in paths:
        with h5py.File(path) as f:
            if column in f["var"]:
                for name, value in zip(_strings(f["var"], "_index"), f["var"][column][:], strict=True):
                    found.setdefault(str(name), float(value))
    return found


def cell_names(path: str | Path) -> np.ndarray:
    """Names of the rows of `X` (cell ids)."""
    with h5py.File(path) as f:
        return _strings(f["obs"], "_index")


def columns(path: str | Path, features: Sequence[str], layer: str | None = None) -> np.ndarray:
    """Cells × `features` as float32 from `X` or a layer, dense or CSR in the file.

    Raises
    ------
    KeyError
        If a feature is not in the file.
    """
    with h5py.File(path) as f:
        names = pd.Index(_strings(f["var"], "_index"))
        wanted = names.get_indexer(list(features))
        if (wanted < 0).any():
            raise KeyError(f"{path}: no {[n for n, w in zip(features, wanted, strict=True) if w < 0]}")
        return _picked(f["X"] if layer is None else f["layers"][layer], wanted, len(names))


def columns_or_nan(path: str | Path, features: Sequence[str]) -> np.ndarray:
    """Cells × `features` as float32 from `X`, NaN in those that the file lacks."""
    with h5py.File(path) as f:
        names = pd.Index(_strings(f["var"], "_index"))
        wanted = names.get_indexer(list(features))
        there = wanted >= 0
        picked = _picked(f["X"], wanted[there], len(names))
    if there.all():
        return picked
    result = np.full((len(picked), len(wanted)), np.nan, dtype=np.float32)
    result[:, there] = picked
    return result


def _picked(node: h5py.Dataset | h5py.Group, wanted: np.ndarray, n_features: int) -> np.ndarray:
    """The columns `wanted` of a dense or CSR matrix, dense."""
    if isinstance(node, h5py.Dataset):
        return node[:][:, wanted].astype(np.float32, copy=False)
    indptr, indices, data = node["indptr"][:], node["indices"][:], node["data"][:]
    position = np.full(n_features, -1, dtype=np.int64)
    position[wanted] = np.arange(len(wanted))
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    keep = position[indices] >= 0
    result = np.zeros((len(indptr) - 1, len(wanted)), dtype=np.float32)
    result[rows[keep], position[indices[keep]]] = data[keep]
    return result


def common_features(paths: Iterable[str | Path]) -> list[str]:
    """Features present in every file that has cells, in the order of the first such file."""
    shared: list[str] | None = None
    for path in paths:
        if not len(cell_names(path)):
            continue
        names = feature_names(path)
        present = set(names)
        shared = list(names) if shared is None else [n for n in shared if n in present]
    return shared or []


def measured_features(paths: Iterable[str | Path]) -> list[str]:
    """Features of any file that has cells, in the order in which they first appear."""
    return list(dict.fromkeys(str(n) for p in paths if len(cell_names(p)) for n in feature_names(p)))


def gather(paths: Sequence[str | Path], features: Sequence[str], cells: Sequence[str] | np.ndarray) -> np.ndarray:
    """Stack `features` of all samples, rows in the order of `cells`.

    Parameters
    ----------
    paths
        One h5ad per sample.
    features
        Columns; cells of a file that lacks one are NaN in it.
    cells
        Cell ids in the order wanted; each must be in exactly one of the files.

    Returns
    -------
    numpy.ndarray
        len(cells) × len(features), float32.
    """
    result = np.empty((len(cells), len(features)), dtype=np.float32)
    index = pd.Index(cells)
    filled = 0
    for path in paths:
        names = cell_names(path)
        if not len(names):
            continue
        rows = index.get_indexer(names)
        if (rows < 0).any():
            raise ValueError(f"{path}: {int((rows < 0).sum())} cells are not in the cell table")
        result[rows] = columns_or_nan(path, features)
        filled += len(names)
    if filled != len(cells):
        raise ValueError(f"{len(cells) - filled} cells of the cell table are in none of the sample files")
    return result
