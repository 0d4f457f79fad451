"""Put together what the files of a folder are: samples within a file, the table about them, sheets beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.errors import UserError
from cimlnk.rna.folder import TenxFiles

from .beside import antibody_rows, barcodes_of, donor_rows
from .found import PART_OF_10X, Found, describing
from .guess_samples import used_columns
from .split_h5ad import Parts, samples_within


def split_path(cohort: str, sample: str) -> Path:
    """Where the counts of one sample of several in a file are written, from the base folder."""
    return Path("data") / cohort / "split" / f"{sample}.h5ad"


def linked_path(cohort: str, sample: str) -> Path:
    """Folder of links to the three files of a sample that lie among those of others, from the base folder."""
    return Path("data") / cohort / "linked" / sample


def link(files: TenxFiles, folder: Path) -> None:
    """Make `folder` with links to the three files, by the names that a 10x folder has."""
    folder.mkdir(parents=True)
    for path in files:
        name = PART_OF_10X.search(path.name)
        (folder / (name[0] if name else path.name)).symlink_to(path.resolve())


def parts_within(found: Found) -> tuple[dict[Path, Parts], list[str]]:
    """The h5ad files that hold several samples, and what is to be told of them."""
    parts, notes = {}, []
    for path in found.h5ad:
        try:
            part = samples_within(path)
        except UserError as error:
            notes.append(f"{error}")
            continue
        if part is not None:
            parts[path] = part
            by = " and ".join(part.columns)
            without = f"; cells of no sample, left out: {part.without:,}" if part.without else ""
            n = count(len(part.rows), "sample")
            notes.append(f"{path.name}: {n} by the obs column {by}, each a file of its own now{without}")
    twice = pd.Series([s for p in parts.values() for s in p.rows], dtype=object)
    for path, part in parts.items() if twice.duplicated().any() else ():
        part.rows = {f"{path.stem}_{s}": rows for s, rows in part.rows.items()}
        part.about.index = pd.Index(list(part.rows))
    return parts, notes


def files_of(
    found: Found, usable: Sequence[Path], kinds: Mapping[Path, str], *, parts: Mapping[Path, Parts], cohort: str
) -> tuple[dict[str, tuple[str, str]], pd.DataFrame | None, str]:
    """Name -> path and modality of every sample's file, the table that describes them, and what it is called."""
    names = found.names()
    files: dict[str, tuple[str, str]] = {}
    for path in usable:
        if path in parts:
            files |= {f"{s}.h5ad": (str(split_path(cohort, s)), "rna") for s in parts[path].rows}
        else:
            files[names[path]] = str(path.relative_to(found.folder)), kinds.get(path, "rna")
    files |= {start: (str(linked_path(cohort, start)), "rna") for start in found.flat}
    table = describing(found)
    tables = [(table[1], table[0].name)] if table else []
    for path, part in parts.items():
        if part.about.shape[1]:
            tables.append((part.about.set_axis([f"{s}.h5ad" for s in part.about.index]), f"the obs of {path.name}"))
    if not tables:
        return files, None, ""
    return files, pd.concat([t for t, _ in tables]), " and ".join(dict.fromkeys(n for _, n in tables))


def left_over(
    found: Found, described: pd.DataFrame | None, *, donors: pd.DataFrame, antibodies: pd.DataFrame
) -> list[str]:
    """What tables of the folder were not used for, in words: whole tables, and columns of the one that was."""
    notes = []
    source = describing(found)
    used = [found.folder / str(p) for p in [*donors["calls"], *antibodies["counts"]]]
    if source is not None and described is not None:
        path, table = source
        used.append(path)
        read = used_columns(table)
        more = [str(c) for c in table.columns if str(c) not in read and table[c].nunique() > 1]
        if more:
            notes.append(
                f"{path.name}: not read of it: {first_of(more)} (copy a column into the sample sheet to have it)"
            )
    rest = [str(p.relative_to(found.folder)) for p in found.unused(used)]
    if rest:
        notes.append(f"tables not used, since they name no files here or another says more: {first_of(rest)}")
    return notes


def first_of(names: Sequence[str], most: int = 6) -> str:
    """The first names of a list in words, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def sheets_beside(
    found: Found, samples: pd.DataFrame, files: Mapping[str, tuple[str, str]], *, parts: Mapping[Path, Parts],
    notes: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Donor and antibody sheets of the RNA samples; `notes` grows by the files that are nobody's."""
    own = {name: path for path, name in found.names().items()}
    cells: dict[str, Sequence[str]] = {}
    split: dict[str, Any] = {f"{s}.h5ad": p.barcodes[rows] for p in parts.values() for s, rows in p.rows.items()}
    split |= {start: list(barcodes_of(f.barcodes)) for start, f in found.flat.items()}
    for name, row in zip(files, samples.to_dict("records"), strict=True):
        if row["modality"] == "rna" and (found.calls or found.raw):
            try:
                cells[row["sample"]] = list(split[name]) if name in split else barcodes_of(own[name])
            except UserError as error:
                notes.append(str(error))
                continue
            if name in own:
                found.places[row["sample"]] = own[name]
    donors, of_donors = donor_rows(found, cells)
    antibodies, of_antibodies = antibody_rows(found, cells)
    notes += of_donors + of_antibodies
    return donors, antibodies
