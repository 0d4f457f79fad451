"""HDF5 inputs: 10x .h5 of Cell Ranger 2 (one group per genome) and 3 or later (group matrix), and h5ad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

from .counts import ENSEMBL, Counts, make_counts, not_counts
from .read_mtx import expression

SYMBOL_COLUMNS = ("feature_name", "gene_symbols", "gene_symbol", "gene_name", "gene_names", "symbol", "symbols")
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl")


def read_hdf5(path: Path, source: str = "auto") -> Counts:
    """Read a 10x h5 or an h5ad; `source` is explained in :func:`cimlnk.rna.read.read_counts`."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "matrix" in file:
                return _tenx(path, file["matrix"], "features/name", "features/id", "10x h5, group matrix")
            if "obs" in file and "var" in file:
                return _h5ad(path, file, source)
            genomes = [k for k in file if isinstance(file[k], h5py.Group) and "gene_names" in file[k]]
            if len(genomes) == 1:
                return _tenx(path, file[genomes[0]], "gene_names", "genes", f"10x h5, genome {genomes[0]}")
            if genomes:
                raise UserError(path, "genomes", ", ".join(genomes), "one genome")
            raise UserError(
                path, "groups", Plain(", ".join(file) or "none"), "a 10x matrix (group 'matrix') or an h5ad (obs, var)"
            )
    # h5py tells damage in several ways, by where in the file it sits.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as e:
        raise UserError(path, "HDF5", Plain(f"a truncated or corrupt file ({e})"), "a whole 10x h5 or h5ad") from e


def _text(values: Any) -> np.ndarray:
    raw = np.asarray(values)
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in raw], dtype=object)


def _tenx(path: Path, group: Any, name: str, gene_id: str, found: str) -> Counts:
    missing = [k for k in ("data", "indices", "indptr", "shape", "barcodes", name) if k not in group]
    if missing:
        raise UserError(
            path, group.name, Plain(f"no {', '.join(missing)}"), "the data sets of a 10x matrix", list(group)
        )
    n_genes, n_cells = (int(v) for v in group["shape"][:])
    data, indices, indptr = group["data"][:], group["indices"][:], group["indptr"][:]
    whole = (
        len(indptr) == n_cells + 1
        and indptr[0] == 0
        and indptr[-1] == len(data) == len(indices)
        and (np.diff(indptr) >= 0).all()
        and (len(indices) == 0 or (indices.min() >= 0 and indices.max() < n_genes))
    )
    if not whole:
        raise UserError(
            path, group.name, Plain("index arrays that contradict the shape"), f"{n_genes} genes x {n_cells} barcodes"
        )
    matrix = sp.csr_matrix((data, indices, indptr), shape=(n_cells, n_genes))
    names, barcodes = _text(group[name][:]), _text(group["barcodes"][:])
    ids = _text(group[gene_id][:]) if gene_id in group else None
    notes: list[str] = []
    if len(names) == n_genes and "features/feature_type" in group:
        keep = expression(path, _text(group["features/feature_type"][:]), notes)
        matrix, names, ids = matrix[:, keep], names[keep], None if ids is None else ids[keep]
    return make_counts(path, matrix, barcodes, names, ids=ids, found=found, notes=notes)


def _h5ad(path: Path, file: Any, source: str) -> Counts:
    from anndata.io import read_elem

    places = {f"layers/{k}": f"layers/{k}" for k in file.get("layers", {})}
    if "X" in file:
        places["X"] = "X"
    if "raw" in file and "X" in file["raw"]:
        places["raw"] = "raw/X"
    if source == "auto":
        order: list[str] = [p for p in ("layers/counts", "X", "raw") if p in places]
    elif source in places:
        order = [source]
    else:
        raise UserError(path, "rna.counts", source, f"one of {', '.join(places) or 'nothing'}", places)
    refused = []
    for place in order:
        matrix = read_elem(file[places[place]])
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
    var = read_elem(file["raw/var"] if place == "raw" and "var" in file["raw"] else file["var"])
    obs = read_elem(file["obs"])
    names = var.index.to_numpy(dtype=object)
    ids = next((var[c].astype(str).to_numpy(dtype=object) for c in ID_COLUMNS if c in var), None)
    if np.mean([bool(ENSEMBL.match(str(n))) for n in names]) > 0.5:
        ids = next((var[c].astype(str).to_numpy(dtype=object) for c in SYMBOL_COLUMNS if c in var), None)
    if "feature_types" in var:
        keep = expression(path, var["feature_types"].astype(str).to_numpy(dtype=object), notes)
        matrix, names, ids = matrix[:, keep], names[keep], None if ids is None else ids[keep]
    return make_counts(
        path, matrix, obs.index.to_numpy(dtype=object), names, ids=ids, found=f"h5ad, {place}", notes=notes
    )
