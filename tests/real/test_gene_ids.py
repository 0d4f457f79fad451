"""Ensembl ids of symbols, on real files: the right ones, and for most genes."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from cimlnk.export.symbols import ids_of_symbols

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))


def place(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is absent: set CIMLNK_TEST_DATA")
    return DATA / name


def test_ids_of_a_10x_reference_are_found_by_its_symbols():
    """Cell Ranger's reference 3.0.0 (Ensembl 93) is none of the table's releases."""
    file = place("citeseq_10x_v3_mini/filtered_feature_bc_matrix.tar.gz")
    with tarfile.open(file) as archive:
        member = archive.extractfile("filtered_feature_bc_matrix/features.tsv.gz")
        assert member is not None
        rows = [line.split("\t") for line in gzip.decompress(member.read()).decode().splitlines()]
    true = {symbol: gene for gene, symbol, *_ in rows if gene.startswith("ENSG")}
    ids = ids_of_symbols(list(true)).ids
    given = [(a, b) for a, b in zip(true.values(), ids, strict=True) if b]
    assert all(a == b for a, b in given) and len(given) >= 96 == len(true) - 4


@pytest.mark.parametrize(
    ("name", "least"),
    [("scrna_combat_covid/H00049/features.tsv.gz", 0.98), ("scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad", 0.96)],
)
def test_most_symbols_of_real_files_have_an_id(name, least):
    file = place(name)
    if file.suffix == ".h5ad":
        import anndata as ad

        symbols = list(ad.read_h5ad(file, backed="r").var_names)
    else:
        symbols = [line.split("\t")[0] for line in gzip.open(file, "rt")]
    ids = pd.Series(ids_of_symbols(symbols).ids)
    assert ids.notna().mean() > least and ids.dropna().is_unique
