"""Writers of 10x count matrices: the v3 folder and the HDF5 file, with the same bytes for the same counts."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from .genes import gene_ids, gene_names

LEVEL = 4  # of gzip: a third of the time of the default, 10 % larger


def _write_gzip(path: Path, content: bytes) -> None:
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0) as f:
        f.write(content)


def features(antibodies: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """Id, name and type of every row of a matrix: the genes, then the antibodies."""
    genes = [(i, g, "Gene Expression") for i, g in zip(gene_ids(), gene_names(), strict=True)]
    return genes + [(a, a, "Antibody Capture") for a in antibodies]


def write_10x_folder(
    folder: str | Path, counts: np.ndarray, barcodes: list[str], *, antibodies: Sequence[str] = ()
) -> None:
    """Write ``matrix.mtx.gz`` (genes × cells, 1-based), ``barcodes.tsv.gz`` and ``features.tsv.gz``.

    Parameters
    ----------
    counts
        Cells × genes (and antibodies), integers.
    """
    from scipy.io import mmwrite

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.BytesIO()
    mmwrite(text, sparse.coo_array(sparse.csc_array(counts.T)), field="integer", symmetry="general")
    _write_gzip(folder / "matrix.mtx.gz", text.getvalue())
    _write_gzip(folder / "barcodes.tsv.gz", "".join(f"{b}\n" for b in barcodes).encode())
    rows = "".join("\t".join(row) + "\n" for row in features(antibodies))
    _write_gzip(folder / "features.tsv.gz", rows.encode())


def write_10x_h5(path: str | Path, counts: np.ndarray, barcodes: list[str], *, antibodies: Sequence[str] = ()) -> None:
    """Write a Cell Ranger v3 HDF5 file (group ``matrix``, CSC of genes, and antibodies, × cells)."""
    import h5py

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    rows = features(antibodies)
    matrix = sparse.csr_array(counts)  # rows are cells: the CSC of genes x cells
    with h5py.File(path, "w", track_order=False) as file:
        group = file.create_group("matrix")

        def put(where: h5py.Group, name: str, values: object) -> None:
            where.create_dataset(name, data=values, compression="gzip", compression_opts=LEVEL, track_times=False)

        put(group, "barcodes", np.array(barcodes, dtype="S"))
        put(group, "data", matrix.data.astype(np.int32))
        put(group, "indices", matrix.indices.astype(np.int64))
        put(group, "indptr", matrix.indptr.astype(np.int64))
        put(group, "shape", np.array([len(rows), len(barcodes)], dtype=np.int32))
        described = group.create_group("features")
        for name, values in zip(("id", "name", "feature_type"), zip(*rows, strict=True), strict=True):
            put(described, name, np.array(values, dtype="S"))
        genome = ["GRCh38" if kind == "Gene Expression" else "" for _, _, kind in rows]
        put(described, "genome", np.array(genome, dtype="S"))
        put(described, "_all_tag_keys", np.array([b"genome"]))
