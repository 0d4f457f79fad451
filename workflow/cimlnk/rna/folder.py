"""Which files of a 10x folder are its matrix, barcodes and features; a rule depends on these and not on the folder.

A folder's own time stamp stays as it is when a file in it is rewritten in place, so that a rule whose input is the
folder would not be run again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cimlnk.common.errors import Plain, UserError

LOG = logging.getLogger("cimlnk.rna.folder")
# Where Cell Ranger puts the matrix, best first; "raw" holds every droplet and is never picked.
INSIDE = ("filtered_feature_bc_matrix", "filtered_gene_bc_matrices", "outs/filtered_feature_bc_matrix", "outs", ".")


class TenxFiles(NamedTuple):
    """The three files of a 10x folder, all in one folder."""

    matrix: Path
    barcodes: Path
    features: Path


def find_files(folder: Path) -> tuple[TenxFiles, list[str]]:
    """Find the matrix, barcodes and features of a 10x folder, and note where inside of it they lie.

    Parameters
    ----------
    folder
        Holds ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` or ``genes.tsv`` (plain or gzipped, GEO prefixes
        allowed), itself or where Cell Ranger puts the filtered ones (``outs/filtered_feature_bc_matrix``).

    Raises
    ------
    UserError
        If one of the three is not there or there are several.
    """
    inner, notes = _locate(folder)
    files = TenxFiles(
        _one(inner, ("matrix.mtx", "matrix.mtx.gz")),
        _one(inner, ("barcodes.tsv", "barcodes.tsv.gz")),
        _one(inner, ("features.tsv", "features.tsv.gz", "genes.tsv", "genes.tsv.gz")),
    )
    return files, notes


def input_files(path: str) -> list[str]:
    """The files a rule that reads `path` depends on: those of a 10x folder, matrix first, or `path` itself.

    A folder whose files cannot be found stands for itself: the job that reads it tells what is wrong, and under
    ``--keep-going`` leaves the sample out.
    """
    if not os.path.isdir(path):
        return [path]
    try:
        return [str(file) for file in find_files(Path(path))[0]]
    except UserError as error:
        LOG.info("%s", error)
        return [path]


def source_of(files: Sequence[str]) -> str:
    """What to read, given what :func:`input_files` gave: the one file or folder, or the folder that holds the three."""
    return files[0] if len(files) == 1 else os.path.dirname(files[0])


def _locate(folder: Path) -> tuple[Path, list[str]]:
    if any(p.name.removesuffix(".gz").endswith("matrix.mtx") for p in _visible(folder)):
        return folder, []
    raw: list[Path] = []
    for inside in INSIDE:
        root = folder / inside
        files = root.glob("**/*matrix.mtx*") if root.is_dir() else []
        hits = sorted({p.parent for p in files if not p.name.startswith(".")})
        raw = [h for h in hits if any(part.startswith("raw_") for part in h.relative_to(folder).parts)]
        hits = [h for h in hits if not any(part.startswith("raw_") for part in h.relative_to(folder).parts)]
        if len(hits) == 1:
            return hits[0], [f"matrix found in {hits[0].relative_to(folder)}"]
        if hits:
            raise UserError(
                folder, "matrix.mtx", ", ".join(str(h.relative_to(folder)) for h in hits), "one folder with one matrix"
            )
    if raw:
        found = Plain(f"only {raw[0].relative_to(folder)}, with every droplet")
        raise UserError(folder, "matrix.mtx", found, "filtered_feature_bc_matrix, or the raw folder itself as path")
    names = [p.name for p in _visible(folder)]
    raise UserError(folder, "matrix.mtx", Plain("no such file"), "matrix.mtx or matrix.mtx.gz", names)


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, but for what macOS and others put beside every file (``._matrix.mtx.gz``)."""
    return [p for p in folder.iterdir() if not p.name.startswith(".")]


def _one(folder: Path, names: tuple[str, ...]) -> Path:
    exact = [folder / n for n in names if (folder / n).is_file()]
    hits = exact or sorted(p for p in _visible(folder) if p.is_file() and p.name.endswith(names))
    if len(hits) == 1:
        return hits[0]
    if not hits:
        near = [p.name for p in _visible(folder)]
        raise UserError(folder, names[0], Plain(", ".join(sorted(near)) or "an empty folder"), " or ".join(names), near)
    raise UserError(folder, names[0], ", ".join(p.name for p in hits), "one such file")
