"""A small blood sample with known lineages, and writers of the file formats a sequencing core hands over."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import yaml

ROOT = Path(__file__).parents[3]
LINEAGES = ROOT / "resources/signatures/contaminants.yaml"
DEFINITIONS = ROOT / "resources/signatures/nk.yaml"

SHARED = ("NKG7", "GNLY", "PRF1", "CST7", "GZMB")
PROGRAMMES = {
    "NK": (*SHARED, "KLRD1", "KLRF1", "NCAM1", "TYROBP", "FCER1G", "FCGR3A", "SPON2", "CLIC3", "XCL1", "IL2RB"),
    # Adaptive NK cells transcribe CD3 chains and lack FCER1G and KLRF1: the trap for CD3-based exclusion.
    "adaptive": (*SHARED, "KLRD1", "NCAM1", "TYROBP", "FCGR3A", "CD3E", "CD3D", "CD3G", "KLRC2", "IL32", "SPON2"),
    "T": ("TRAC", "TRBC2", "CD3D", "CD3E", "CD3G", "CD5", "CD6", "IL7R", "CD28"),
    "CTL": (*SHARED, "TRAC", "TRBC2", "CD3D", "CD3E", "CD3G", "CD8A", "CD8B", "GZMK", "CCL5"),
    "B": ("MS4A1", "CD79A", "CD79B", "CD19", "HLA-DRA", "CD74"),
    "mono": ("LYZ", "CD14", "S100A8", "S100A9", "FCN1", "CST3", "VCAN", "HLA-DRA", "CD74", "TYROBP", "FCER1G"),
}
SIZES = {"NK": 150, "adaptive": 40, "T": 80, "CTL": 50, "B": 40, "mono": 50}


def make_blood(
    seed: int = 0,
    sizes: dict[str, int] = SIZES,
    depth: float = 4000.0,
    ambient: float = 0.03,
    fillers: int = 600,
    dying: int = 0,
) -> SimpleNamespace:
    """Counts of a sample: negative-binomial cells of known lineage, plus ambient RNA and dying cells."""
    random = np.random.default_rng(seed)
    markers = sorted({g for p in PROGRAMMES.values() for g in p})
    genes = [*markers, "MT-CO1", "MT-ND1", "RPL10", "RPS3", *(f"GENE{i:04d}" for i in range(fillers))]
    base = random.gamma(0.5, 1.0, len(genes))
    base[: len(markers)] = 1e-4
    position = {g: i for i, g in enumerate(genes)}
    base[[position["MT-CO1"], position["MT-ND1"]]] = base.sum() * 0.015
    truth = np.repeat(list(sizes), list(sizes.values()))
    profiles = {}
    for name, programme in PROGRAMMES.items():
        profile = base.copy()
        profile[[position[g] for g in programme]] = base.sum() * 0.012
        profiles[name] = profile / profile.sum()
    mean = np.array([profiles[t] for t in truth])
    alive = np.ones(len(truth), dtype=bool)
    if dying:
        rows = random.choice(len(truth), dying, replace=False)
        alive[rows] = False
        mean[np.ix_(rows, [position["MT-CO1"], position["MT-ND1"]])] = 0.3
        mean /= mean.sum(axis=1, keepdims=True)
    mean = (1 - ambient) * mean + ambient * mean.mean(axis=0)
    total = depth * np.exp(random.normal(0, 0.25, len(truth)))
    rate = mean * total[:, None] * random.gamma(5.0, 0.2, mean.shape)
    counts = sp.csr_matrix(random.poisson(rate).astype(np.int32))
    barcodes = np.array([f"CELL{i:05d}-1" for i in range(len(truth))], dtype=object)
    return SimpleNamespace(
        counts=counts, genes=np.array(genes, dtype=object), barcodes=barcodes, truth=truth, alive=alive
    )


def write_mtx(folder: Path, blood: SimpleNamespace, version: int = 3, zipped: bool = True, prefix: str = "") -> Path:
    """A 10x folder; genes.tsv (version 2) or features.tsv (version 3)."""
    folder.mkdir(parents=True, exist_ok=True)
    coo = blood.counts.T.tocoo()
    lines = ["%%MatrixMarket matrix coordinate integer general", "%", f"{coo.shape[0]} {coo.shape[1]} {coo.nnz}"]
    lines += [f"{r + 1} {c + 1} {v}" for r, c, v in zip(coo.row, coo.col, coo.data, strict=True)]
    features = [f"ENSG{i:011d}\t{g}" + ("\tGene Expression" if version >= 3 else "") for i, g in enumerate(blood.genes)]
    texts = {
        "matrix.mtx": lines,
        "barcodes.tsv": list(blood.barcodes),
        ("features.tsv" if version >= 3 else "genes.tsv"): features,
    }
    for name, rows in texts.items():
        data = ("\n".join(rows) + "\n").encode()
        file = folder / (prefix + name + (".gz" if zipped else ""))
        file.write_bytes(gzip.compress(data, mtime=0) if zipped else data)
    return folder


def write_h5(path: Path, blood: SimpleNamespace, version: int = 3) -> Path:
    """A 10x HDF5 file of Cell Ranger 2 (group per genome) or 3 (group matrix)."""
    import h5py

    matrix = blood.counts.tocsr()
    ids = np.array([f"ENSG{i:011d}".encode() for i in range(len(blood.genes))])
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version >= 3 else "GRCh38")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array(matrix.shape[::-1])
        group["barcodes"] = blood.barcodes.astype("S")
        if version >= 3:
            group["features/name"], group["features/id"] = blood.genes.astype("S"), ids
            group["features/feature_type"] = np.full(len(ids), b"Gene Expression")
        else:
            group["gene_names"], group["genes"] = blood.genes.astype("S"), ids
    return path


def write_h5ad(path: Path, blood: SimpleNamespace, x=None, layers=None, raw=None) -> Path:
    """An h5ad whose X is the counts unless given."""
    import anndata as ad
    import pandas as pd

    data = ad.AnnData(
        blood.counts.astype(np.float32) if x is None else x,
        obs=pd.DataFrame(index=blood.barcodes),
        var=pd.DataFrame(index=blood.genes),
        layers=layers,
    )
    if raw is not None:
        data.raw = ad.AnnData(raw, obs=data.obs, var=data.var)
    data.write_h5ad(path)
    return path


def defaults(schema: dict) -> dict:
    """The default of every key of a config schema."""
    if schema.get("type") == "object":
        return {k: defaults(v) for k, v in schema["properties"].items()}
    return schema["default"]


def schema_settings() -> dict:
    return defaults(yaml.safe_load((ROOT / "workflow/schemas/config/rna.schema.yaml").read_text()))


@pytest.fixture
def settings() -> dict:
    return schema_settings()


@pytest.fixture(scope="session")
def blood() -> SimpleNamespace:
    return make_blood()


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The makers and writers above, as importlib-mode tests cannot import each other."""
    return SimpleNamespace(
        blood=make_blood,
        mtx=write_mtx,
        h5=write_h5,
        h5ad=write_h5ad,
        lineages=LINEAGES,
        definitions=DEFINITIONS,
        settings=schema_settings,
    )
