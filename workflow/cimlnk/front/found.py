"""What a folder holds that a cohort can be made of: FCS files, counts of single-cell RNA, workspaces, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from cimlnk.common.errors import UserError
from cimlnk.common.sheet import is_missing, read_cells
from cimlnk.rna.folder import TenxFiles, find_files

from .guess_samples import used_columns

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
RAW_10X = ("raw_feature_bc_matrix", "raw_gene_bc_matrices")  # every droplet: never cells
# Folders and files that every library has: its name stands above them.
GENERIC = re.compile(
    r"(?i)(sample_)?filtered_(feature|gene)_bc_matri(x|ces)(_h5)?|outs|count|per_sample_outs|grch3[78]|hg(19|38)|h5"
)
PART_OF_10X = re.compile(r"(?i)(barcodes|features|genes|matrix)\.(?:tsv|mtx)(?:\.gz)?$")
ARCHIVES, PACKED = (".tar", ".tgz", ".zip", ".rar", ".7z"), (".tar.gz", ".fcs.gz", ".h5ad.gz", ".h5.gz")
LEAST_NAMED = 0.8  # of the files, by a table that is to describe them
LARGEST_TABLE = 5_000_000  # bytes; sheets about files are small


@dataclass
class Found:
    """Paths below one folder, by kind, each list sorted.

    Attributes
    ----------
    tables
        Small tables, of whatever.
    calls
        Tables of any size that may hold donor calls.
    raw
        Unfiltered 10x matrices, which hold every droplet.
    places
        Sample -> its file or folder, once the samples have been named.
    flat
        Start of the names -> matrix, barcodes and features of a sample whose files lie among those of others.
    archives
        Packed files, which are not looked into.
    """

    folder: Path
    fcs: list[Path] = field(default_factory=list)
    tenx: list[Path] = field(default_factory=list)
    h5: list[Path] = field(default_factory=list)
    h5ad: list[Path] = field(default_factory=list)
    workspaces: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    calls: list[Path] = field(default_factory=list)
    raw: list[Path] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)
    flat: dict[str, TenxFiles] = field(default_factory=dict)
    archives: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def unused(self, used: Iterable[Path]) -> list[Path]:
        """Tables that nothing was read from; those of a 10x folder are part of it."""
        own = {*self.tenx, *self.raw}
        known = set(used)
        return [p for p in self.tables if p not in known and p.parent not in own and not PART_OF_10X.search(p.name)]

    def names(self) -> dict[Path, str]:
        """A name for every data file that no other has: its own, with those of the folders above where it needs them.

        What every library is called (``outs/filtered_feature_bc_matrix``) is left out of it.
        """
        end = {p: p.suffix if p.suffix.lower() in (".fcs", ".h5", ".h5ad") else "" for p in self.data}
        parts = {}
        for path in self.data:
            words = list(path.relative_to(self.folder).parts)
            words[-1] = words[-1].removesuffix(end[path])
            parts[path] = [w for w in words if not GENERIC.fullmatch(w)] or [self.folder.resolve().name]
        most = max((len(v) for v in parts.values()), default=1)
        for depth in range(1, most + 1):
            names = {p: "_".join(v[-depth:]) + end[p] for p, v in parts.items()}
            if len(set(names.values())) == len(names):
                return names
        return {p: "_".join(p.relative_to(self.folder).parts) for p in self.data}

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
        elif suffix in ARCHIVES or path.name.lower().endswith(PACKED):
            found.archives.append(path)
        elif suffix == ".wsp":
            found.workspaces.append(path)
        elif suffix == ".h5ad":
            found.h5ad.append(path)
        elif suffix == ".h5":
            if path.stem.startswith(("raw_", "sample_raw_")):
                found.raw.append(path)
            elif _is_10x(path):
                found.h5.append(path)
            else:
                found.notes.append(f"{path.relative_to(folder)}: no counts of 10x, left alone")
        elif suffix in (*TABLES, ".best", ".gz") and suffix != ".xlsx":
            found.calls.append(path)
        if suffix in TABLES and path.stat().st_size <= LARGEST_TABLE:
            found.tables.append(path)
    # Cell Ranger writes one matrix twice, as a folder and as a file
    found.h5 = [p for p in found.h5 if p.with_suffix("") not in found.tenx]
    packed = ", ".join(str(p.relative_to(folder)) for p in found.archives[:3])
    packed += f" and {len(found.archives) - 3} more" if len(found.archives) > 3 else ""
    if not found.data and not found.flat:
        expected = "FCS files, 10x folders, .h5 or .h5ad files in it or below it"
        expected += f"; {packed} must be unpacked first" if packed else ""
        expected += f" ({found.notes[0]})" if found.notes else ""
        raise UserError("command line", "FOLDER", str(folder), expected)
    if packed:
        found.notes.append(f"packed, and not looked into: {packed}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if not any(p.startswith((".", "__MACOSX")) for p in parts):
            yield path


def _is_10x(path: Path) -> bool:
    """Whether an HDF5 file has the groups of a 10x matrix (Cell Ranger also writes ``molecule_info.h5``)."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            groups = [v for v in file.values() if isinstance(v, h5py.Group)]
            return any({"indptr", "barcodes"} <= set(g) for g in groups)
    except (OSError, RuntimeError, LookupError, TypeError, ValueError):  # how h5py tells damage
        return False


def _take_10x(path: Path, found: Found) -> None:
    if path.name in RAW_10X:
        found.raw.append(path)
        return
    try:
        find_files(path)
    except UserError as error:
        samples = _side_by_side(path)
        found.flat |= samples
        if samples:
            return
        found.notes.append(f"{path}: looks like a 10x folder but is none: {error}")
        return
    found.tenx.append(path)


def _side_by_side(folder: Path) -> dict[str, TenxFiles]:
    """Samples whose three files lie in one folder, told by how their names begin (``GSM1_P1_matrix.mtx.gz``)."""
    files: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        hit = PART_OF_10X.search(path.name)
        if hit and hit.start() and not path.name.startswith("."):
            kind = hit[1].lower().replace("genes", "features")
            files.setdefault(path.name[: hit.start()].rstrip("_.-"), {})[kind] = path
    return {start: TenxFiles(f["matrix"], f["barcodes"], f["features"]) for start, f in files.items() if len(f) == 3}


def read_any(path: Path) -> pd.DataFrame | None:
    """A small table (text or workbook) as text, NaN where a cell says nothing; None if it is none."""
    try:
        (_, header), *rows = read_cells(path).rows
    except (UserError, ValueError):  # ValueError: no rows at all
        return None
    header = [name if name not in header[:j] else f"{name}.{j + 1}" for j, name in enumerate(header)]
    cells = [[None if is_missing(c) else c for c in (*row, *[""] * len(header))][: len(header)] for _, row in rows]
    return pd.DataFrame(cells, columns=header, dtype=object).fillna(float("nan"))


def describing(found: Found) -> tuple[Path, pd.DataFrame] | None:
    """The table that describes the data files, indexed by :meth:`Found.names`; if several do, the one with most
    columns that a draft reads, then with most columns."""
    names_of = found.names()
    stems: dict[str, str] = {}
    for words in (lambda p: p.stem, lambda p: p.name, lambda p: Path(names_of[p]).stem, lambda p: names_of[p]):
        own = [words(p).lower() for p in found.data]
        stems |= {w: names_of[p] for w, p in zip(own, found.data, strict=True) if own.count(w) == 1}
    best: tuple[Path, pd.DataFrame] | None = None
    for path in found.tables:
        table = read_any(path)
        if table is None or not len(table):
            continue
        for column in table.columns:
            names = table[column].astype(str).map(lambda v: stems.get(Path(v.replace("\\", "/")).name.strip().lower()))
            if names.nunique() >= LEAST_NAMED * len(found.data) and not names.dropna().duplicated().any():
                indexed = table.drop(columns=column).assign(_file=names).dropna(subset="_file").set_index("_file")
                if best is None or _worth(indexed) > _worth(best[1]):
                    best = path, indexed
                break
    return best


def _worth(table: pd.DataFrame) -> tuple[int, int]:
    return len(used_columns(table)), table.shape[1]
