"""Antibody counts outside the genes' own file, empty droplets, and the hashtag calls of other tools."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.sheet import decode, number, read_bytes

from .checked_h5 import check_file, sparse_group
from .counts import AntibodyCounts, antibody_counts
from .read import HDF5_MAGIC
from .read_h5 import texts
from .read_mtx import ANTIBODY, read_features

SEQUENCE = re.compile(r"[ACGTN]{12,}")
LARGEST = 512 << 20  # bytes of a table, unpacked
SUMMARY_ROWS = ("unmapped", "unmatched", "bad_struct", "no_match", "total_reads")  # CITE-seq-Count's last rows
LEAST_MATCHED = 0.5  # share of the cells that a table of their antibodies must hold
LEAST_TOTAL = 10  # antibody counts of a droplet that caught anything
MOST_EMPTY = 20_000  # droplets that are kept, evenly spaced
CALL_COLUMNS = (
    "hashtag",
    "hash.ID",
    "HTO_classification",
    "assignment",
    "HTO",
    "sample",
    "MULTI_ID",
    "call",
    "donor_id",
    "SNG.1ST",
    "SNG.BEST.GUESS",
)
# Columns that say whether a call is of one cell, and how such a call begins: souporcell, demuxlet, popscle, HTODemux.
STATUS_COLUMNS = {
    "status": "singlet",
    "BEST": "sng",
    "DROPLET.TYPE": "sng",
    "HTO_classification.global": "singlet",
}


def read_antibody_file(path: Path) -> tuple[AntibodyCounts, np.ndarray]:
    """Antibody counts of a table (CSV or TSV, gzipped or not), a 10x h5 or a 10x folder, with the barcodes.

    A table may have antibodies as rows or as columns: barcodes are what has twelve letters of DNA in a row. Of a 10x
    file that tells feature types only antibodies are read; of one that does not, all features.

    Raises
    ------
    UserError
        One message for a file that is no table of whole numbers, names nothing twice, or has no antibodies.
    """
    if not path.exists():
        raise UserError(path, "path", path.name, "a file or folder that exists")
    if path.is_dir() or path.name.removesuffix(".gz").endswith(".mtx"):
        _, barcodes, _, names, kinds, matrix, _ = read_features(path if path.is_dir() else path.parent)
        return _of_kind(path, matrix, names, kinds=kinds), np.asarray(barcodes, object)
    with path.open("rb") as f:
        magic = f.read(8)
    return _tenx(path) if magic == HDF5_MAGIC else _table(path)


def _of_kind(path: Path, matrix: sp.csr_matrix, names: np.ndarray, *, kinds: np.ndarray) -> AntibodyCounts:
    told = set(map(str, kinds))
    keep = kinds == ANTIBODY if ANTIBODY in told else np.ones(len(kinds), bool)
    if ANTIBODY not in told and len(names) > 1000:  # a matrix of genes without antibodies
        raise UserError(path, "feature types", ", ".join(sorted(told)), f"features of type {ANTIBODY!r}")
    keep &= ~np.isin(names.astype(str), SUMMARY_ROWS)
    return antibody_counts(path, matrix[:, keep], names[keep])


def _tenx(path: Path) -> tuple[AntibodyCounts, np.ndarray]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_file(path, file)
            if "matrix" not in file or "features/name" not in file["matrix"]:
                raise UserError(path, "groups", Plain(", ".join(file) or "none"), "a 10x h5 with the group matrix")
            group: Any = file["matrix"]
            n_features, n_cells = (int(v) for v in group["shape"][:])
            matrix = sparse_group(path, group, (n_cells, n_features))
            names, barcodes = texts(group["features/name"][:]), texts(group["barcodes"][:])
            typed = "features/feature_type" in group
            kinds = texts(group["features/feature_type"][:]) if typed else np.full(len(names), "", object)
            have = {"features/name": len(names), "features/feature_type": len(kinds), "barcodes": len(barcodes)}
            for name, n in have.items():
                wanted = n_cells if name == "barcodes" else n_features
                if n != wanted:
                    raise UserError(path, f"matrix/{name}", Plain(f"{n:,} entries"), f"{wanted:,}, as the shape says")
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:
        words = " ".join(str(e).split())[:200]
        raise UserError(path, "HDF5", Plain(f"a truncated or corrupt file ({words})"), "a whole 10x h5") from e
    return _of_kind(path, sp.csr_matrix(matrix), names, kinds=kinds), barcodes


def _rows(path: Path) -> list[list[str]]:
    """Cells of a table of any size; texts without quotes."""
    data = read_bytes(path, str(path), LARGEST)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as e:
            raise UserError(path, "gzip", Plain(f"a truncated or corrupt file ({e})"), "a whole gzip file") from e
        if len(data) > LARGEST:
            raise UserError(path, "gzip", Plain(f"more than {LARGEST:,} bytes, unpacked"), "a table of one sample")
    text = decode(data, str(path))
    first = text.partition("\n")[0]
    separator = max("\t,;", key=first.count)
    rows = [r for r in csv.reader(io.StringIO(text), delimiter=separator) if any(c.strip() for c in r)]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise UserError(path, "the table", Plain(f"{len(rows)} rows"), "a header, and a row per antibody or per cell")
    return rows


def _barcode_like(names: Sequence[str]) -> float:
    return float(np.mean([bool(SEQUENCE.search(n)) for n in names])) if len(names) else 0.0


def _table(path: Path) -> tuple[AntibodyCounts, np.ndarray]:
    header, *rows = _rows(path)
    width = len(rows[0])
    if len(header) == width - 1:  # R writes no name above the row names
        header = ["", *header]
    names, columns = [r[0].strip() for r in rows], [h.strip() for h in header[1:]]
    for number_of, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UserError(path, f"row {number_of}", Plain(f"{len(row)} fields"), f"{len(header)} as in the header")
    try:
        values = np.array([r[1:] for r in rows], dtype=np.float64)
    except ValueError:
        at = next((i, j) for i, r in enumerate(rows) for j, c in enumerate(r[1:]) if number(c.strip()) is None)
        where = f"row {at[0] + 2}, column {columns[at[1]] or at[1] + 2}"
        raise UserError(path, where, rows[at[0]][at[1] + 1], "a whole number") from None
    by_column, by_row = _barcode_like(columns), _barcode_like(names)
    if max(by_column, by_row) < 0.5:
        found = Plain(f"{names[0]!r} and {columns[0]!r}")
        raise UserError(path, "names of rows and columns", found, "cell barcodes in the header or in the first column")
    if by_column > by_row:
        values, names, columns = values.T, columns, names
    keep = [j for j, c in enumerate(columns) if c not in SUMMARY_ROWS]
    return (
        antibody_counts(path, sp.csr_matrix(values[:, keep]), [columns[j] for j in keep]),
        np.array(names, object),
    )


def place_of(path: object, barcodes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Row of `barcodes` that each of `cells` has, -1 for none.

    Names are compared as they are; where fewer than half agree, by their letters of DNA alone (``AAAC-1``, ``AAAC``,
    ``sample_AAAC``), which must then be unique.

    Raises
    ------
    UserError
        If fewer than half of the cells are found, or a barcode stands twice.
    """
    tried = []
    for short in (False, True):
        left, right = ([_letters(b) if short else str(b) for b in names] for names in (barcodes, cells))
        place: dict[str, int] = {}
        for i, name in enumerate(left):
            if place.setdefault(name, i) != i and not short:
                raise UserError(path, "barcodes", name, "every barcode once")
        if short and (len(place) < len(left) or len(set(right)) < len(right)):
            break
        found = np.array([place.get(name, -1) for name in right])
        tried.append(found)
        if (found >= 0).mean() >= LEAST_MATCHED:
            return found
    n = max(int((f >= 0).sum()) for f in tried)
    example = f"{barcodes[0]} here, {cells[0]} there" if len(barcodes) else "no barcodes"
    raise UserError(
        path, "barcodes", Plain(f"{n} of {len(cells)} cells of the sample ({example})"), "at least half of them"
    )


def _letters(barcode: object) -> str:
    found = SEQUENCE.findall(str(barcode))
    return max(found, key=len) if found else str(barcode)


def empty_droplets(path: Path, names: np.ndarray, *, cells: np.ndarray, totals: np.ndarray) -> sp.csr_matrix:
    """Antibody counts of droplets without a cell, in the order of `names` (droplets × antibodies).

    Parameters
    ----------
    path
        All droplets (``raw_feature_bc_matrix``) or only empty ones, in any form of :func:`read_antibody_file`.
    names
        The sample's antibodies.
    cells, totals
        Barcodes of the cells, which are left out, and their antibody totals: a droplet above their 5th percentile is a
        cell that was not called.

    Raises
    ------
    UserError
        If an antibody is missing, or no droplet is left.
    """
    counts, barcodes = read_antibody_file(path)
    place = {n: j for j, n in enumerate(counts.names)}
    missing = [n for n in names if n not in place]
    if missing:
        raise UserError(
            path, "antibodies", str(missing[0]), "the antibodies of the cells", list(map(str, counts.names))
        )
    own = {_letters(c) for c in cells}
    other = np.array([_letters(b) not in own for b in barcodes], bool)
    depth = np.asarray(counts.matrix.sum(axis=1)).ravel()
    keep = other & (depth >= LEAST_TOTAL) & (depth < np.quantile(totals, 0.05) if len(totals) else True)
    rows = np.flatnonzero(keep)
    if not len(rows):
        found = Plain(f"{len(barcodes)} droplets, {int((~other).sum())} of them cells, none empty")
        raise UserError(
            path, "droplets", found, "droplets without a cell (raw_feature_bc_matrix, not the filtered one)"
        )
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_EMPTY)).astype(np.int64)]
    return sp.csr_matrix(counts.matrix[rows][:, [place[n] for n in names]])


def hashtag_cells(path: Path, hashtag: str, cells: np.ndarray, *, column: str | None = None) -> np.ndarray:
    """Mask of the cells that a demultiplexing tool gave to `hashtag`, from its table of calls.

    Calls of hashtags, or of donors: vireo's ``donor_ids.tsv``, souporcell's ``clusters.tsv`` and demuxlet's ``.best``
    are such tables, too. Where a further column says so, doublets and cells that are nobody's are passed over.

    Raises
    ------
    UserError
        If there is no such column or no cell with such a call (doublets and negatives are calls like others).
    """
    header, *rows = _rows(path)
    if len(header) == len(rows[0]) - 1:
        header = ["", *header]
    header = [h.strip() for h in header]
    calls = [c for c in CALL_COLUMNS if c in header] if column is None else [column]
    if not calls or calls[0] not in header:
        wanted = f"a column {column!r}" if column else f"one of the columns {', '.join(CALL_COLUMNS)}"
        raise UserError(path, "row 1", Plain(", ".join(header)), wanted, header)
    at = header.index(calls[0])
    key = max(range(len(header)), key=lambda j: _barcode_like([r[j] for r in rows[:200] if len(r) > j]))
    short = next((i for i, r in enumerate(rows) if len(r) <= max(at, key)), None)
    if short is not None:
        raise UserError(path, f"row {short + 2}", Plain(f"{len(rows[short])} fields"), f"{len(header)} fields")
    said = np.array([r[at].strip() for r in rows], object)
    for name, single in STATUS_COLUMNS.items():
        if name in header and (of := header.index(name)) != at:
            alone = [len(r) > of and r[of].strip().lower().startswith(single) for r in rows]
            said[~np.array(alone, bool)] = "no single cell"
    if hashtag not in set(said):
        known = sorted(set(map(str, said)))
        raise UserError(path, f"column {calls[0]}", hashtag, "a call of this column", known)
    found = place_of(path, np.array([r[key].strip() for r in rows], object), cells)
    return np.array([p >= 0 and said[p] == hashtag for p in found], bool)
