"""HDF5 inputs: 10x .h5 of Cell Ranger 2 (one group per genome) and 3 or later (group matrix), and h5ad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError

from .checked_h5 import check_file, matrix_of, sparse_group
from .counts import ENSEMBL, Counts, make_counts, not_counts
from .read_mtx import antibody_part, expression

SYMBOL_COLUMNS = ("feature_name", "gene_symbols", "gene_symbol", "gene_name", "gene_names", "symbol", "symbols")
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl")


def read_hdf5(path: Path, source: str = "auto") -> Counts:
    """Read a 10x h5 or an h5ad; `source` is explained in :func:`cimlnk.rna.read.read_counts`."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_file(path, file)
            if "matrix" in file:
                return _tenx(path, file["matrix"], "features/name", gene_id="features/id", found="10x h5, group matrix")
            if "obs" in file and "var" in file:
                return _h5ad(path, file, source)
            genomes = [k for k in file if isinstance(file[k], h5py.Group) and "gene_names" in file[k]]
            if len(genomes) == 1:
                return _tenx(
                    path, file[genomes[0]], "gene_names", gene_id="genes", found=f"10x h5, genome {genomes[0]}"
                )
            if genomes:
                raise UserError(path, "genomes", ", ".join(genomes), "one genome")
            raise UserError(
                path, "groups", Plain(", ".join(file) or "none"), "a 10x matrix (group 'matrix') or an h5ad (obs, var)"
            )
    # h5py tells damage in several ways, by where in the file it sits.
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:
        words = " ".join(str(e).split())[:200]
        raise UserError(path, "HDF5", Plain(f"a truncated or corrupt file ({words})"), "a whole 10x h5 or h5ad") from e


def read_obs(path: Path, file: str | None = None) -> pd.DataFrame:
    """The table of cells of an h5ad; nothing else is read.

    Parameters
    ----------
    path, file
        The file, and its name in messages.

    Raises
    ------
    UserError
        If the file is no h5ad, is damaged, or its obs cannot be read.
    """
    import h5py
    from anndata.io import read_elem

    shown = str(path) if file is None else file
    try:
        with h5py.File(path, "r") as stream:
            check_file(path, stream)
            obs = read_elem(stream["obs"])
    except UserError as error:
        raise UserError(shown, error.where, error.found, error.expected) from None
    except Exception as error:  # noqa: BLE001 - HDF5 and anndata raise many kinds for a faulty file
        words = " ".join(str(error).split())[:150]
        raise UserError(
            shown, "obs", Plain(f"a table that cannot be read ({words})"), "an h5ad file with obs"
        ) from None
    if not isinstance(obs, pd.DataFrame):
        raise UserError(shown, "obs", Plain(type(obs).__name__), "a table")
    return obs


def texts(values: Any) -> np.ndarray:
    """Bytes or texts of an HDF5 data set as texts."""
    raw = np.asarray(values)
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in raw], dtype=object)


def _tenx(path: Path, group: Any, name: str, *, gene_id: str, found: str) -> Counts:
    missing = [k for k in ("data", "indices", "indptr", "shape", "barcodes", name) if k not in group]
    if missing:
        raise UserError(
            path, group.name, Plain(f"no {', '.join(missing)}"), "the data sets of a 10x matrix", list(group)
        )
    shape = group["shape"]
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise UserError(
            path, f"{group.name}/shape", Plain(f"{shape.dtype} of shape {shape.shape}"), "two whole numbers"
        )
    n_genes, n_cells = (int(v) for v in shape[:])
    matrix = sparse_group(path, group, (n_cells, n_genes))
    names, barcodes = texts(group[name][:]), texts(group["barcodes"][:])
    ids = texts(group[gene_id][:]) if gene_id in group else None
    notes: list[str] = []
    proteins = None
    if len(names) == n_genes and "features/feature_type" in group:
        kinds = texts(group["features/feature_type"][:])
        keep = expression(path, kinds, notes)
        proteins = antibody_part(matrix, names, kinds)
        matrix, names, ids = matrix[:, keep], names[keep], None if ids is None else ids[keep]
    return make_counts(path, matrix, barcodes, genes=names, ids=ids, found=found, notes=notes, antibodies=proteins)


def _h5ad(path: Path, file: Any, source: str) -> Counts:
    places = {f"layers/{k}": f"layers/{k}" for k in file.get("layers", {})}
    if "X" in file:
        places["X"] = "X"
    if "raw" in file and "X" in file["raw"]:
        places["raw"] = "raw/X"
    elif "raw.X" in file:  # anndata before 0.7
        places["raw"] = "raw.X"
    if source == "auto":
        order: list[str] = [p for p in ("layers/counts", "X", "raw") if p in places]
    elif source in places:
        order = [source]
    else:
        raise UserError(path, "rna.counts", source, f"one of {', '.join(places) or 'nothing'}", places)
    refused = []
    for place in order:
        matrix: Any = matrix_of(path, file[places[place]])
        reason = not_counts(matrix)
        if reason is None:
            break
        refused.append(f"{place} {reason}")
    else:
        raise UserError(
            path,
            "counts",
            Plain("no raw counts: " + ("; ".join(refused) or "the file has no matrix")),
            "raw integer UMI counts in layers['counts'], X or raw (name another layer by rna.counts)",
        )
    notes = [f"counts taken from {place}; passed over: {'; '.join(refused)}"] if refused else []
    var = _frame(path, _var(file, place))
    obs = _frame(path, file["obs"])
    names = var.index.to_numpy(dtype=object)
    ids = next((_names(var[c]) for c in ID_COLUMNS if c in var), None)
    if np.mean([bool(ENSEMBL.match(str(n))) for n in names]) > 0.5:
        ids = next((_names(var[c]) for c in SYMBOL_COLUMNS if c in var), None)
    proteins = None
    if "feature_types" in var:
        kinds = var["feature_types"].astype(str).to_numpy(dtype=object)
        keep = expression(path, kinds, notes)
        proteins = antibody_part(matrix, names, kinds)
        matrix, names, ids = matrix[:, keep], names[keep], None if ids is None else ids[keep]
    cells = obs.index.to_numpy(dtype=object)
    found = f"h5ad, {place}"
    return make_counts(path, matrix, cells, genes=names, ids=ids, found=found, notes=notes, antibodies=proteins)


def _var(file: Any, place: str) -> Any:
    """The table of genes that goes with the matrix at `place`."""
    if place == "raw":
        for name in ("raw/var", "raw.var"):
            if name in file:
                return file[name]
    return file["var"]


def _frame(path: Path, item: Any) -> pd.DataFrame:
    """A table of an h5ad: a group of columns, or one data set of records (anndata before 0.7)."""
    import h5py
    from anndata.io import read_elem

    if isinstance(item, h5py.Dataset):
        names = item.dtype.names or ()
        index = next((n for n in ("index", "_index") if n in names), None)
        if index is None or len(item.shape) != 1:
            raise UserError(path, item.name, Plain("no table"), "a table with an index")
        records = item[:]
        frame = pd.DataFrame({n: texts(records[n]) if records[n].dtype.kind in "SO" else records[n] for n in names})
        return frame.set_index(index)
    try:
        frame = read_elem(item)
    except Exception as error:  # noqa: BLE001 - anndata raises many kinds for a faulty table; all are the file's fault
        words = " ".join(str(error).split())[:200]
        raise UserError(
            path, item.name, Plain(f"a table that cannot be read ({words})"), "a table of anndata"
        ) from None
    if not isinstance(frame, pd.DataFrame):
        raise UserError(path, item.name, Plain(type(frame).__name__), "a table")
    return frame


def _names(column: pd.Series) -> np.ndarray:
    """A column as texts, None where there is none."""
    return np.array([None if pd.isna(v) else str(v) for v in column.astype(object)], dtype=object)
