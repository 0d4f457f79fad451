"""10x folders: matrix.mtx with barcodes and features (Cell Ranger 3 and later) or genes (Cell Ranger 2)."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

from .counts import Counts, make_counts
from .folder import find_files

EXPRESSION = "Gene Expression"
ANTIBODY = "Antibody Capture"
# A matrix of counts packs 3- to 20-fold.
PACKED = 60
LEAST = 256 << 20


def read_mtx(folder: Path) -> Counts:
    """Read a 10x folder.

    GEO prefixes (``GSM1_sample_matrix.mtx.gz``) are accepted as long as there is one matrix in the folder. Antibodies
    are kept beside the genes; features of other types (guides, multiplexing) are left out and counted in the notes.
    """
    matrix_file, barcodes, ids, names, kinds, matrix, notes = read_features(folder)
    keep = expression(matrix_file.parent, kinds, notes)
    return make_counts(
        matrix_file.parent,
        matrix[:, keep],
        barcodes,
        genes=names[keep],
        ids=ids[keep],
        found=f"10x folder ({matrix_file.name})",
        notes=notes,
        antibodies=antibody_part(matrix, names, kinds),
    )


def read_features(
    folder: Path,
) -> tuple[Path, list[str], np.ndarray, np.ndarray, np.ndarray, sp.csr_matrix, list[str]]:
    """All features of a 10x folder: matrix file, barcodes, ids, names, types, cells x features, notes."""
    (matrix_file, barcode_file, feature_file), notes = find_files(folder)
    barcodes = [row[0] for row in _rows(barcode_file)]
    features = _rows(feature_file)
    about = f"{len(features)} genes ({feature_file.name}) x {len(barcodes)} barcodes ({barcode_file.name})"
    matrix = _matrix(matrix_file, len(features), len(barcodes), about=about)
    ids = np.array([row[0] for row in features], dtype=object)
    names = np.array([row[1] if len(row) > 1 and row[1] else row[0] for row in features], dtype=object)
    kinds = np.array([row[2] if len(row) > 2 else EXPRESSION for row in features], dtype=object)
    return matrix_file, barcodes, ids, names, kinds, sp.csr_matrix(matrix.T), notes


def antibody_part(
    matrix: sp.csr_matrix, names: np.ndarray, kinds: np.ndarray
) -> tuple[sp.csr_matrix, np.ndarray] | None:
    """Antibodies among the features (cells x antibodies, names), None without any."""
    keep = kinds == ANTIBODY
    return (matrix[:, keep], names[keep]) if keep.any() else None


def expression(file: object, kinds: np.ndarray, notes: list[str]) -> np.ndarray:
    """Mask of the gene-expression features; the others but antibodies are reported in `notes`."""
    keep = kinds == EXPRESSION
    if not keep.any():
        raise UserError(file, "feature type", ", ".join(sorted(set(map(str, kinds)))), f"{EXPRESSION!r} features")
    for kind in sorted(set(map(str, kinds[~keep])) - {ANTIBODY}):
        notes.append(f"{int((kinds == kind).sum())} features of type {kind!r} left out")
    return keep


def _open(file: Path) -> bytes:
    """The bytes of a file, unpacked if gzipped (told by content: a plain file may be named .gz and vice versa)."""
    raw = file.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    most = max(LEAST, PACKED * len(raw))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            text = stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as e:
        raise UserError(file, "gzip", Plain(f"a truncated or corrupt file ({e})"), "a whole gzip file") from e
    if len(text) > most:
        raise UserError(file, "gzip", Plain(f"more than {most:,} bytes, unpacked"), "the counts of one sample")
    return text


def _rows(file: Path) -> list[list[str]]:
    try:
        text = _open(file).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise UserError(file, f"byte {e.start}", Plain("no UTF-8 text"), "a tab-separated text file") from e
    # not splitlines(): it also ends a line where a name holds U+0085 or U+2028, and every later name is another gene's
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = [[cell.strip().strip('"') for cell in line.split("\t")] for line in lines if line.strip()]
    if not rows:
        raise UserError(file, "file", Plain("no rows"), "one row per barcode or gene")
    return rows


def _matrix(file: Path, n_genes: int, n_cells: int, *, about: str) -> sp.coo_matrix:
    """The matrix, if its header, its size and its letters are what a matrix of that shape has.

    SciPy's reader believes the header, and crashes on what stands behind the last entry.
    """
    from scipy.io import mmread

    content = _open(file)
    first, _, rest = content.partition(b"\n")
    words = first.decode("ascii", errors="replace").lower().split()
    if words[:1] != ["%%matrixmarket"]:
        raise UserError(
            file, "first line", Plain(repr(content[:20])), "%%MatrixMarket matrix coordinate integer general"
        )
    if words[1:3] != ["matrix", "coordinate"] or words[3:4] not in (["integer"], ["real"]) or words[4:] != ["general"]:
        found = Plain(repr(" ".join(words)[:80]))
        raise UserError(file, "first line", found, "%%MatrixMarket matrix coordinate integer general")
    while rest.lstrip(b" \t\r\n").startswith(b"%"):
        rest = rest.lstrip(b" \t\r\n").partition(b"\n")[2]
    size, _, body = rest.lstrip(b" \t\r\n").partition(b"\n")
    numbers = size.split()
    if len(numbers) != 3 or not all(n.isdigit() and len(n) < 16 for n in numbers):
        raise UserError(file, "header", Plain(repr(size[:60])), "three numbers: genes, barcodes, entries")
    rows, columns, entries = map(int, numbers)
    if (rows, columns) != (n_genes, n_cells):
        raise UserError(file, "header", Plain(f"{rows} genes x {columns} barcodes"), about)
    body = body.strip()
    if other := body.translate(None, b"0123456789.eE+- \t\r\n"):
        letters = other[:10].decode("ascii", errors="replace")
        raise UserError(file, "matrix", Plain(f"a malformed file (the letters {letters!r})"), "numbers only")
    lines = [line for line in body.split(b"\n") if line.strip()] if b"\n\n" in body or b"\n\r" in body else None
    found_entries = (body.count(b"\n") + bool(body)) if lines is None else len(lines)
    if found_entries != entries:
        found = Plain(f"a truncated or malformed file ({found_entries:,} entries)")
        raise UserError(file, "matrix", found, f"the {entries:,} entries that the header says")
    if lines is not None:
        body = b"\n".join(lines)
    if entries == 0:
        return sp.coo_matrix((rows, columns), dtype=np.int32)
    header = f"%%MatrixMarket matrix coordinate {words[3]} general\n{rows} {columns} {entries}\n".encode()
    try:
        return mmread(io.BytesIO(header + body + b"\n"))
    except (ValueError, OverflowError, EOFError, IndexError) as e:
        raise UserError(file, "matrix", Plain(f"a truncated or malformed file ({e})"), "Matrix Market entries") from e
