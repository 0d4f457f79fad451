"""Write h5ad with h5py alone: importing anndata costs a job more CPU than all its gating."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.json import plain

CHUNK_ROWS = 8192


def write_h5ad(
    path: str | Path,
    x: NDArray[np.floating],
    raw: NDArray[np.floating],
    *,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    record: Mapping[str, Any],
) -> None:
    """Write a dense AnnData (on-disk format 0.1.0) that :func:`anndata.read_h5ad` reads.

    Parameters
    ----------
    x, raw
        Cells × markers: `X` and ``layers["raw"]``, stored as float32 (gzip 1, byte-shuffled).
    obs, var
        Their index are cell ids and marker names; columns of numbers, booleans or text (text as categories).
    record
        Goes to ``uns["cimlnk"]`` as JSON text with sorted keys; NaN becomes null.
    """
    import h5py

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", track_order=False) as f:
        mark(f, "anndata", "0.1.0")
        _array(f, "X", x)
        layers = f.create_group("layers")
        mark(layers, "dict", "0.1.0")
        _array(layers, "raw", raw)
        _frame(f, "obs", obs)
        _frame(f, "var", var)
        for name in ("obsm", "obsp", "varm", "varp"):
            mark(f.create_group(name), "dict", "0.1.0")
        uns = f.create_group("uns")
        mark(uns, "dict", "0.1.0")
        text = json.dumps(plain(record), sort_keys=True, allow_nan=False)
        uns.create_dataset("cimlnk", data=text, dtype=h5py.string_dtype())
        mark(uns["cimlnk"], "string", "0.2.0")


def read_record(path: str | Path) -> dict[str, Any]:
    """The JSON record of a file (empty if it has none)."""
    import h5py

    with h5py.File(path, "r") as f:
        node = f.get("uns/cimlnk")
        return json.loads(node.asstr()[()]) if node is not None else {}


def read_names(path: str | Path) -> tuple[list[str], pd.DataFrame]:
    """Cell ids, and the columns `channel`, `role`, `cofactor`, `cluster` of the markers (index marker)."""
    import h5py

    with h5py.File(path, "r") as f:
        cells = f["obs/_index"].asstr()[:].tolist()
        columns = {k: _column(f[f"var/{k}"]) for k in f["var"].attrs["column-order"]}
        return cells, pd.DataFrame(columns, index=f["var/_index"].asstr()[:])


def iterate_x(path: str | Path, markers: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    """`X` of the named markers in blocks of 8,192 cells."""
    import h5py

    with h5py.File(path, "r") as f:
        names = f["var/_index"].asstr()[:].tolist()
        picked = [names.index(m) for m in markers]
        x = f["X"]
        for start in range(0, x.shape[0], CHUNK_ROWS):
            yield x[start : start + CHUNK_ROWS][:, picked]


def _column(node: Any) -> Any:
    if hasattr(node, "keys"):
        categories = node["categories"].asstr()[:]
        return categories[node["codes"][:]]
    return node.asstr()[:] if node.dtype.kind == "O" else node[:]


def mark(node: Any, kind: str, version: str) -> None:
    """Say in AnnData's way what a group or data set is."""
    node.attrs["encoding-type"] = kind
    node.attrs["encoding-version"] = version


def _array(group: Any, name: str, values: NDArray[Any]) -> None:
    data = np.ascontiguousarray(values, dtype=np.float32 if values.dtype.kind == "f" else values.dtype)
    options: dict[str, Any] = {}
    if data.ndim == 2 and data.size:
        options = {
            "chunks": (min(CHUNK_ROWS, len(data)), data.shape[1]),
            "compression": "gzip",
            "compression_opts": 1,
            "shuffle": True,
        }
    mark(group.create_dataset(name, data=data, track_times=False, **options), "array", "0.2.0")


def _strings(group: Any, name: str, values: Sequence[str]) -> None:
    import h5py

    data = np.array(list(values), dtype=object)
    mark(group.create_dataset(name, data=data, dtype=h5py.string_dtype()), "string-array", "0.2.0")


def _frame(parent: Any, name: str, table: pd.DataFrame) -> None:
    group = parent.create_group(name)
    mark(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs["column-order"] = (
        np.array(list(table.columns), dtype=object) if len(table.columns) else np.empty(0, "S1")
    )
    _strings(group, "_index", table.index.astype(str))
    for column in table.columns:
        values = table[column]
        if values.dtype.kind in "biuf":
            _array(group, column, values.to_numpy())
            continue
        category = values.astype("category")
        node = group.create_group(column)
        mark(node, "categorical", "0.2.0")
        node.attrs["ordered"] = False
        _strings(node, "categories", category.cat.categories.astype(str))
        _array(node, "codes", category.cat.codes.to_numpy())
