"""Writers of 10x count matrices: the v3 folder and the HDF5 file, with the same bytes for the same counts."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
from scipy import sparse

from .genes import N_GENES, gene_ids, gene_names

LEVEL = 4  # of gzip: a third of the time of the default, 10 % larger


def _write_gzip(path: Path, content: bytes) -> None:
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0) as f:
        f.write(content)


def write_10x_folder(folder: str | Path, counts: np.ndarray, barcodes: list[str]) -> None:
    """Write ``matrix.mtx.gz`` (genes × cells, 1-based), ``barcodes.tsv.gz`` and ``features.tsv.gz``.

    Parameters
    ----------
    counts
        Cells × genes, integers.
    """
    from scipy.io import mmwrite

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.BytesIO()
    mmwrite(text, sparse.coo_array(sparse.csc_array(counts.T)), field="integer", symmetry="general")
    _write_gzip(folder / "matrix.mtx.gz", text.getvalue())
    _write_gzip(folder / "barcodes.tsv.gz", "".join(f"{b}\n" for b in barcodes).encode())
    features = zip(gene_ids(), gene_names(), strict=True)
    _write_gzip(folder / "features.tsv.gz", "".join(f"{i}\t{g}\tGene Expression\n" for i, g in features).encode())


def write_10x_h5(path: str | Path, counts: np.ndarray, barcodes: list[str]) -> None:
    """Write a Cell Ranger v3 HDF5 file (group ``matrix``, CSC of genes × cells)."""
    import h5py

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    matrix = sparse.csr_array(counts)  # rows are cells: the CSC of genes x cells
    with h5py.File(path, "w", track_order=False) as file:
        group = file.create_group("matrix")

        def put(where: h5py.Group, name: str, values: object) -> None:
            where.create_dataset(name, data=values, compression="gzip", compression_opts=LEVEL, track_times=False)

        put(group, "barcodes", np.array(barcodes, dtype="S"))
        put(group, "data", matrix.data.astype(np.int32))
        put(group, "indices", matrix.indices.astype(np.int64))
        put(group, "indptr", matrix.indptr.astype(np.int64))
        put(group, "shape", np.array([N_GENES, len(barcodes)], dtype=np.int32))
        features = group.create_group("features")
        put(features, "id", np.array(gene_ids(), dtype="S"))
        put(features, "name", np.array(gene_names(), dtype="S"))
        put(features, "feature_type", np.array(["Gene Expression"] * N_GENES, dtype="S"))
        put(features, "genome", np.array(["GRCh38"] * N_GENES, dtype="S"))
        put(features, "_all_tag_keys", np.array([b"genome"]))
