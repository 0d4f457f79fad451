"""Damaged and hostile count files: a right result or one message, in a process of its own that a crash would end."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.rna.counts import make_counts
from cimlnk.rna.read import read_counts

GENES = ["NKG7", "GNLY", "CD3E", "LYZ"]
CELLS = ["AAAC", "AAAG", "AAAT"]
COUNTS = sp.csr_matrix(np.array([[1, 0, 2, 0], [0, 3, 0, 4], [5, 0, 6, 0]], dtype=np.int32))


def write_h5ad(path: Path, symbols=GENES, **extra) -> Path:
    import anndata as ad

    ad.AnnData(COUNTS, pd.DataFrame(index=CELLS), pd.DataFrame(extra, index=list(symbols))).write_h5ad(path)
    return path


def write_folder(folder: Path, tail: bytes = b"", entries: int | None = None, names=GENES, ids=None) -> Path:
    folder.mkdir()
    table = COUNTS.T.tocoo()
    body = "".join(f"{r + 1} {c + 1} {v}\n" for r, c, v in zip(table.row, table.col, table.data, strict=True))
    head = f"%%MatrixMarket matrix coordinate integer general\n{len(GENES)} {len(CELLS)} {entries or table.nnz}\n"
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress((head + body).encode() + tail))
    (folder / "barcodes.tsv").write_text("\n".join(CELLS))
    rows = zip(ids or [f"ENSG{i:011d}" for i in range(len(names))], names, strict=True)
    (folder / "features.tsv").write_text("\n".join(f"{i}\t{n}\tGene Expression" for i, n in rows))
    return folder


def edit(name: str, change):
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = change(file[name][:])
            del file[name]
            file[name] = values

    return spoil


def encoding(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["X"].attrs["encoding-type"] = "evil"


def shape(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = np.array([10**12, 4])


def outside(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["X/data"]
        file["X"].create_dataset("data", (6,), "i4", external=[("/etc/hostname", 0, 24)])


def linked(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["X/data"]
        file["X/data"] = h5py.ExternalLink("/etc/other.h5", "data")


def huge(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["X/data"]
        file["X"].create_dataset("data", (4_000_000_000,), "i4", chunks=(1_000_000,), compression="gzip")


H5AD = {
    "column out of range": (edit("X/indices", lambda v: np.where(v == 2, 10**8, v)), "contradict the shape"),
    "negative column": (edit("X/indices", lambda v: np.where(v == 2, -1, v)), "contradict the shape"),
    "row starts fall": (edit("X/indptr", lambda v: np.array([0, 4, 2, 6], v.dtype)), "contradict the shape"),
    "row starts too few": (edit("X/indptr", lambda v: v[:-1]), "3 row starts"),
    "row starts lose a count": (edit("X/indptr", lambda v: np.array([0, 2, 4, 5], v.dtype)), "contradict the shape"),
    "indices are fractions": (edit("X/indices", lambda v: v.astype(float)), "whole numbers"),
    "complex counts": (edit("X/data", lambda v: v + 1j), "complex"),
    "unknown encoding": (encoding, "evil"),
    "huge shape": (shape, "row starts"),
    "data outside": (outside, "data kept in another file"),
    "link outside": (linked, "a link to another file"),
    "more than the file holds": (huge, "bytes claimed in a file of"),
}


@pytest.mark.parametrize("fault", H5AD)
def test_an_h5ad_that_contradicts_itself_is_one_message(tmp_path, fault):
    spoil, words = H5AD[fault]
    path = write_h5ad(tmp_path / "a.h5ad")
    spoil(path)
    with pytest.raises(UserError) as caught:
        read_counts(path)
    assert len(str(caught.value).splitlines()) == 1 and words in str(caught.value)


@pytest.mark.parametrize("tail", [b" ", b"\r", b"\n\n", b"\t\n \r\n"])
def test_a_matrix_that_ends_in_blanks_is_read(tmp_path, tail):
    counts = read_counts(write_folder(tmp_path / "x", tail))
    np.testing.assert_array_equal(counts.matrix.toarray(), COUNTS.toarray())


@pytest.mark.parametrize(
    ("tail", "entries", "words"),
    [(b"1 1 3x\n", 7, "letters 'x'"), (b"", 10**11, "entries that the header says"), (b"9 9 1\n", 7, "malformed"),
     (b"1 1\n", 7, "malformed"), (b"-1 1 1\n", 7, "malformed"), (b"\x00", 6, "letters")],
)  # fmt: skip
def test_a_matrix_that_contradicts_its_header_is_one_message(tmp_path, tail, entries, words):
    with pytest.raises(UserError, match=words):
        read_counts(write_folder(tmp_path / "x", tail, entries))


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("cimlnk.rna.read_mtx.LEAST", 1 << 20)
    folder = write_folder(tmp_path / "x", b" " * (64 << 20))
    with pytest.raises(UserError, match="unpacked"):
        read_counts(folder)


def test_genes_without_symbol_are_not_one_gene(tmp_path):
    ids = [f"ENSG{i:011d}" for i in range(4)]
    path = write_h5ad(tmp_path / "a.h5ad", ids, feature_name=pd.Categorical(["NKG7", None, None, "LYZ"]))
    counts = read_counts(path)
    assert list(counts.genes) == ["NKG7", ids[1], ids[2], "LYZ"]
    np.testing.assert_array_equal(counts.matrix.toarray(), COUNTS.toarray())
    assert any("2 genes without symbol" in note for note in counts.notes)


def test_a_gene_that_stands_twice_is_summed_with_a_note(tmp_path):
    names = ["NKG7", "GNLY", "NKG7", "LYZ"]
    counts = read_counts(write_folder(tmp_path / "x", names=names, ids=names))
    assert list(counts.genes) == ["NKG7", "GNLY", "LYZ"]
    assert counts.matrix[:, 0].toarray().ravel().tolist() == [3, 0, 11]
    assert any("summed: NKG7" in note and "same id" in note for note in counts.notes)


def test_an_h5ad_of_the_first_layout_is_read(tmp_path):
    """anndata before 0.7: records for tables, h5sparse for the matrix."""
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        for name, index in (("obs", CELLS), ("var", GENES)):
            file[name] = np.array([(i.encode(), 1.0) for i in index], dtype=[("index", "S8"), ("n", "f8")])
        group = file.create_group("X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = b"csr", COUNTS.shape
        group["data"], group["indices"], group["indptr"] = COUNTS.data, COUNTS.indices, COUNTS.indptr
    counts = read_counts(tmp_path / "a.h5ad")
    assert list(counts.genes) == GENES
    np.testing.assert_array_equal(counts.matrix.toarray(), COUNTS.toarray())


def test_what_macos_puts_beside_every_file_is_passed_over(tmp_path):
    folder = write_folder(tmp_path / "x")
    for name in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"):
        (folder / f"._{name}").write_bytes(b"\x00\x05\x16\x07")
    assert read_counts(folder).matrix.shape == (3, 4)


def test_a_folder_with_only_the_raw_matrix_says_so(tmp_path):
    (tmp_path / "outs").mkdir()
    write_folder(tmp_path / "outs/raw_feature_bc_matrix")
    with pytest.raises(UserError, match="only outs/raw_feature_bc_matrix, with every droplet"):
        read_counts(tmp_path)


READ_ALL = """
import sys
from cimlnk.common.errors import UserError
from cimlnk.rna.counts import make_counts
from cimlnk.rna.read import read_counts
for path in sys.argv[1:]:
    print(path, flush=True)
    try:
        read_counts(path)
    except UserError as error:
        assert len(str(error).splitlines()) == 1, error
"""


def test_bytes_turned_at_random_crash_nothing(tmp_path):
    rng = random.Random(1)
    sound = write_h5ad(tmp_path / "a.h5ad").read_bytes()
    paths = []
    for i in range(60):
        data = bytearray(sound)
        for _ in range(rng.choice((1, 4, 30))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = tmp_path / f"{i}.h5ad"
        path.write_bytes(data[: rng.choice((len(data), len(data), rng.randrange(len(data))))])
        paths.append(str(path))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
    workflow = str(Path(__file__).resolve().parents[3] / "workflow")
    done = subprocess.run(
        [sys.executable, "-c", limit + READ_ALL, *paths], env={**os.environ, "PYTHONPATH": workflow},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout.splitlines()[-1:], done.stderr[-2000:])


@pytest.mark.parametrize(("cells", "genes"), [(["A", "B\0"], ["X", "Y"]), (["A", "B"], ["X", "Y\0Z"])])
def test_a_name_that_hdf5_would_cut_is_refused(cells, genes):
    with pytest.raises(UserError, match=r"names without \\0"):
        make_counts("a", np.eye(2, dtype=int), cells, genes=genes, found="a")


def test_a_gene_twice_in_one_cell_is_refused():
    twice = sp.csr_matrix((np.array([1, 2, 3]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    with pytest.raises(UserError, match="the same gene twice in one cell"):
        make_counts("a", twice, ["A", "B"], genes=["X", "Y"], found="a")
