"""What a result was made from: rule, parameters, versions and the sha256 of every input."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PureWindowsPath
from typing import Any

import cimlnk

from .home import HOME

PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "anndata", "scanpy", "igraph", "numba", "flowio", "snakemake")

BLOCK = 64 << 10


def sha256(path: str | Path) -> str:
    """Hex sha256 of a file, read in 1 MiB pieces; of a folder, over its files' names and hashes in sorted order."""
    path = Path(path)
    h = hashlib.sha256()
    if path.is_dir():
        for f in sorted(p for p in path.rglob("*") if p.is_file()):
            h.update(f"{f.relative_to(path)}\0{sha256(f)}\n".encode())
        return h.hexdigest()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def fingerprint(*paths: str | Path) -> str:
    """A hash of files' contents that is quick for large ones, so that a file replaced by an older one is noticed.

    Files up to 64 MiB are hashed whole; of larger ones the size and 66 blocks of 64 KiB, evenly spaced, both ends
    included. Neither time stamps nor places enter, so that a copy elsewhere has the same one.
    """
    h = hashlib.sha256()
    for path in map(Path, paths):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            h.update(f"{file.name}\0{fingerprint_bytes(file)}\n".encode("utf-8", "surrogateescape"))
    return h.hexdigest()[:16]


def fingerprint_bytes(file: Path) -> str:
    """:func:`fingerprint` of one file's bytes, whatever its name."""
    h = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            h.update(f"{size}\0".encode())
            step = 0 if size <= 64 << 20 else (size - BLOCK) // 65
            starts = [i * step for i in range(66)] if step else range(0, size, 1 << 20)
            for start in starts:
                stream.seek(start)
                h.update(stream.read(BLOCK if step else 1 << 20))
    except OSError as error:  # the job that reads it tells what is wrong
        h.update(f"{file}\0{error.strerror}".encode("utf-8", "surrogateescape"))
    return h.hexdigest()


def versions() -> dict[str, str]:
    """Versions of this package and of the libraries that can change a result."""
    found = {"cimlnk": cimlnk.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def provenance(rule: str, params: Mapping[str, Any], inputs: Iterable[str | Path] = ()) -> dict[str, Any]:
    """A JSON-ready record; it holds no time stamp and no absolute path, so equal runs give equal bytes."""
    return {
        "rule": rule,
        "params": placeless(json.loads(json.dumps(params, default=str, sort_keys=True))),
        "versions": versions(),
        "inputs": {place(p): _digest(p) for p in sorted(map(str, inputs))},
    }


def _digest(path: str) -> str:
    """The sha256, or why a file cannot be read: the step that reads it leaves it out, or tells it and ends."""
    try:
        return sha256(path)
    except PermissionError as error:
        return f"unreadable: {error.strerror}"


def place(path: str) -> str:
    """A file's place below the run or among the shipped files; elsewhere its name, for its place is one machine's.

    Examples
    --------
    >>> place("config/samples.tsv"), place("/data/trial/samples.tsv")
    ('config/samples.tsv', 'samples.tsv')
    """
    if not Path(path).is_absolute() or len(Path(path).parts) < 2:
        return path
    return str(Path(path).relative_to(HOME)) if Path(path).is_relative_to(HOME) else Path(path).name


def told_apart(paths: Sequence[str]) -> list[str]:
    """Paths as :func:`place` tells them, with as many of their last folders as it takes to tell them apart.

    Examples
    --------
    >>> told_apart(["/data/anna/S1/outs/a.h5", "/data/anna/S2/outs/a.h5", "raw/b.fcs"])
    ['S1/outs/a.h5', 'S2/outs/a.h5', 'raw/b.fcs']
    """
    far = {p: PureWindowsPath(p).parts if "\\" in p else Path(p).parts for p in paths if _is_far(p)}
    shown = {p: place(p) for p in paths}
    for n in range(1, max(map(len, far.values()), default=1)):
        shown |= {p: "/".join(parts[1:][-n:]) for p, parts in far.items()}
        if len(set(shown.values())) == len(shown):
            break
    return [shown[p] for p in paths]


def _is_far(path: str) -> bool:
    windows = bool(re.match(r"[A-Za-z]:[\\/]|\\\\", path))
    return windows or (Path(path).is_absolute() and len(Path(path).parts) > 1 and place(path) == Path(path).name)


def placeless(value: Any) -> Any:
    """A config or record with the places of files in it told by :func:`place`.

    Examples
    --------
    >>> placeless({"sheets": ["/data/trial/counts.tsv"], "seed": 1})
    {'sheets': ['counts.tsv'], 'seed': 1}
    """
    if isinstance(value, Mapping):
        return {placeless(k): placeless(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [placeless(v) for v in value]
    return place(value) if isinstance(value, str) and "\n" not in value else value


def without_places(text: str, paths: Iterable[str | Path]) -> str:
    """`text` with `paths`, and what lies beside or in them, named without the folders of this machine.

    Results are sent around, and folders hold the names of people and hosts.

    Examples
    --------
    >>> without_places("/data/raw/P1/matrix.mtx: header: …", ["/data/raw/P1"])
    'P1/matrix.mtx: header: …'
    """
    for path in sorted({p for p in map(str, paths) if Path(p).is_absolute()}, key=len, reverse=True):
        text = text.replace(path, place(path)).replace(f"{Path(path).parent}/", "")
    return text
