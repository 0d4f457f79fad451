"""An FCS file as AnnData, for notebooks; the pipeline itself reads columns and never a whole file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .header import read_events, read_header

if TYPE_CHECKING:
    from anndata import AnnData


def read_adata(path: str | Path, cofactor: float | None = 5.0) -> AnnData:
    """Read all events and channels of an FCS file.

    Parameters
    ----------
    path
        FCS 2.0 to 3.2.
    cofactor
        ``X`` is arcsinh(value / cofactor); 5 suits mass cytometry, 150 fluorescence. None leaves ``X`` as in the file.

    Returns
    -------
    AnnData
        Events x channels, float32. ``var_names`` are the marker names, or the channel's where there is none;
        ``var["channel"]`` has the channels (``Nd142Di``), which the other functions on AnnData find metals by;
        ``layers["raw"]`` the values as in the file; ``uns["fcs"]`` what was odd about the file.

    Raises
    ------
    UserError
        If the file cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from cimlnk.cytof.fcs import read_adata, write_fcs
    >>> with TemporaryDirectory() as folder:
    ...     write_fcs(f"{folder}/a.fcs", [[0.0, 5.0], [10.0, 0.0]], ["Yb176Di", "Bi209Di"], markers=["CD56", "CD16"])
    ...     adata = read_adata(f"{folder}/a.fcs")
    >>> list(adata.var_names), adata.X.astype(float).round(2).tolist()
    (['CD56', 'CD16'], [[0.0, 0.88], [1.44, 0.0]])
    """
    from anndata import AnnData

    header = read_header(path)
    raw = np.asarray(read_events(header), dtype=np.float32)
    names = [marker or channel for channel, marker in zip(header.channels, header.markers, strict=True)]
    var = pd.DataFrame({"channel": list(header.channels)}, index=pd.Index(names, dtype=object))
    obs = pd.DataFrame(index=[str(i) for i in range(len(raw))])
    adata = AnnData(raw if cofactor is None else np.arcsinh(raw / np.float32(cofactor)), obs=obs, var=var)
    adata.var_names_make_unique()
    adata.layers["raw"] = raw
    adata.uns["fcs"] = {"notes": list(header.notes)}
    return adata
