"""What an HDF5 file claims, checked before any C library believes it: links, sizes, shapes, index arrays.

libhdf5 follows links to other files of the machine, scipy trusts index arrays (an index out of range is a crash or a
wrong count), and a declared size is allocated before a byte of it is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

# Bytes unpacked for a byte of the file. Sparse counts pack 4- to 30-fold, a matrix of few counts stored dense 300-fold.
PACKED = 1000
LEAST = 256 << 20  # below this, whatever the file claims fits in memory
DEEPEST = 30
HEAP = b"GCOL\x01\x00\x00\x00"  # signature, version and reserved bytes: not met by chance


def check_file(path: Path, file: Any) -> None:
    """Refuse links out of the file, data kept elsewhere, damaged heaps, and data sets larger than the file can hold.

    Parameters
    ----------
    path
        Named in messages; its size bounds what may be in it.
    file
        The open ``h5py.File``.

    Raises
    ------
    UserError
        Naming the first such entry.
    """
    import h5py

    check_heaps(path)
    most = max(LEAST, PACKED * path.stat().st_size)
    seen: set[Any] = set()
    stack: list[tuple[str, Any, int]] = [("", file, 0)]
    while stack:
        prefix, group, depth = stack.pop()
        if depth > DEEPEST:
            raise UserError(path, prefix, Plain("groups nested deeper"), f"at most {DEEPEST} levels")
        for name in group:
            place = f"{prefix}/{name}"
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise UserError(path, place, Plain("a link to another file"), "data in the file itself")
            if isinstance(link, h5py.SoftLink):
                continue  # what it points to in this file is looked at where it lies; outside there is nothing
            item = group[name]
            if isinstance(item, h5py.Group):
                if item.id not in seen:
                    seen.add(item.id)
                    stack.append((place, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise UserError(path, place, Plain("data kept in another file"), "data in the file itself")
                claimed = int(np.prod([float(n) for n in item.shape or ()])) * item.dtype.itemsize
                if claimed > most:
                    found = Plain(f"{claimed:,} bytes claimed in a file of {path.stat().st_size:,}")
                    raise UserError(path, place, found, f"at most {most:,} bytes")


def check_heaps(path: Path) -> None:
    """Walk the global heaps of an HDF5 file (where text of variable length lies) before libhdf5 does.

    libhdf5 steps from object to object by the sizes written there, and never ends where a size is 0. The layout is that
    of the HDF5 File Format Specification 3.0, section III.E.

    Raises
    ------
    UserError
        If a heap cannot be walked to its end.
    """
    import mmap

    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = data.find(HEAP)
            while at >= 0:
                if not _walks(data, at):
                    found = Plain("a damaged heap of texts")
                    raise UserError(path, f"byte {at}", found, "an HDF5 file as it was written: copy it again")
                at = data.find(HEAP, at + len(HEAP))


def _walks(data: Any, start: int) -> bool:
    """Whether a heap's objects end where the heap ends."""
    size = int.from_bytes(data[start + 8 : start + 16], "little")
    end = start + size
    if size < 16 or end > len(data):
        return False
    at = start + 16
    while end - at >= 16:
        index = int.from_bytes(data[at : at + 2], "little")
        length = int.from_bytes(data[at + 8 : at + 16], "little")
        # object 0 is the free space, its header counted in
        step = length if index == 0 else 16 + (length + 7) // 8 * 8
        if step < 16 or at + step > end:
            return False
        at += step
    return True


def sparse_group(
    path: Path, group: Any, shape: tuple[int, int], *, by_row: bool = True
) -> sp.csr_matrix | sp.csc_matrix:
    """A compressed sparse matrix from the arrays ``data``, ``indices``, ``indptr`` of a group, checked first.

    Parameters
    ----------
    path, group
        The file, and its group.
    shape
        Rows and columns.
    by_row
        Whether `indptr` runs over rows (CSR) or columns (CSC).

    Raises
    ------
    UserError
        If an array is absent, not of numbers, not one-dimensional, or contradicts the shape.
    """
    major, minor = shape if by_row else shape[::-1]
    arrays = {}
    for name in ("data", "indices", "indptr"):
        item = group.get(name)
        if item is None or not hasattr(item, "dtype"):
            raise UserError(path, group.name, Plain(f"no data set {name}"), "data, indices and indptr", list(group))
        kinds = "iu" if name != "data" else "iufb"
        if item.dtype.kind not in kinds or len(item.shape) != 1:
            found = Plain(f"{item.dtype} of shape {item.shape}")
            words = "one row of numbers" if name == "data" else "one row of whole numbers"
            raise UserError(path, f"{group.name}/{name}", found, words)
    if group["indptr"].shape[0] != major + 1:
        found = Plain(f"{group['indptr'].shape[0]} row starts")
        raise UserError(
            path, f"{group.name}/indptr", found, f"{major + 1:,}, for the shape {shape[0]:,} x {shape[1]:,}"
        )
    for name in ("data", "indices", "indptr"):
        arrays[name] = group[name][:]
    data, indices, indptr = arrays["data"], arrays["indices"], arrays["indptr"]
    whole = (
        indptr[0] == 0
        and int(indptr[-1]) == len(data) == len(indices)
        and (indptr[1:] >= indptr[:-1]).all()
        and (len(indices) == 0 or (indices.min() >= 0 and indices.max() < minor))
    )
    if not whole:
        found = Plain("index arrays that contradict the shape")
        raise UserError(path, group.name, found, f"{shape[0]:,} x {shape[1]:,} entries, each once in its row")
    kind = sp.csr_matrix if by_row else sp.csc_matrix
    return kind((data, indices, indptr), shape=shape)


def matrix_of(path: Path, item: Any) -> sp.csr_matrix | sp.csc_matrix | np.ndarray:
    """The matrix of an h5ad (``X``, a layer), dense or sparse, by its own arrays and not by what anndata makes of them.

    Raises
    ------
    UserError
        As :func:`sparse_group`; also for complex numbers, texts, and encodings that are no matrix.
    """
    import h5py

    if isinstance(item, h5py.Dataset):
        if item.dtype.kind not in "iufb" or len(item.shape) != 2:
            found = Plain(f"{item.dtype} of shape {item.shape}")
            raise UserError(path, item.name, found, "a matrix of numbers, cells x genes")
        return item[:]
    encoding = item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", ""))
    encoding = encoding.decode() if isinstance(encoding, bytes) else str(encoding)
    by_row = {"csr_matrix": True, "csr": True, "csc_matrix": False, "csc": False}.get(encoding)
    shape = item.attrs.get("shape", item.attrs.get("h5sparse_shape"))
    if by_row is None or shape is None or np.shape(shape) != (2,) or np.asarray(shape).dtype.kind not in "iu":
        raise UserError(
            path, item.name, encoding or Plain("no encoding"), "a csr_matrix, a csc_matrix or a dense array"
        )
    n_rows, n_columns = (int(v) for v in shape)
    return sparse_group(path, item, (n_rows, n_columns), by_row=by_row)
