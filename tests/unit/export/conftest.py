"""A small cohort of two samples with everything that the exports read, made without the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.common.tables import Schema, write_table

LOOSE = Schema("LOOSE", {}, extra=True)
ROOT = Path(__file__).resolve().parents[3]
IDS = {
    "NKG7": "ENSG00000105374", "GNLY": "ENSG00000115523", "KLRC1": "ENSG00000134545", "KLRC2": "ENSG00000205809",
    "CD3E": "ENSG00000198851", "GZMB": "ENSG00000100453",
}  # fmt: skip
GENES = list(IDS)


def _tenx(folder: Path, genes: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "features.tsv").write_text("".join(f"{IDS[g]}.2\t{g}\tGene Expression\n" for g in genes))
    (folder / "barcodes.tsv").write_text("A-1\n")
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n1 1 1\n1 1 1\n")


class Small:
    """Places of the files of one modality, and the matrices that were written."""

    def __init__(self, root: Path, modality: str) -> None:
        self.root, self.modality = root, modality
        root.mkdir(parents=True)
        rng = np.random.default_rng(1)
        names, sizes = ("S2", "S1"), (30, 20)
        self.features = GENES if modality == "rna" else ["CD56", "CD16", "NKG2A"]
        self.files, self.x, self.raw, ids, of = [], [], [], [], []
        for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
            features = [*self.features, f"only_{name}"]
            if number:  # another order in the second file
                features = features[::-1]
            raw = rng.poisson(3.0, (size, len(features))).astype(np.float32)
            x = np.log1p(raw) if modality == "rna" else np.arcsinh(raw / 5)
            cells = [f"{name}:{i}" for i in range(size)]
            layer, kind = ("counts", sp.csr_matrix) if modality == "rna" else ("raw", np.asarray)
            a = ad.AnnData(kind(x), obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=features))
            self.sure = rng.random(size).astype("f4")
            if modality == "rna":
                a.obs["nk_probability"] = self.sure
            elif not number:  # the other file was gated by hand
                a.obs["lineage_confidence"] = self.sure
                a.uns["cimlnk"] = json.dumps({"lineages": {"target": "NK"}})
                self.called = self.sure
            a.layers[layer] = kind(raw.astype(np.int32) if modality == "rna" else raw)
            if modality == "cytof":
                a.var = pd.DataFrame(
                    {"channel": [f"C{i}" for i in range(len(features))], "role": "identity", "cofactor": 5.0,
                     "cluster": True}, index=features,
                )  # fmt: skip
            path = root / f"{name}.h5ad"
            a.write_h5ad(path)
            self.files.append(path)
            at = [features.index(f) for f in self.features]
            self.x.append(x[:, at])
            self.raw.append(raw[:, at])
            ids += cells
            of += [name] * size
        n = len(ids)
        self.n, self.ids = n, ids
        cells = pd.DataFrame({"cell": ids, "sample": of})
        named = cells.assign(
            cluster=rng.integers(0, 3, n).astype("i4"),
            population=rng.choice(["adaptive", "CD56bright"], n),
            confidence=rng.random(n).astype("f4"),
        )
        self.named = named
        self.umap = rng.normal(size=(n, 2)).astype("f4")
        table = pd.DataFrame({"cell": ids, "umap1": self.umap[:, 0], "umap2": self.umap[:, 1]})
        sheet = pd.DataFrame(
            {
                "sample": ["S1", "S2"], "patient": ["P1", "P2"], "day": [-7, 7], "timepoint": ["pre", "D7"],
                "arm": ["CIML", "IL2_only"], "tissue_or_product": "blood", "modality": modality,
                "path": ["S1/outs", "S2/outs"], "batch": "b1",
                "sha256": None, "age": [50.5, 61.0],
            }
        )  # fmt: skip
        for name, t in (("cells", cells), ("populations", named), ("umap", table), ("sheet", sheet)):
            write_table(t, root / f"{name}.parquet", LOOSE)
        people = pd.DataFrame(
            {"patient": ["P1", "P2"], "arm": ["CIML", "IL2_only"], "sex_ontology_term_id": ["PATO:0000383", None]}
        )
        write_table(people, root / "patients.parquet", LOOSE)
        _tenx(root / "tenx", GENES)
        self.matrix = rng.normal(size=(n, 4)).astype("f4")
        np.save(root / "features.npy", self.matrix)
        (root / "features.json").write_text(json.dumps({"names": ["a"]}))
        self.k = 3
        indices = np.stack([(np.arange(n) + s) % n for s in (1, 2, 3)], axis=1).astype("i4")
        distances = rng.random((n, 3)).astype("f4")
        w = sp.random(n, n, 0.1, random_state=1, format="csr", dtype=np.float32)
        self.w, self.indices, self.distances = w, indices, distances
        np.savez(
            root / "graph.npz", indices=indices, distances=distances, data=w.data, csr_indices=w.indices,
            indptr=w.indptr.astype("i8"), rows=np.arange(n), order=np.arange(n, dtype="i4"), n_cells=n,
        )  # fmt: skip

    def arguments(self, output: Path, **other: object) -> dict:
        r = self.root
        return {
            "modality": self.modality, "samples": self.files, "cells": r / "cells.parquet",
            "populations": r / "populations.parquet", "umap": r / "umap.parquet", "features": r / "features.npy",
            "feature_report": r / "features.json", "graph": r / "graph.npz",
            "raw": [r / "tenx/matrix.mtx"] * len(self.files) if self.modality == "rna" else [],
            "sheet": r / "sheet.parquet",
            "patients": r / "patients.parquet", "cellxgene": None, "title": "small", "output": output,
            "provenance": {"rule": "export_h5ad"}, **other,
        }  # fmt: skip


@pytest.fixture
def rna(tmp_path):
    return Small(tmp_path / "rna_in", "rna")


@pytest.fixture
def cytof(tmp_path):
    return Small(tmp_path / "cytof_in", "cytof")


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Folder with two simulated FCS files."""
    from cimlnk.simulate.cytof import simulate_cytof

    folder = tmp_path_factory.mktemp("cohort")
    for sample in ("P1_D28_cytof", "P1_pre_cytof"):
        simulate_cytof("tiny", 1, sample, fcs=folder / f"{sample}.fcs", truth=folder / f"{sample}.truth.parquet")
    return folder
