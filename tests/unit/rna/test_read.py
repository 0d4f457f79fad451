"""Every way a count matrix may lie on disk gives the same counts; every fault gives one message."""

from __future__ import annotations

import gzip
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.rna.read import read_counts


@pytest.fixture(scope="module")
def blood(make):
    """Smaller than the other tests' sample: many files are written here."""
    return make.blood(sizes={"NK": 12, "T": 8}, fillers=80)


def same(counts, blood) -> None:
    assert (counts.matrix != blood.counts).nnz == 0
    assert counts.matrix.dtype == np.int32
    assert list(counts.barcodes) == list(blood.barcodes)
    assert list(counts.genes) == list(blood.genes)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("zipped", [True, False])
def test_folder(tmp_path, blood, make, version, zipped):
    same(read_counts(make.mtx(tmp_path / "s", blood, version, zipped)), blood)


def test_folder_with_geo_prefix_and_its_matrix_file(tmp_path, blood, make):
    folder = make.mtx(tmp_path / "s", blood, prefix="GSM1_a_")
    same(read_counts(folder), blood)
    same(read_counts(folder / "GSM1_a_matrix.mtx.gz"), blood)


def test_folder_of_cell_ranger_takes_the_filtered_matrix(tmp_path, blood, make):
    make.mtx(tmp_path / "outs/raw_feature_bc_matrix", make.blood(sizes={"NK": 9}, fillers=80))
    make.mtx(tmp_path / "outs/filtered_feature_bc_matrix", blood)
    counts = read_counts(tmp_path)
    same(counts, blood)
    assert "filtered_feature_bc_matrix" in counts.notes[0]


@pytest.mark.parametrize("version", [2, 3])
def test_h5(tmp_path, blood, make, version):
    same(read_counts(make.h5(tmp_path / "s.h5", blood, version)), blood)


def test_h5ad_sparse_and_dense(tmp_path, blood, make):
    same(read_counts(make.h5ad(tmp_path / "a.h5ad", blood)), blood)
    same(read_counts(make.h5ad(tmp_path / "b.h5ad", blood, x=blood.counts.toarray().astype(np.float32))), blood)


def test_h5ad_finds_counts_behind_a_normalised_x(tmp_path, blood, make):
    logged = blood.counts.astype(np.float32).log1p()
    in_layer = read_counts(make.h5ad(tmp_path / "a.h5ad", blood, x=logged, layers={"counts": blood.counts}))
    same(in_layer, blood)
    assert in_layer.found == "h5ad, layers/counts"
    in_raw = read_counts(make.h5ad(tmp_path / "b.h5ad", blood, x=logged, raw=blood.counts))
    same(in_raw, blood)
    assert "X holds" in in_raw.notes[0] and "log-normalised" in in_raw.notes[0]
    named = make.h5ad(tmp_path / "c.h5ad", blood, x=logged, layers={"umi": blood.counts})
    same(read_counts(named, "layers/umi"), blood)
    with pytest.raises(UserError, match=r"rna\.counts: found 'layers/umis'.*did you mean 'layers/umi'"):
        read_counts(named, "layers/umis")


def test_ensembl_ids_are_mapped_by_the_second_column(tmp_path, blood, make):
    import anndata as ad
    import pandas as pd

    ids = [f"ENSG{i:011d}.{i % 7}" for i in range(len(blood.genes))]
    data = ad.AnnData(
        blood.counts.astype(np.float32),
        obs=pd.DataFrame(index=blood.barcodes),
        var=pd.DataFrame({"feature_name": blood.genes}, index=ids),
    )
    data.write_h5ad(tmp_path / "s.h5ad")
    counts = read_counts(tmp_path / "s.h5ad")
    same(counts, blood)
    assert "second name column" in counts.notes[0]


def test_symbols_of_two_genes_are_summed(tmp_path, blood, make):
    twice = SimpleNamespace(**{**vars(blood), "genes": blood.genes.copy()})
    twice.genes[-1] = twice.genes[-2]
    counts = read_counts(make.mtx(tmp_path / "s", twice))
    expected = blood.counts[:, -2].toarray() + blood.counts[:, -1].toarray()
    assert counts.matrix.shape[1] == len(blood.genes) - 1
    assert (counts.matrix[:, -1].toarray() == expected).all()
    assert twice.genes[-1] in counts.notes[0]


def test_antibodies_are_no_genes_and_the_other_genome_is_left_out(tmp_path, blood, make):
    folder = make.mtx(tmp_path / "s", blood)
    rows = gzip.decompress((folder / "features.tsv.gz").read_bytes()).decode().splitlines()
    rows = [r.replace("\t", "\tGRCh38_", 1) for r in rows]
    rows[-1] = rows[-1].replace("Gene Expression", "Antibody Capture")
    rows[-2] = "ENSMUSG00000000001\tmm10_Gnai3\tGene Expression"
    (folder / "features.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    counts = read_counts(folder)
    assert list(counts.genes) == list(blood.genes[:-2])
    assert list(counts.antibodies.names) == [rows[-1].split("\t")[1]] and any("mouse" in n for n in counts.notes)


def changed(blood, **what):
    return SimpleNamespace(**{**vars(blood), **what})


def spoil(counts, value):
    bad = counts.astype(np.float32)
    bad.data[5] = value
    return bad


def one_name_twice(names):
    names = names.copy()
    names[3] = names[2]
    return names


MOUSE = np.array([*(f"Gene{i}" for i in range(100)), "Nkg7", "mt-Nd1"], dtype=object)

# name -> (how the file is made from (tmp_path, blood, make), what the message must say)
FAULTS = {
    "missing path": (lambda d, b, m: d / "nowhere.h5", "nowhere.h5.*that exists"),
    "empty file": (lambda d, b, m: text(d / "a.h5", ""), "0 bytes"),
    "a text file": (lambda d, b, m: text(d / "a.h5", "hello world, no HDF5"), "first bytes"),
    "truncated h5": (lambda d, b, m: cut(m.h5(d / "a.h5", b)), "truncated or corrupt"),
    "truncated h5ad": (lambda d, b, m: cut(m.h5ad(d / "a.h5ad", b)), "truncated or corrupt"),
    "h5 of something else": (lambda d, b, m: other_h5(d / "a.h5"), "group 'matrix'"),
    "h5 without barcodes": (lambda d, b, m: without(m.h5(d / "a.h5", b), "matrix/barcodes"), "no barcodes"),
    "h5 too few barcodes": (lambda d, b, m: shorter(m.h5(d / "a.h5", b)), "barcodes and features say"),
    "h5 wrong shape": (lambda d, b, m: wrong_shape(m.h5(d / "a.h5", b)), "contradict the shape"),
    "h5 antibodies only": (lambda d, b, m: antibodies(m.h5(d / "a.h5", b)), "'Custom'.*Gene Expression"),
    "empty folder": (lambda d, b, m: d, "matrix.mtx.*no such file"),
    "no barcodes": (lambda d, b, m: drop(m.mtx(d / "a", b), "barcodes.tsv.gz"), "barcodes.tsv"),
    "no features": (lambda d, b, m: drop(m.mtx(d / "a", b), "features.tsv.gz"), "features.tsv"),
    "two matrices": (lambda d, b, m: copy(m.mtx(d / "a", b, prefix="x_"), "x_matrix.mtx.gz", "y_matrix.mtx.gz"), "one"),
    "truncated gz": (lambda d, b, m: cut_in(m.mtx(d / "a", b), "matrix.mtx.gz"), "whole gzip"),
    "truncated mtx": (lambda d, b, m: cut_in(m.mtx(d / "a", b, zipped=False), "matrix.mtx"), "truncated or malformed"),
    "no matrix market": (lambda d, b, m: put(m.mtx(d / "a", b), "matrix.mtx.gz", b"1 2 3"), "MatrixMarket"),
    "binary barcodes": (lambda d, b, m: put(m.mtx(d / "a", b), "barcodes.tsv.gz", b"\xff\xfe\x00"), "UTF-8"),
    "empty barcodes": (lambda d, b, m: put(m.mtx(d / "a", b), "barcodes.tsv.gz", b"\n"), "no rows"),
    "fewer barcodes": (lambda d, b, m: put(m.mtx(d / "a", b), "barcodes.tsv.gz", b"A-1\nB-1\n"), "2 barcodes"),
    "log-normalised": (
        lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=b.counts.astype(np.float32).log1p()),
        "log-normalised",
    ),
    "scaled": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=spoil(b.counts, -1.0)), "negative"),
    "NaN": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=spoil(b.counts, np.nan)), "NaN"),
    "infinite": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=spoil(b.counts, np.inf)), "NaN or infinite"),
    "one fraction": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=spoil(b.counts, 1.5)), "fractions"),
    "huge": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=spoil(b.counts, 1e10)), "more than any UMI"),
    "all zero": (lambda d, b, m: m.h5ad(d / "a.h5ad", b, x=sp.csr_matrix(b.counts.shape, dtype=np.float32)), "zeros"),
    "no cells": (lambda d, b, m: m.h5(d / "a.h5", changed(b, counts=b.counts[:0], barcodes=b.barcodes[:0])), "one of"),
    "barcode twice": (
        lambda d, b, m: m.h5(d / "a.h5", changed(b, barcodes=one_name_twice(b.barcodes))),
        "more than once",
    ),
    "mouse": (lambda d, b, m: m.h5(d / "a.h5", changed(b, counts=b.counts[:, :102], genes=MOUSE)), "mouse"),
    "Ensembl only": (
        lambda d, b, m: m.h5ad(
            d / "a.h5ad", changed(b, genes=np.array([f"ENSG{i:011d}" for i in range(len(b.genes))]))
        ),
        "gene symbols",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_gives_one_message(tmp_path, blood, make, fault):
    build, message = FAULTS[fault]
    with pytest.raises(UserError, match=message) as caught:
        read_counts(build(tmp_path, blood, make))
    text = str(caught.value)
    assert "\n" not in text and "expected" in text and str(tmp_path) in text


def test_real_numbers_that_are_whole_are_counts(tmp_path, blood, make):
    nearly = blood.counts.astype(np.float64)
    nearly.data += 1e-12  # what a round trip through logarithms leaves behind
    same(read_counts(make.h5ad(tmp_path / "a.h5ad", blood, x=nearly)), blood)


def text(path, content):
    path.write_text(content)
    return path


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def cut_in(folder, name):
    cut(folder / name)
    return folder


def put(folder, name, content):
    (folder / name).write_bytes(gzip.compress(content))
    return folder


def drop(folder, name):
    (folder / name).unlink()
    return folder


def copy(folder, name, to):
    (folder / to).write_bytes((folder / name).read_bytes())
    return folder


def other_h5(path):
    import h5py

    with h5py.File(path, "w") as file:
        file["table"] = np.arange(3)
    return path


def edit(path, change):
    import h5py

    with h5py.File(path, "r+") as file:
        change(file)
    return path


def without(path, name):
    def change(file):
        del file[name]

    return edit(path, change)


def shorter(path):
    def change(file):
        names = file["matrix/barcodes"][:-1]
        del file["matrix/barcodes"]
        file["matrix/barcodes"] = names

    return edit(path, change)


def wrong_shape(path):
    def change(file):
        file["matrix/shape"][0] = 5

    return edit(path, change)


def antibodies(path):
    def change(file):
        file["matrix/features/feature_type"][:] = b"Custom"

    return edit(path, change)
