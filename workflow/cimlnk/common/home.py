"""Where the workflow's own files lie: in a checkout, or below ``cimlnk_home`` where pip installed the package."""

from __future__ import annotations

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
