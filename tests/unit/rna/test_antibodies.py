"""Antibody counts: kept from the genes' own file, read from other forms, and every wrong input told in one line."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.rna.proteins import with_antibodies
from cimlnk.rna.read import read_counts
from cimlnk.rna.read_adt import empty_droplets, hashtag_cells, place_of, read_antibody_file

BARCODES = [f"ACGTACGTACGTAC{a}{b}-1" for a in "ACGT" for b in "ACGT"]
NAMES = ["CD3_TotalSeqB", "CD56", "IgG1_control"]


def dna(n):
    """Barcodes as sequencers give them."""
    letters = np.array(list("ACGT"))
    return ["".join(letters[d]) + "-1" for d in np.arange(n)[:, None] // 4 ** np.arange(14) % 4]


@pytest.fixture
def table():
    X = np.random.default_rng(0).integers(0, 200, (len(BARCODES), len(NAMES)))
    return pd.DataFrame(X, BARCODES, NAMES)


def same(found, table):
    counts, barcodes = found
    assert list(counts.names) == list(table.columns)
    got = pd.DataFrame(counts.matrix.toarray(), barcodes, counts.names).reindex(table.index)
    assert (got.to_numpy() == table.to_numpy()).all()


def test_antibody_rows_of_the_own_file_are_kept(tmp_path, blood, make):
    folder = make.mtx(tmp_path / "s", blood)
    rows = gzip.decompress((folder / "features.tsv.gz").read_bytes()).decode().splitlines()
    rows[-1] = rows[-1].replace("Gene Expression", "Antibody Capture")
    (folder / "features.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    counts = read_counts(folder)
    assert list(counts.antibodies.names) == [blood.genes[-1]] and blood.genes[-1] not in counts.genes
    assert (counts.antibodies.matrix.toarray().ravel() == blood.counts[:, -1].toarray().ravel()).all()
    assert read_counts(make.h5(tmp_path / "s.h5", blood)).antibodies is None


@pytest.mark.parametrize("form", ["cells.csv", "antibodies.tsv", "antibodies.csv.gz", "r.csv"])
def test_tables_of_either_orientation(tmp_path, table, form):
    path = tmp_path / form
    way = table if form in ("cells.csv", "r.csv") else table.T
    text = way.to_csv(sep="\t" if ".tsv" in form else ",")
    if form == "r.csv":  # R's write.csv leaves a name out and quotes, write.table leaves the corner out
        text = text.split(",", 1)[1]
    path.write_bytes(gzip.compress(text.encode()) if form.endswith(".gz") else text.encode())
    same(read_antibody_file(path), table)


def test_count_tools_summary_row_is_no_antibody(tmp_path, table):
    (tmp_path / "a.csv").write_text(table.assign(unmapped=7).T.to_csv())
    same(read_antibody_file(tmp_path / "a.csv"), table)


def test_ten_x_h5_of_antibodies_alone(tmp_path, table):
    same(read_antibody_file(h5(tmp_path / "a.h5", table)), table)


def h5(path, table, kind=b"Antibody Capture"):
    X = sp.csr_matrix(table.to_numpy())
    with h5py.File(path, "w") as f:
        g = f.create_group("matrix")
        g["data"], g["indices"], g["indptr"], g["shape"] = X.data, X.indices, X.indptr, np.array(X.shape[::-1])
        g["barcodes"] = np.array(table.index, "S")
        g["features/name"], g["features/feature_type"] = np.array(table.columns, "S"), np.full(X.shape[1], kind)
    return path


def test_barcodes_meet_with_and_without_suffix_and_prefix():
    cells = np.array(BARCODES, object)
    for change in (lambda b: b[:-2], lambda b: f"lane1_{b}", lambda b: b):
        there = np.array([change(b) for b in BARCODES][::-1], object)
        assert place_of("x", there, cells).tolist() == list(range(len(cells)))[::-1]


def test_empty_droplets_are_neither_cells_nor_bare(tmp_path, table):
    droplets = pd.DataFrame(20, [f"TTTTACGTACGTAC{a}{b}-1" for a in "ACGT" for b in "ACGT"], NAMES)
    droplets.iloc[0] = 0
    whole = pd.concat([table + 100, droplets])
    found = empty_droplets(
        h5(tmp_path / "raw.h5", whole), np.array(NAMES), cells=table.index.to_numpy(), totals=np.array([400.0, 500.0])
    )
    assert found.shape == (15, 3) and (found.toarray() == 20).all()


def test_hashtags_choose_a_samples_cells(tmp_path, blood, make):
    calls = pd.DataFrame({"hash.ID": np.resize(["HTO1", "HTO2", "Doublet"], len(blood.barcodes))}, blood.barcodes)
    calls.index = dna(len(calls))
    blood = SimpleNamespace(**{**vars(blood), "barcodes": calls.index.to_numpy(dtype=object)})
    calls.to_csv(tmp_path / "calls.csv")
    counts = read_counts(make.mtx(tmp_path / "s", blood))
    found = with_antibodies(counts, {"hashtags": str(tmp_path / "calls.csv"), "hashtag": "HTO2"})
    assert list(found.barcodes) == list(calls.index[calls["hash.ID"] == "HTO2"])
    assert "are HTO2 by calls.csv" in found.notes[-1]


@pytest.mark.parametrize(
    ("header", "rows", "call", "kept"),
    [
        ("barcode\tstatus\tassignment", ["singlet\t0", "doublet\t0", "unassigned\t0", "singlet\t1"], "0", [0]),
        ("BARCODE\tBEST\tSNG.1ST", ["SNG-A", "DBL-A-B-0.5", "AMB-A-B", "SNG-B"], "A", [0]),
        ("cell\tdonor_id\tprob_max", ["donor0\t1", "donor0\t.9", "doublet\t1", "unassigned\t1"], "donor0", [0, 1]),
        (
            "cell\tHTO_classification.global\thash.ID",
            ["Singlet\tH1", "Doublet\tDoublet", "Negative\tNegative", "Singlet\tH2"], "H1", [0],
        ),
    ],
)  # fmt: skip
def test_calls_of_donors_choose_a_samples_cells_and_doublets_are_nobodys(tmp_path, header, rows, call, kept):
    cells = np.array(dna(4), object)
    if "BEST" in header:
        rows = [f"{r}\tA" if "A" in r else f"{r}\tB" for r in rows]
    (tmp_path / "calls.tsv").write_text("\n".join([header, *(f"{c}\t{r}" for c, r in zip(cells, rows, strict=True))]))
    assert np.flatnonzero(hashtag_cells(tmp_path / "calls.tsv", call, cells)).tolist() == kept


def with_value(table, value):
    table = table.astype(object)
    table.iloc[1, 1] = value
    return table


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda t: with_value(t, "many").to_csv(), "row 3, column CD56: found 'many', expected a whole number"),
        (lambda t: with_value(t, 1.5).to_csv(), "antibodies: found a matrix that holds .* fractions"),
        (lambda t: with_value(t, -3).to_csv(), "antibodies: found a matrix that holds 1 negative values"),
        (lambda t: t.reset_index(drop=True).to_csv(), "expected cell barcodes in the header or in the first column"),
        (lambda t: t.to_csv() + "AAAA,1\n", r"row 18: found 2 fields, expected 4 as in the header"),
        (lambda t: "", "the table: found 0 rows"),
        (lambda t: "\x00\x01\x02\x03" * 9, "content: found binary data"),
    ],
)
def test_wrong_tables_end_in_one_line(tmp_path, table, content, message):
    path = tmp_path / "adt.csv"
    path.write_text(content(table))
    with pytest.raises(UserError, match=message) as error:
        read_antibody_file(path)
    assert "\n" not in str(error.value) and "adt.csv" in str(error.value)


def test_wrong_files_end_in_one_line(tmp_path, table):
    with pytest.raises(UserError, match="expected a file or folder that exists"):
        read_antibody_file(tmp_path / "none.csv")
    genes = pd.DataFrame(1, BARCODES, [f"GENE{i}" for i in range(1200)])
    with pytest.raises(UserError, match="feature types: found 'Gene Expression', expected features of type"):
        read_antibody_file(h5(tmp_path / "genes.h5", genes, b"Gene Expression"))
    with h5py.File(h5(tmp_path / "shape.h5", table), "r+") as f:
        f["matrix/shape"][0] = 98_956_046_499_852
    with pytest.raises(UserError, match="as the shape says"):
        read_antibody_file(tmp_path / "shape.h5")
    (tmp_path / "broken.h5").write_bytes(h5(tmp_path / "a.h5", table).read_bytes()[:900])
    with pytest.raises(UserError, match="HDF5: found a truncated or corrupt file"):
        read_antibody_file(tmp_path / "broken.h5")
    with pytest.raises(UserError, match=r"found 0 of 2 cells of the sample \(.* here, TTTTTTTTTTTT-1 there\)"):
        place_of("adt.csv", table.index.to_numpy(), np.array(["TTTTTTTTTTTT-1", "GGGGGGGGGGGG-1"], object))
    with pytest.raises(UserError, match="expected every barcode once"):
        place_of("adt.csv", np.array(["AAAACCCCGGGG"] * 2, object), np.array(["AAAACCCCGGGG"], object))
    with pytest.raises(UserError, match="antibodies: found 'CD19', expected the antibodies of the cells"):
        empty_droplets(tmp_path / "a.h5", np.array(["CD19"]), cells=np.array([]), totals=np.array([]))
    with pytest.raises(UserError, match="16 droplets, 16 of them cells, none empty"):
        empty_droplets(tmp_path / "a.h5", np.array(NAMES), cells=table.index.to_numpy(), totals=np.array([9.0]))
    (tmp_path / "calls.csv").write_text("barcode,hashtag\n" + "\n".join(f"{b},HTO1" for b in BARCODES))
    with pytest.raises(UserError, match="column hashtag: found 'HTO2', expected a call of this column"):
        hashtag_cells(tmp_path / "calls.csv", "HTO2", table.index.to_numpy())
    with pytest.raises(UserError, match="expected a column 'kind'"):
        hashtag_cells(tmp_path / "calls.csv", "HTO1", table.index.to_numpy(), column="kind")


def test_cells_of_a_sample_with_their_calls_by_rna(tmp_path, blood, make, settings):
    """Antibodies of all live single cells, not of NK cells alone: lineages by protein need the others."""
    from cimlnk.rna.cells import make_cells

    folder = make.mtx(tmp_path / "s", blood)
    names = dna(len(blood.barcodes))
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress("\n".join(names).encode()))
    table = pd.DataFrame(np.arange(len(names) * 3).reshape(-1, 3) % 50 + 1, names, NAMES)
    table.iloc[::2].to_csv(tmp_path / "adt.csv")  # half of the cells have antibodies
    make_cells(
        raw=str(folder), sample="a", settings=settings, seed=1, output=str(tmp_path / "a.h5ad"), provenance={},
        lineages=str(make.lineages), gates=str(tmp_path / "a.parquet"), proteins=str(tmp_path / "p.h5ad"),
        antibodies={"counts": str(tmp_path / "adt.csv")},
    )  # fmt: skip
    proteins = ad.read_h5ad(tmp_path / "p.h5ad")
    cells = [c.split(":")[1] for c in proteins.obs_names]
    assert set(cells) <= set(table.index[::2]) and 150 < len(cells) < 210
    assert (proteins.X.toarray() == table.loc[cells].to_numpy()).all()
    assert list(proteins.var["kind"]) == ["protein", "protein", "isotype"]
    assert list(proteins.var_names[:2]) == ["CD3", "CD56"]
    assert set(proteins.obs["lineage_rna"]) >= {"NK", "T", "B", "monocyte"} and proteins.obs["nk_rna"].any()
    assert json.loads(proteins.uns["cimlnk"])["cells_without_antibodies"] > 100
