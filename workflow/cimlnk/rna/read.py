"""Read one sample's raw counts: 10x folder, 10x HDF5 or h5ad, recognised by content and not by name."""

from __future__ import annotations

from pathlib import Path

from cimlnk.common.errors import Plain, UserError

from .counts import Counts
from .read_h5 import read_hdf5
from .read_mtx import read_mtx

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_counts(path: str | Path, source: str = "auto") -> Counts:
    """Read the raw counts of one sample.

    Parameters
    ----------
    path
        A 10x folder (``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` or ``genes.tsv``, plain or gzipped, also
        inside ``outs/filtered_feature_bc_matrix``), its ``matrix.mtx``, a 10x ``.h5`` of Cell Ranger 2 or later, or
        an ``.h5ad``.
    source
        Where an h5ad holds its counts: ``auto`` (``layers['counts']``, then ``X``, then ``raw``), ``X``, ``raw`` or
        ``layers/<name>``. Of no meaning for 10x files.

    Returns
    -------
    Counts
        Checked raw counts with human gene symbols; what was done to get them is in ``found`` and ``notes``.

    Raises
    ------
    UserError
        One message for a missing, truncated or corrupt file, or one that holds no raw counts.
    """
    path = Path(path)
    if not path.exists():
        near = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        raise UserError(path.parent, "path", path.name, "a file or folder that exists", near)
    if path.is_dir() or path.name.removesuffix(".gz").endswith(".mtx"):
        return read_mtx(path if path.is_dir() else path.parent)
    if path.stat().st_size == 0:
        raise UserError(path, "file", Plain("0 bytes"), "a 10x folder, a 10x h5 or an h5ad")
    with path.open("rb") as f:
        magic = f.read(8)
    if magic != HDF5_MAGIC:
        raise UserError(
            path,
            "first bytes",
            Plain(repr(magic)),
            "an HDF5 file (10x .h5, .h5ad) or a folder with matrix.mtx, barcodes.tsv and features.tsv",
        )
    return read_hdf5(path, source)
