"""Where the workflow's own files lie: in a checkout, or below ``cimlnk_home`` where pip installed the package."""

from __future__ import annotations

import os
from pathlib import Path

HOME = Path(__file__).resolve().parents[3]


def locate(path: str | Path, base: str | Path = ".") -> Path:
    """The place of a file named in a config.

    Parameters
    ----------
    path
        As written: absolute, relative to `base`, or the name of a file shipped with the workflow
        (``resources/gates/nk.yaml``).
    base
        Folder of the user's files, the working directory by default.

    Returns
    -------
    pathlib.Path
        ``base / path`` unless there is no such file but one is shipped by that name. Where the checkout is the working
        directory the result is relative, so that neither results nor Snakemake's records name its place.

    Examples
    --------
    >>> locate("resources/gates/nk.yaml", "/nowhere") == HOME / "resources/gates/nk.yaml"
    True
    """
    own = Path(base) / path
    shipped = HOME / path
    return shipped if not own.exists() and shipped.is_file() else own


def called(verb: str = "run", rest: str = "") -> str:
    """What a user types for a verb: ``./run …`` of a checkout, ``cimlnk …`` of an installed package.

    Parameters
    ----------
    verb
        ``run`` for a cohort, else as in ``./run VERB`` and ``cimlnk VERB``; ``snakemake`` for its own options.
    rest
        What follows.

    Examples
    --------
    >>> called("check", "config/mine.yaml") in ("./run check config/mine.yaml", "cimlnk check config/mine.yaml")
    True
    """
    cloned = (HOME / "run").is_file()
    if cloned:
        words = ["./run", "" if verb == "run" else verb, rest]
    else:
        words = ["cimlnk", "run" if verb == "snakemake" else verb, rest]
    return " ".join(word for word in words if word)


def why_no_file(path: str | Path) -> str:
    """What stands in the place of a file, in words that follow "there": ``is no such file``, ``is a folder``, ….

    Examples
    --------
    >>> why_no_file("/dev/null")
    'is a pipe or a device'
    """
    path = Path(path)
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is a file" if path.is_file() else "is a pipe or a device"
    return f"is a link to {os.readlink(path)}, which is not there" if path.is_symlink() else "is no such file"
