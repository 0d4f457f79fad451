"""What a folder holds that a cohort can be made of: FCS files, counts of single-cell RNA, workspaces, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cimlnk.common.errors import UserError
from cimlnk.rna.folder import find_files
from cimlnk.rna.read_adt import read_antibody_file

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
RAW_10X = ("raw_feature_bc_matrix", "raw_gene_bc_matrices")  # every droplet: never cells
LEAST_NAMED = 0.8  # of the files, by a table that is to describe them
LARGEST_TABLE = 5_000_000  # bytes; sheets about files are small


@dataclass
class Found:
    """Paths below one folder, by kind, each list sorted; `tables` are those that name the data files."""

    folder: Path
    fcs: list[Path] = field(default_factory=list)
    tenx: list[Path] = field(default_factory=list)
    h5: list[Path] = field(default_factory=list)
    h5ad: list[Path] = field(default_factory=list)
    workspaces: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def data(self) -> list[Path]:
        return [*self.fcs, *self.tenx, *self.h5, *self.h5ad]


def look(folder: str | Path) -> Found:
    """Everything of use below `folder` (hidden files, macOS leftovers and unfiltered 10x matrices left alone).

    Raises
    ------
    UserError
        If there is no such folder, or no data file in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        beside = folder.parent.iterdir() if folder.parent.is_dir() else []
        raise UserError("command line", "FOLDER", str(folder), "a folder with data files", [str(p) for p in beside])
    found = Found(folder)
    for path in _walk(folder):
        suffix = path.suffix.lower()
        if path.is_dir():
            if any((path / f"matrix.mtx{end}").is_file() for end in ("", ".gz")) or list(path.glob("*_matrix.mtx*")):
                _take_10x(path, found)
        elif suffix == ".fcs":
            found.fcs.append(path)
        elif suffix == ".wsp":
            found.workspaces.append(path)
        elif suffix == ".h5ad":
            found.h5ad.append(path)
        elif suffix == ".h5":
            (found.h5 if not path.name.startswith("raw_") else []).append(path)
        elif suffix in TABLES and path.stat().st_size <= LARGEST_TABLE:
            found.tables.append(path)
    if not found.data:
        expected = "FCS files, 10x folders, .h5 or .h5ad files in it or below it"
        raise UserError("command line", "FOLDER", str(folder), expected)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not any(p.startswith((".", "__MACOSX")) for p in parts):
            yield path


def _take_10x(path: Path, found: Found) -> None:
    if path.name in RAW_10X:
        found.notes.append(f"{path}: unfiltered (every droplet), left alone")
        return
    try:
        find_files(path)
    except UserError as error:
        found.notes.append(f"{path}: looks like a 10x folder but is none: {error}")
        return
    found.tenx.append(path)


def read_any(path: Path) -> pd.DataFrame | None:
    """A small table as text, or None if it is none; the separator is told from the first line."""
    try:
        if path.suffix.lower() == ".xlsx":
            return pd.read_excel(path, dtype=str)
        return pd.read_csv(path, dtype=str, sep=None, engine="python", comment="#")
    except (ValueError, OSError, pd.errors.ParserError, UnicodeDecodeError):
        return None


def antibody_notes(found: Found) -> list[str]:
    """Tables that hold antibody counts of cells: which sample's they are only the user knows."""
    notes = []
    for path in found.tables if found.tenx or found.h5 or found.h5ad else []:
        try:
            counts, barcodes = read_antibody_file(path)
        except UserError:
            continue  # another kind of table
        notes.append(
            f"{path.name}: counts of {counts.matrix.shape[1]} antibodies in {len(barcodes):,} cells: name it in an "
            "antibody sheet (rna.antibodies, columns sample and counts)"
        )
    return notes


def describing(found: Found) -> tuple[Path, pd.DataFrame] | None:
    """The table that describes the data files, indexed by their names; the one with the most columns if several do."""
    stems = {p.name.lower(): p.name for p in found.data} | {p.stem.lower(): p.name for p in found.data}
    best: tuple[Path, pd.DataFrame] | None = None
    for path in found.tables:
        table = read_any(path)
        if table is None or not len(table):
            continue
        for column in table.columns:
            names = table[column].astype(str).map(lambda v: stems.get(Path(v.replace("\\", "/")).name.strip().lower()))
            if names.nunique() >= LEAST_NAMED * len(found.data) and not names.dropna().duplicated().any():
                indexed = table.drop(columns=column).assign(_file=names).dropna(subset="_file").set_index("_file")
                if best is None or indexed.shape[1] > best[1].shape[1]:
                    best = path, indexed
                break
    return best
