"""What is wrong with users' raw files (FCS, 10x, h5ad): every fault ends in one complete message."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faults import load, make_cytof, make_rna, one_message, rewrite, without
from lab import CYTOF, Lab


def test_the_lab_has_no_fault(lab):
    load(lab)
    make_cytof(lab)
    make_rna(lab, lab.h5)
    make_rna(lab, lab.folder)


def no_nk(events, channels, markers):
    events = events.copy()
    for i, marker in enumerate(markers):
        if marker.endswith("CD56") or marker.endswith("CD7"):
            events[:, i] = 0
    return events, channels, markers


FCS = {
    "empty": (lambda p: p.write_bytes(b""), "", ""),
    "not FCS": (lambda p: p.write_text("sample,day\n1,2\n"), "", "FCS"),
    "cut in the header": (lambda p: p.write_bytes(p.read_bytes()[:40]), "", ""),
    "cut in the text": (lambda p: p.write_bytes(p.read_bytes()[:300]), "", ""),
    "cut in the events": (lambda p: p.write_bytes(p.read_bytes()[:100_000]), "", ""),
    "no events": (lambda p: rewrite(p, lambda e, c, m: (e[:0], c, m)), "events", "an FCS file with events"),
    "no CD3": (lambda p: rewrite(p, without("In115Di")), "In115Di (CD3)", "a channel of the file"),
    "transformed": (lambda p: rewrite(p, lambda e, c, m: (np.arcsinh(e / 5), c, m)), "", "cytof.input_scale"),
    "not numbers": (lambda p: rewrite(p, lambda e, c, m: (e * np.nan, c, m)), "", ""),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "", ""),
}


@pytest.mark.parametrize("fault", FCS)
def test_fcs(lab, fault):
    spoil, where, words = FCS[fault]
    path = lab.fcs(CYTOF[1])
    spoil(path)
    one_message(lambda: make_cytof(lab), path.name if fault != "a folder" else "samples.tsv", where, words=words)


def test_a_file_without_nk_cells_is_told(lab):
    rewrite(lab.fcs(CYTOF[1]), no_nk)
    one_message(lambda: make_cytof(lab), CYTOF[1], "gat", words="")


def mtx(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "matrix.mtx.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))


def lines(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    rows = gzip.decompress(file.read_bytes()).decode().splitlines()
    file.write_bytes(gzip.compress(("\n".join(change(rows)) + "\n").encode()))


def fraction(text: str) -> str:
    head, _, last = text.rstrip("\n").rpartition("\n")
    return f"{head.replace('integer', 'real')}\n{last}.5\n"


TENX = {
    "no matrix": (lambda f: (f / "matrix.mtx.gz").unlink(), "matrix.mtx"),
    "no barcodes": (lambda f: (f / "barcodes.tsv.gz").unlink(), "barcodes.tsv"),
    "matrix cut off": (lambda f: (f / "matrix.mtx.gz").write_bytes((f / "matrix.mtx.gz").read_bytes()[:5000]), "gzip"),
    "a barcode too few": (lambda f: lines(f / "barcodes.tsv.gz", lambda rows: rows[:-1]), "barcodes"),
    "a barcode twice": (lambda f: lines(f / "barcodes.tsv.gz", lambda rows: [rows[1], *rows[1:]]), "barcode"),
    "a gene too few": (lambda f: lines(f / "features.tsv.gz", lambda rows: rows[:-1]), ""),
    "mouse": (lambda f: lines(f / "features.tsv.gz", lambda rows: [r.title() for r in rows]), ""),
    "fractions": (lambda f: mtx(f, fraction), "raw integer UMI counts"),
    "negative": (lambda f: mtx(f, lambda t: re.sub(r" (\d+)\n$", r" -\1\n", t)), ""),
    "an empty folder": (lambda f: [p.unlink() for p in f.iterdir()], "matrix.mtx"),
}


@pytest.mark.parametrize("fault", TENX)
def test_10x_folder(lab, fault):
    spoil, words = TENX[fault]
    spoil(lab.folder)
    one_message(lambda: make_rna(lab, lab.folder), lab.folder.name, "", words=words)


H5 = {
    "empty": (lambda p: p.write_bytes(b""), "0 bytes"),
    "text": (lambda p: p.write_text("gene,cell\n"), "an HDF5 file"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:50_000]), ""),
}


@pytest.mark.parametrize("fault", H5)
def test_10x_h5(lab, fault):
    spoil, words = H5[fault]
    spoil(lab.h5)
    one_message(lambda: make_rna(lab, lab.h5), lab.h5.name, "", words=words)


def h5ad(lab: Lab, change: Callable) -> Path:
    """An h5ad of the 10x file's counts, changed."""
    import anndata

    from cimlnk.rna.read import read_counts

    counts = read_counts(lab.h5)
    data = anndata.AnnData(counts.matrix.astype(np.float32))
    data.obs_names, data.var_names = list(map(str, counts.barcodes)), list(map(str, counts.genes))
    path = lab.base / "raw/a.h5ad"
    change(data).write_h5ad(path)
    return path


def normalised(data):
    data.X = data.X.multiply(1e4 / np.maximum(data.X.sum(axis=1), 1)).tocsr()
    data.X.data = np.log1p(data.X.data)
    return data


def scaled(data):
    dense = data.X.toarray()
    data.X = ((dense - dense.mean(0)) / (dense.std(0) + 1)).astype(np.float32)
    return data


def zero(data):
    data.X = data.X * 0
    return data


H5AD = {
    "normalised": (normalised, "raw integer UMI counts"),
    "scaled": (scaled, "raw integer UMI counts"),
    "only zeros": (zero, "counts above zero"),
    "no NK markers": (lambda d: d[:, d.var_names.str.startswith(("RPL", "RPS"))].copy(), ""),
    "no cells": (lambda d: d[:0].copy(), ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", H5AD)
def test_h5ad(lab, fault):
    change, words = H5AD[fault]
    path = h5ad(lab, change)
    one_message(lambda: make_rna(lab, path), "a.h5ad", "", words=words)


def test_h5ad_without_the_layer_the_config_names(lab):
    lab.configure(rna={"counts": "layers/spliced"})
    path = h5ad(lab, lambda data: data)
    one_message(lambda: make_rna(lab, path), "a.h5ad", "rna.counts", words="layers/spliced")
