import gzip
from functools import cache

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import read_table
from cimlnk.simulate import design
from cimlnk.simulate.composition import POPULATIONS, content
from cimlnk.simulate.genes import KIR_GENES, N_GENES, gene_ids, gene_names, mitochondrial, profiles, programme_table
from cimlnk.simulate.repertoire import repertoire
from cimlnk.simulate.rna import simulate_rna, simulate_sample
from cimlnk.simulate.tables import CELLS_RNA


@cache
def drawn(sample_id, size="demo"):
    return simulate_sample(size, 1, design.sample(size, 1, sample_id))


def rate(counts, rows, gene):
    """Molecules of a gene per 10,000 over a group of cells."""
    return 1e4 * counts[rows, gene_names().index(gene)].sum() / counts[rows].sum()


def test_gene_names_and_ids_are_unique():
    assert len(set(gene_names())) == len(set(gene_ids())) == N_GENES
    assert {"KLRC1", "KIR2DL1", "MT-CO1", "RPL10", "TRAC"} <= set(gene_names())
    assert np.allclose(profiles().sum(), 1) and (profiles() >= 0).all().all()


def test_levels_are_those_of_real_cells():
    table = profiles()
    for kind, genes in {"NK": ("GNLY", "NKG7", "KLRD1"), "B": ("MS4A1", "CD79A"), "monocyte": ("LYZ", "S100A8"),
                        "CD4_T": ("IL7R",), "MAIT": ("KLRB1",)}.items():  # fmt: skip
        others = table.drop(columns=[kind, "CD56_T", "ILC", "neutrophil", "basophil", "nonclassical"], errors="ignore")
        assert (table.loc[list(genes), kind] > 2 * others.loc[list(genes)].median(axis=1)).all(), kind


def test_a_gene_has_one_effect_per_axis():
    assert not programme_table().duplicated(["axis", "feature"]).any()


def test_truth_counts_are_the_contents_and_barcodes_are_sorted():
    held = content("demo", 1, design.sample("demo", 1, "P1_D28_rna"))
    counts, barcodes, truth = drawn("P1_D28_rna")
    assert counts.shape == (held.total, N_GENES) and counts.dtype == np.int32 and counts.min() == 0
    assert barcodes == sorted(set(barcodes)) and all(len(b) == 18 and b.endswith("-1") for b in barcodes)
    named = truth.loc[truth["class"] == "NK", "population"].value_counts()
    assert [named.get(p, 0) for p in POPULATIONS] == held.nk.tolist()
    assert (truth["class"] == "doublet").sum() == held.doublets and (truth["class"] == "dead").sum() == held.dead


def test_quality_of_the_classes():
    counts, _, truth = drawn("P1_D28_rna")
    label = truth["class"]
    total = pd.Series(counts.sum(axis=1)).groupby(label).median()
    mito = pd.Series(counts[:, mitochondrial()].sum(axis=1) / counts.sum(axis=1))
    mito = mito.groupby(label).median()
    assert 1.5 < total["doublet"] / total["NK"] < 2.6  # two cells; ambient RNA is not doubled
    assert total["dead"] < 0.7 * total["NK"] and mito["dead"] > 0.12 > 0.08 > mito["NK"]


def test_programmes_are_in_the_counts():
    counts, _, truth = drawn("P1_product_rna")
    active = (truth["population"] == "CIML_activated").to_numpy()
    before, _, truth_before = drawn("P1_pre_rna")
    resting = (truth_before["class"] == "NK").to_numpy()
    for gene in ("IL2RA", "TNFRSF4", "IFNG"):
        assert rate(counts, active, gene) > 2 * rate(before, resting, gene)
    assert rate(counts, active, "FCGR3A") < 0.7 * rate(before, resting, "FCGR3A")
    week, _, truth_week = drawn("P1_D7_rna")
    cycling = (truth_week["population"] == "proliferating").to_numpy()
    quiet = (truth_week["population"] == "CD56bright").to_numpy()
    assert rate(week, cycling, "MKI67") > 3 * rate(week, quiet, "MKI67")
    t_cells = (truth_before["class"] == "T").to_numpy()
    assert rate(before, t_cells, "TRAC") > 3 * rate(before, resting, "TRAC")


def test_kir_genes_are_the_donors():
    checked = 0
    for patient in ("P1", "P2", "P3", "P4", "P5", "P6"):
        counts, _, truth = drawn(f"{patient}_pre_rna")
        rows = (truth["population"] == "CD56dim_KIR").to_numpy()
        donor = repertoire(1, design.sample("demo", 1, f"{patient}_pre_rna").patient)
        for present, gene in zip(donor.kir_genes, KIR_GENES.values(), strict=True):
            # Absent genes have no molecules but ambient ones, of which the donor has none either.
            assert (rate(counts, rows, gene) > 0.05) == present
            checked += not present
    assert checked > 0


def test_counts_are_overdispersed():
    counts, _, truth = drawn("P1_D28_rna")
    cells = counts[(truth["population"] == "memory_like").to_numpy()].astype(float)
    cells *= (cells.sum(axis=1).mean() / cells.sum(axis=1))[:, None]
    mean, variance = cells.mean(axis=0), cells.var(axis=0)
    high = mean > 5
    assert np.median((variance[high] - mean[high]) / mean[high] ** 2) == pytest.approx(0.2, abs=0.1)


def test_folder_and_h5_hold_the_same_counts(tmp_path):
    import h5py
    from scipy.io import mmread
    from scipy.sparse import csc_array

    counts, barcodes, _ = drawn("P1_pre_rna", "tiny")
    simulate_rna("tiny", 1, "P1_pre_rna", truth=tmp_path / "t.parquet", folder=tmp_path / "folder")
    simulate_rna("tiny", 1, "P1_pre_rna", truth=tmp_path / "t.parquet", h5=tmp_path / "a.h5")
    with gzip.open(tmp_path / "folder/matrix.mtx.gz") as file:
        assert np.array_equal(mmread(file).toarray().T, counts)
    with gzip.open(tmp_path / "folder/features.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    assert [r[1] for r in rows] == list(gene_names()) and {r[2] for r in rows} == {"Gene Expression"}
    with h5py.File(tmp_path / "a.h5") as file:
        group = file["matrix"]
        parts = [group[k][:] for k in ("data", "indices", "indptr")]
        assert np.array_equal(csc_array(tuple(parts), shape=tuple(group["shape"][:])).toarray().T, counts)
        assert [b.decode() for b in group["barcodes"][:]] == barcodes
    assert read_table(tmp_path / "t.parquet", CELLS_RNA)["barcode"].tolist() == barcodes


def test_same_seed_same_bytes(tmp_path):
    def write(folder, seed=1):
        simulate_rna("tiny", seed, "P2_pre_rna", truth=tmp_path / folder / "t", folder=tmp_path / folder / "f")
        simulate_rna("tiny", seed, "P2_pre_rna", truth=tmp_path / folder / "t", h5=tmp_path / folder / "a.h5")
        return {p.name: p.read_bytes() for p in sorted((tmp_path / folder).rglob("*")) if p.is_file()}

    first = write("one")
    simulate_rna("tiny", 1, "C1_pre_rna", truth=tmp_path / "x", h5=tmp_path / "x.h5")
    assert write("two") == first
    assert write("three", seed=2)["matrix.mtx.gz"] != first["matrix.mtx.gz"]


def test_a_place_must_be_given(tmp_path):
    with pytest.raises(ValueError, match="neither folder nor h5"):
        simulate_rna("tiny", 1, "P2_pre_rna", truth=tmp_path / "t")
