"""The per-sample h5ad files: what they say of themselves, the genes they share, their counts one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

from .normalise import TARGET
from .tables import SUMMARY

SHOWN = 20  # genes named in full in features.json


@dataclass(frozen=True)
class SampleFile:
    """What the features need to know of one sample before its matrix is read."""

    sample: str
    path: str
    cells: np.ndarray
    genes: np.ndarray
    record: Mapping[str, Any]

    @property
    def usable(self) -> bool:
        return not self.record["left_out"]


def inspect(path: str) -> SampleFile:
    """Names and record of one sample file, without its matrix."""
    import h5py
    from anndata.io import read_elem

    with h5py.File(path, "r") as file:
        record = json.loads(read_elem(file["uns/cimlnk"]))
        obs, var = read_elem(file["obs"]), read_elem(file["var"])
    return SampleFile(Path(path).stem, path, obs.index.to_numpy(dtype=object), var.index.to_numpy(dtype=object), record)


def shared_genes(files: Sequence[SampleFile], least: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Genes that every sample measured, in alphabetical order, and what is missing where.

    A gene is missing from a sample if its file does not list it (another reference, a filtered matrix); a gene
    listed with no counts is measured.
    """
    union = set().union(*(f.genes for f in files))
    common = set(files[0].genes).intersection(*(f.genes for f in files))
    missing = {}
    for f in files:
        absent = sorted(union - set(f.genes))
        if absent:
            missing[f.sample] = {"n": len(absent), "first": absent[:SHOWN]}
    if len(common) < least:
        worst = min(files, key=lambda f: len(f.genes))
        raise UserError(
            worst.path,
            "genes",
            Plain(f"{len(common)} genes shared by all {len(files)} samples ({worst.sample} lists {len(worst.genes)})"),
            f"at least {least} (rna.features.min_common_genes): samples of one reference",
        )
    genes = np.array(sorted(common), dtype=object)
    return genes, {"shared": len(common), "in_any_sample": len(union), "missing": missing}


def matrices(files: Sequence[SampleFile], genes: np.ndarray) -> Iterator[tuple[SampleFile, sp.csr_matrix]]:
    """Counts of one sample after the other, cells x `genes`, and the cells' whole depth in ``depth``."""
    import h5py
    from anndata.io import read_elem

    for f in files:
        with h5py.File(f.path, "r") as file:
            counts = sp.csr_matrix(read_elem(file["layers/counts"]))
        columns = pd.Index(f.genes).get_indexer(genes)
        yield f, sp.csr_matrix(counts[:, columns])


def log_counts(counts: sp.csr_matrix) -> sp.csr_matrix:
    """log1p of counts per 10,000 counts of the shared genes, so that samples of different references agree."""
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    factor = np.repeat(TARGET / np.maximum(depth, 1.0), np.diff(counts.indptr))
    return sp.csr_matrix((np.log1p(counts.data * factor), counts.indices, counts.indptr), shape=counts.shape)


def summarise(files: Sequence[SampleFile]) -> pd.DataFrame:
    """SUMMARY: one row per sample, left-out samples included."""
    empty = {
        "n_events": 0,
        "n_live_singlets": 0,
        "n_lymphocytes": np.nan,
        "n_nk": 0,
        "n_nk_low": np.nan,
        "n_nk_high": np.nan,
        "qc_score": np.nan,
    }
    rows = [
        {
            "sample": f.sample,
            **(f.record["summary"] if f.usable else empty),
            "left_out": not f.usable,
            "reason": f.record["reason"],
        }
        for f in files
    ]
    return SUMMARY.check(pd.DataFrame(rows))
