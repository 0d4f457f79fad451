"""Where a sample's file lies: given on disk, downloaded from a URL, or written by the simulation."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from cimlnk.common.errors import Plain, Problems
from cimlnk.common.vocabulary import CYTOMETRY

from .read import LINE

OWN = "data"  # the folder below which rules write raw files: data/<cohort id>/
SUFFIXES = {"cytof": (".fcs",), "flow": (".fcs",), "rna": (".h5", ".h5ad")}


@dataclass(frozen=True)
class Download:
    """A file to be fetched: its address and the checksum it must have."""

    url: str
    sha256: str


def place_files(
    samples: pd.DataFrame, cfg: Mapping[str, Any], base: Path, *, problems: Problems, shared: Collection[str] = ()
) -> tuple[dict[str, str], frozenset[str], dict[str, Download]]:
    """The place of every sample's file on this machine, whose files are given, and what has to be downloaded.

    Checks that local files exist (unless the simulation writes them below ``data/<cohort id>/``), that a URL has a
    sha256, that the kind of file fits the modality, and that no file stands in two rows (unless the samples of a mass
    cytometry file are distinguished by their barcodes, or those of an RNA file, `shared`, by hashtags).
    """
    file = cfg["cohort"]["samples"]
    own = PurePosixPath(OWN) / cfg["cohort"]["id"]
    root = data_root(cfg, base, problems)
    places: dict[str, str] = {}
    downloads: dict[str, Download] = {}
    given: set[str] = set()
    seen: dict[str, int] = {}
    known: dict[Path, list[str]] = {}
    for row in samples.to_dict("records"):
        path, sample, where = row["path"], row["sample"], f"row {row[LINE]}, column path"
        if path is None:
            continue
        scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", path)
        plain = PurePosixPath(path)
        simulated = cfg["simulate"] is not None and plain.is_relative_to(own) and ".." not in plain.parts
        pooled = row["modality"] == "cytof" and cfg["cytof"]["debarcoding"]["enabled"]
        identity = path
        if scheme and scheme[1].lower() not in ("http", "https"):
            problems.add(file, where, path, "a local path or an http(s) URL")
        elif scheme:
            try:
                remote = PurePosixPath(unquote(urlsplit(path).path))
            except ValueError as error:
                problems.add(file, where, path, f"an address that can be read ({error})")
                continue
            suffix = remote.suffix.lower()
            _check_suffix(path, suffix, row["modality"], folder=False, file=file, where=where, problems=problems)
            if row["sha256"] is None:
                problems.add(file, f"row {row[LINE]}, column sha256", Plain("nothing"), "the sha256 of the URL's file")
            elif sample is not None:
                # The key sheet of a pool calls it by its own name; else names on a server are neither safe nor unique.
                name = re.sub(r"[^\w.-]", "_", remote.name) if pooled else f"{sample}{suffix}"
                downloads[name] = Download(path, row["sha256"].lower())
                places[sample] = str(own / "download" / name)
        elif simulated:
            _check_suffix(
                path,
                plain.suffix.lower(),
                row["modality"],
                folder=plain.suffix == "",
                file=file,
                where=where,
                problems=problems,
            )
            places[str(sample)] = path
        elif root is not None:
            if any(c in path for c in "{}\0\n\r"):
                problems.add(file, where, path, "a name without { and }, which stand for wildcards: rename the file")
                continue
            local = _as_on_disk(root / path)
            try:
                identity, there = str(local.resolve()), local.exists()
            except (OSError, ValueError, RuntimeError) as error:  # a name too long, a loop of links
                words = getattr(error, "strerror", None) or str(error)
                problems.add(file, where, path, f"the path of a file ({words})")
                continue
            if local.is_symlink() and not there:
                expected = f"the path of a file, but it is a link to {os.readlink(local)}, which is not there"
                problems.add(file, where, path, expected)
            elif there and not (local.is_file() or local.is_dir()):
                problems.add(file, where, path, "the path of a file, but it is a pipe or a device")
            elif not there:
                near = _nearby(local, path, row, samples=samples, known=known)
                problems.add(file, where, path, _expected(local, root, cfg, path=path), near)
            else:
                _check_suffix(
                    path,
                    local.suffix.lower(),
                    row["modality"],
                    folder=local.is_dir(),
                    file=file,
                    where=where,
                    problems=problems,
                )
            # A path that is right as it stands keeps results free of the place of the checkout.
            as_written = not os.path.isabs(path) and root.resolve() == Path.cwd()
            places[str(sample)] = path if as_written else str(local)
            given.add(str(sample))
        if identity in seen and not pooled and sample not in shared:
            expected = f"a file of its own for every sample, but row {seen[identity]} has this one too"
            if row["modality"] == "rna":
                expected += " (one file of several people: give each row its hashtag or donor in an antibody sheet)"
            problems.add(file, where, path, expected)
        seen.setdefault(identity, row[LINE])
    return places, frozenset(given), downloads


def _as_on_disk(path: Path) -> Path:
    """`path`, or the file whose name has the same letters, composed or not (macOS writes e and accent apart)."""
    try:
        if path.exists() or path.name.isascii() or not path.parent.is_dir():
            return path
        name = unicodedata.normalize("NFC", path.name)
        return next((p for p in sorted(path.parent.iterdir()) if unicodedata.normalize("NFC", p.name) == name), path)
    except (OSError, ValueError, RuntimeError):
        return path


def _nearby(
    local: Path, path: str, row: Mapping[Any, Any], *, samples: pd.DataFrame, known: dict[Path, list[str]]
) -> Callable[[], list[str]]:
    """Names in the file's folder that may be meant, listed when they are asked for and once a folder (`known`)."""

    def names() -> list[str]:
        if local.parent not in known:
            known[local.parent] = _beside(local)
        head = path[: len(path) - len(local.name)]
        return _own([head + name for name in known[local.parent]], row, samples)

    return names


def _own(names: list[str], row: Mapping[Any, Any], samples: pd.DataFrame) -> list[str]:
    """Of the names in a folder those that may be meant: in no other row, and not called after another patient."""
    used = set(samples.loc[samples[LINE] != row[LINE], "path"])
    patients = set(samples["patient"].dropna()) - {row["patient"]}
    wanted = set(re.findall(r"[^\W_]+", row["path"]))
    return [n for n in names if n not in used and not (set(re.findall(r"[^\W_]+", n)) - wanted) & patients]


def expand(text: str) -> tuple[str, list[str]]:
    """`text` with ``$NAME``, ``${NAME}`` and a leading ``~`` replaced, and the names that are not set."""
    unset = sorted({a or b for a, b in re.findall(r"\$(?:\{(\w+)\}|(\w+))", text) if not os.environ.get(a or b)})
    return os.path.expanduser(os.path.expandvars(text)), unset


def data_root(cfg: Mapping[str, Any], base: Path, problems: Problems) -> Path | None:
    """The folder to which relative paths refer; None (and a problem) if it cannot be known."""
    given = cfg["cohort"]["data_root"]
    if given is None:
        return base
    text, unset = expand(given)
    if unset:
        names = " and ".join(unset)
        expected = f"the environment variable {names} to be set: export {unset[0]}=/path/to/the/data"
        problems.add("config", "cohort.data_root", given, expected)
        return None
    root = base / text
    if not root.is_dir():
        problems.add("config", "cohort.data_root", given, f"a folder, but there is none at {root}")
        return None
    return root


def _check_suffix(
    path: str, suffix: str, modality: str | None, *, folder: bool, file: str, where: str, problems: Problems
) -> None:
    if modality in CYTOMETRY and (folder or suffix not in SUFFIXES[modality]):
        problems.add(file, where, path, f"an .fcs file, as the modality is {modality}")
    elif modality == "rna" and not folder and suffix not in SUFFIXES["rna"]:
        problems.add(file, where, path, "an .h5 or .h5ad file or a 10x folder, as the modality is rna")


def _expected(local: Path, root: Path, cfg: Mapping[str, Any], *, path: str) -> str:
    text = (
        f"a file or folder below {root}"
        if not local.is_absolute() or local.is_relative_to(root)
        else "a file or folder"
    )
    if "\\" in path:
        text += ", its folders separated by / and not by \\"
    if cfg["simulate"] is not None:
        text += f", or a path below data/{cfg['cohort']['id']}/, which the simulation writes"
    return text


def _beside(local: Path) -> list[str]:
    """Names in the same folder, for the suggestion; not those that cannot be typed (bytes that are no letters)."""
    try:
        return sorted(p.name for p in local.parent.iterdir() if p.name.isprintable())
    except (OSError, ValueError, RuntimeError):
        return []
