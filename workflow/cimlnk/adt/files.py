"""Files of this stage: the antibody counts it reads, the proteins it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common.tables import write_table
from cimlnk.cytof.lineage import LINEAGES
from cimlnk.populations.tables import THRESHOLDS
from cimlnk.rna.antibodies import Antibody

from .tables import ANTIBODIES, NAME_AGREEMENT, NK_AGREEMENT, PROTEIN_CELLS


@dataclass
class SampleProteins:
    """Antibody counts of one sample, as the rna stage wrote them."""

    sample: str
    counts: sp.csr_matrix
    obs: pd.DataFrame
    antibodies: list[Antibody]
    empty: sp.csr_matrix | None
    reason: str | None

    @classmethod
    def read(cls, path: str | Path) -> SampleProteins:
        """Read a file of :func:`cimlnk.rna.proteins.write_proteins`."""
        import anndata as ad

        data = ad.read_h5ad(path)
        record = json.loads(data.uns["cimlnk"])
        var = data.var
        antibodies = [
            Antibody(str(a), str(label), str(kind), bool(known))
            for label, a, kind, known in zip(var.index, var["antibody"], var["kind"], var["known"], strict=True)
        ]
        empty = data.uns.get("empty")
        return cls(
            Path(path).stem,
            sp.csr_matrix(data.X) if data.X is not None else sp.csr_matrix((0, 0)),
            data.obs,
            antibodies,
            None if empty is None else sp.csr_matrix(empty),
            record["reason"],
        )


def shared(samples: Sequence[SampleProteins]) -> tuple[list[Antibody], list[list[int]]]:
    """Antibodies that all samples have (by label and kind), and their columns in every sample."""
    keys = [{(a.label, a.kind): j for j, a in enumerate(s.antibodies)} for s in samples]
    common = [a for a in samples[0].antibodies if all((a.label, a.kind) in k for k in keys)]
    return common, [[k[(a.label, a.kind)] for a in common] for k in keys]


def write_proteins(
    path: str | Path, values: NDArray[np.float32], table: pd.DataFrame, *, var: pd.DataFrame,
    layers: Mapping[str, NDArray[np.float32]], record: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write all cells × proteins as h5ad; `table` is PROTEIN_CELLS (and more columns), which become ``obs``."""
    import anndata as ad

    obs = table.drop(columns="cell").set_axis(pd.Index(table["cell"].to_numpy(dtype=object)))
    for column in obs.select_dtypes(object):
        obs[column] = pd.Categorical(obs[column].astype(object), categories=_categories(obs[column]))
    uns = {"cimlnk": json.dumps(record, sort_keys=True), "lineages": np.array(LINEAGES, object)}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ad.AnnData(values, obs=obs, var=var, layers=dict(layers), uns=uns).write_h5ad(
        path, compression="gzip", compression_opts=1
    )


def _categories(column: pd.Series) -> list[str]:
    return sorted({str(v) for v in column.dropna()})


def write_nothing(
    *, proteins: str | Path, cells: str | Path, antibodies: str | Path, thresholds: str | Path, nk: str | Path,
    names: str | Path, provenance: Mapping[str, Any],
) -> None:  # fmt: skip
    """Empty tables and an empty h5ad: no sample has antibodies."""
    for path, schema in (
        (cells, PROTEIN_CELLS), (antibodies, ANTIBODIES), (thresholds, THRESHOLDS), (nk, NK_AGREEMENT),
        (names, NAME_AGREEMENT),
    ):  # fmt: skip
        write_table(schema.empty(), path, schema, provenance=provenance)
    none = pd.DataFrame({"antibody": np.array([], object)}, index=pd.Index([], dtype=object))
    write_proteins(proteins, np.zeros((0, 0), np.float32), PROTEIN_CELLS.empty(), var=none, layers={}, record={})
