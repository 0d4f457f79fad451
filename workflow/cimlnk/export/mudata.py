"""All modalities in one MuData file (h5mu), copied from their AnnData files without reading them into memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.cytof.h5ad import mark

HEADER = 512  # bytes before the HDF5 part, where MuData says what the file is


def export_mudata(*, modalities: Mapping[str, str | Path], output: str | Path) -> None:
    """Write ``export/cohort.h5mu``: ``mod/<modality>`` and the cells of all of them in one `obs`.

    Mass cytometry and RNA measured different cells, so a row of `obs` has a place in one of them (``obsmap``); proteins
    (``adt``) were measured on the cells of the RNA and on others of the same samples. A file without cells is left out.

    Parameters
    ----------
    modalities
        Name -> file written by :func:`cimlnk.export.h5ad.export_h5ad`.
    output
        The file written; the same bytes in every run.
    """
    import h5py
    from anndata.io import read_elem, write_elem

    modalities = {name: file for name, file in modalities.items() if _n_obs(file)}
    tables: dict[str, dict[str, pd.DataFrame]] = {}
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(output, "w", userblock_size=HEADER) as f:
        mark(f, "MuData", "0.1.0")
        f.attrs["encoder"], f.attrs["encoder-version"] = "cimlnk", "0.1.0"
        group = f.create_group("mod")
        group.attrs["mod-order"] = list(modalities)
        for name, file in modalities.items():
            with h5py.File(file, "r") as source:
                f.copy(source, group, name=name)
                group[name].attrs.update(source.attrs)
                tables[name] = {axis: read_elem(source[axis]) for axis in ("obs", "var")}
        for axis in ("obs", "var"):
            whole = pd.concat([t[axis].assign(modality=m) for m, t in tables.items()])
            whole = whole[~whole.index.duplicated()]  # a cell measured twice is one row, with what its RNA says
            shared = ["modality", *(c for c in whole if all(c in t[axis] for m, t in tables.items() if m != "adt"))]
            whole = whole[shared] if axis == "obs" else whole[["modality"]]
            for column in whole.select_dtypes(exclude=["number", "bool"]):
                whole[column] = pd.Categorical(whole[column].astype(object))
            write_elem(f, axis, whole)
            for kind in ("m", "p", "map"):
                mark(f.create_group(axis + kind), "dict", "0.1.0")
            for name, table in tables.items():
                at = table[axis].index.get_indexer(whole.index)
                write_elem(f[axis + "map"], name, (at + 1).astype(np.uint32))  # 0: not in this modality
                write_elem(f[axis + "m"], name, at >= 0)
        mark(f.create_group("uns"), "dict", "0.1.0")
        f.attrs["axis"] = 0
    with Path(output).open("r+b") as raw:
        raw.write(b"MuData (format-version=0.1.0;creator=cimlnk;creator-version=0.1.0)".ljust(HEADER, b"\0"))


def _n_obs(file: str | Path) -> int:
    import h5py

    with h5py.File(file, "r") as f:
        obs = f["obs"]
        return len(obs[obs.attrs["_index"]])
