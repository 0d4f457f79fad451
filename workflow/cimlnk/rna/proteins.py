"""Antibody counts of a sample's live single cells, beside what their RNA says they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.common.vocabulary import cell_id

from .antibodies import HASHTAG, Antibody, read_antibodies
from .counts import AntibodyCounts, Counts
from .lineage import Lineages
from .read_adt import empty_droplets, hashtag_cells, place_of, read_antibody_file

# Lineages of the marker model in the words of the lineages by protein.
BY_RNA = {
    "NK": "NK", "T": "T", "T_cytotoxic": "T", "T_gamma_delta": "T", "B": "B", "plasma": "B", "monocyte": "monocyte",
    "dendritic": "DC",
}  # fmt: skip


def with_antibodies(counts: Counts, given: Mapping[str, Any] | None) -> Counts:
    """Counts with the antibodies and the cells that the antibody sheet gives a sample.

    Parameters
    ----------
    counts
        As read from the sample's own file, with its antibody rows.
    given
        Row of the antibody sheet: ``counts`` (a file of antibody counts, in place of the own rows), ``hashtags``,
        ``hashtag`` and ``hashtag_column``; None without one.
    """
    if not given:
        return counts
    if given.get("hashtags"):
        path = Path(given["hashtags"])
        keep = hashtag_cells(path, str(given["hashtag"]), counts.barcodes, column=given.get("hashtag_column"))
        note = f"{int(keep.sum())} of {len(keep)} barcodes are {given['hashtag']} by {path.name}, others left out"
        proteins = counts.antibodies
        if proteins is not None:
            proteins = AntibodyCounts(sp.csr_matrix(proteins.matrix[keep]), proteins.names)
        counts = replace(
            counts,
            matrix=sp.csr_matrix(counts.matrix[keep]),
            barcodes=counts.barcodes[keep],
            antibodies=proteins,
            notes=(*counts.notes, note),
        )
    if given.get("counts"):
        path = Path(given["counts"])
        table, barcodes = read_antibody_file(path)
        place = place_of(path, barcodes, counts.barcodes)
        rows = sp.csr_matrix(table.matrix[np.maximum(place, 0)])
        if (place < 0).any():  # cells without antibody counts have none at all, which no real cell has
            rows = sp.csr_matrix(rows.multiply((place >= 0).astype(np.int32)[:, None]))
        note = f"antibodies from {path.name}: {int((place >= 0).sum())} of {len(place)} cells"
        counts = replace(counts, antibodies=AntibodyCounts(rows, table.names), notes=(*counts.notes, note))
    return counts


def write_proteins(
    path: str | Path,
    *,
    sample: str,
    counts: Counts,
    rows: np.ndarray,
    fit: Lineages,
    nk_probability: np.ndarray,
    nk: np.ndarray,
    empty: str | None,
) -> None:
    """Write antibody counts of live single cells, and their calls by RNA, as h5ad.

    Parameters
    ----------
    path
        The file written: ``X`` counts (int32 CSR, cells × antibodies), ``var`` label, kind and known of every antibody,
        ``obs`` lineage_rna, nk_rna and nk_probability, ``uns["empty"]`` counts of empty droplets where they are given,
        ``uns["cimlnk"]`` (JSON text: reason if there are no antibodies, notes).
    sample, counts
        Name, and counts with antibodies.
    rows
        Row in `counts` of every live single cell.
    fit, nk_probability, nk
        What the marker model says of these cells.
    empty
        File of empty droplets, None without one.
    """
    obs = pd.DataFrame(
        {
            "sample": sample,
            "lineage_rna": [BY_RNA.get(str(n), "other") for n in fit.best()],
            "nk_rna": nk.astype(bool),
            "nk_probability": nk_probability.astype(np.float32),
        },
        index=[cell_id(sample, b) for b in counts.barcodes[rows]],
    )
    if counts.antibodies is None:
        if empty:
            raise UserError(empty, "empty droplets", sample, "a sample with antibodies: this one has none")
        without_proteins(path, "no antibodies in the files")
        return
    X = sp.csr_matrix(counts.antibodies.matrix[rows])
    totals = np.asarray(X.sum(axis=1)).ravel()
    measured = totals > 0
    antibodies = read_antibodies([str(n) for n in counts.antibodies.names])
    keep = np.array([a.kind != HASHTAG for a in antibodies], bool)
    used = [a for a, k in zip(antibodies, keep, strict=True) if k]
    droplets = None
    if empty:
        names = counts.antibodies.names
        droplets = sp.csr_matrix(
            empty_droplets(Path(empty), names, cells=counts.barcodes, totals=totals[measured])[:, keep]
        )
    reason = None if used else "only hashtags among the antibodies"
    unmeasured = int((~measured).sum())
    X = sp.csr_matrix(X[measured][:, keep])
    _write(path, X, obs[measured], antibodies=used, droplets=droplets, reason=reason, unmeasured=unmeasured)


def without_proteins(path: str | Path, reason: str) -> None:
    """The file of a sample without antibodies, or one that was left out."""
    obs = pd.DataFrame({"sample": np.array([], object)}, index=np.array([], object))
    _write(path, sp.csr_matrix((0, 0), dtype=np.int32), obs, antibodies=[], reason=reason)


def _write(
    path: str | Path, X: sp.csr_matrix, obs: pd.DataFrame, *, antibodies: Sequence[Antibody],
    droplets: sp.csr_matrix | None = None, reason: str | None = None, unmeasured: int = 0,
) -> None:  # fmt: skip
    import anndata as ad

    var = pd.DataFrame(
        {"antibody": [a.name for a in antibodies], "kind": [a.kind for a in antibodies],
         "known": np.array([a.known for a in antibodies], bool)},
        index=pd.Index([a.label for a in antibodies], dtype=object),
    )  # fmt: skip
    record = {"reason": reason, "cells_without_antibodies": unmeasured}
    uns: dict[str, Any] = {"cimlnk": json.dumps(record, sort_keys=True)}
    if droplets is not None:
        uns["empty"] = droplets
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ad.AnnData(sp.csr_matrix(X), obs=obs, var=var, uns=uns).write_h5ad(path, compression="gzip", compression_opts=1)
