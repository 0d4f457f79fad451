"""10x folders: matrix.mtx with barcodes and features (Cell Ranger 3 and later) or genes (Cell Ranger 2)."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

from .counts import Counts, make_counts
from .folder import find_files

EXPRESSION = "Gene Expression"


def read_mtx(folder: Path) -> Counts:
    """Read a 10x folder.

    GEO prefixes (``GSM1_sample_matrix.mtx.gz``) are accepted as long as there is one matrix in the folder. Features
    of other types than gene expression (antibodies, hashtags) are left out and counted in the notes.
    """
    (matrix_file, barcode_file, feature_file), notes = find_files(folder)
    barcodes = [row[0] for row in _rows(barcode_file)]
    features = _rows(feature_file)
    matrix = _matrix(matrix_file)
    if matrix.shape != (len(features), len(barcodes)):
        raise UserError(
            matrix_file,
            "header",
            Plain(f"{matrix.shape[0]} genes x {matrix.shape[1]} barcodes"),
            f"{len(features)} genes ({feature_file.name}) x {len(barcodes)} barcodes ({barcode_file.name})",
        )
    ids = np.array([row[0] for row in features], dtype=object)
    names = np.array([row[1] if len(row) > 1 and row[1] else row[0] for row in features], dtype=object)
    kinds = np.array([row[2] if len(row) > 2 else EXPRESSION for row in features], dtype=object)
    keep = expression(feature_file, kinds, notes)
    return make_counts(
        matrix_file.parent,
        sp.csr_matrix(matrix.T)[:, keep],
        barcodes,
        names[keep],
        ids=ids[keep],
        found=f"10x folder ({matrix_file.name})",
        notes=notes,
    )


def expression(file: object, kinds: np.ndarray, notes: list[str]) -> np.ndarray:
    """Mask of the gene-expression features; the others are told in `notes`."""
    keep = kinds == EXPRESSION
    if not keep.any():
        raise UserError(file, "feature type", ", ".join(sorted(set(map(str, kinds)))), f"{EXPRESSION!r} features")
    for kind in sorted(set(map(str, kinds[~keep]))):
        notes.append(f"{int((kinds == kind).sum())} features of type {kind!r} left out")
    return keep


def _open(file: Path) -> bytes:
    """The bytes of a file, unpacked if gzipped (told by content: a plain file may be named .gz and vice versa)."""
    raw = file.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as e:
            raise UserError(file, "gzip", Plain(f"a truncated or corrupt file ({e})"), "a whole gzip file") from e
    return raw


def _rows(file: Path) -> list[list[str]]:
    try:
        text = _open(file).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise UserError(file, f"byte {e.start}", Plain("no UTF-8 text"), "a tab-separated text file") from e
    rows = [[cell.strip().strip('"') for cell in line.split("\t")] for line in text.splitlines() if line.strip()]
    if not rows:
        raise UserError(file, "file", Plain("no rows"), "one row per barcode or gene")
    return rows


def _matrix(file: Path) -> sp.coo_matrix:
    import io

    from scipy.io import mmread

    content = _open(file)
    if not content.startswith(b"%%MatrixMarket"):
        raise UserError(
            file, "first line", Plain(repr(content[:20])), "%%MatrixMarket matrix coordinate integer general"
        )
    try:
        matrix = mmread(io.BytesIO(content))
    except (ValueError, OverflowError, EOFError, IndexError) as e:
        raise UserError(file, "matrix", Plain(f"a truncated or malformed file ({e})"), "Matrix Market entries") from e
    if not sp.issparse(matrix):
        raise UserError(file, "first line", Plain("a dense array"), "%%MatrixMarket matrix coordinate …")
    return matrix
