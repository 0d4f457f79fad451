"""Batch alignment of the cells of an AnnData."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from .model import FEWEST, Alignment, fit_alignment

if TYPE_CHECKING:
    from anndata import AnnData


def align_adata(
    adata: AnnData,
    batch: str,
    sample: str,
    *,
    kept: Sequence[str] = (),
    layer: str | None = None,
    metaclusters: int = 5,
    minimum: int = FEWEST,
    seed: int = 0,
) -> Alignment:
    """Estimate the batch effect on all samples and take it out (:func:`cimlnk.cytof.alignment.fit_alignment`).

    Parameters
    ----------
    adata
        Cells x markers on the analysis scale.
    batch, sample
        Columns of `obs`.
    kept
        Columns of `obs`, constant within a sample, whose differences must survive (time point, arm).
    layer
        Layer with the values; None for ``X``.
    metaclusters, minimum, seed
        See :func:`cimlnk.cytof.alignment.fit_alignment`.

    Writes
    ------
    layers["aligned"]
        Aligned values, float32; exact zeros stay zero.

    Returns
    -------
    Alignment, for cells of the same batches that come later.

    Raises
    ------
    UserError
        If the design does not identify the batch effects, as where a batch is a time point.
    ValueError
        If a column of `kept`, or the batch, differs within a sample.

    References
    ----------
    Van Gassen S et al. (2020) CytoNorm: a normalization algorithm for cytometry data. Cytometry A 97:268-278.

    Examples
    --------
    Two batches of two samples each, one measured 0.5 higher:

    >>> import anndata, numpy as np, pandas as pd
    >>> from cimlnk.cytof.alignment import align_adata
    >>> X = np.random.default_rng(0).normal(3, 1, (4000, 2)).astype(np.float32)
    >>> X[2000:] += 0.5
    >>> obs = pd.DataFrame({"batch": np.repeat(["a", "b"], 2000), "sample": np.repeat(["1", "2", "3", "4"], 1000),
    ...                     "day": np.tile(np.repeat(["d0", "d7"], 1000), 2)}, index=[str(i) for i in range(4000)])
    >>> adata = anndata.AnnData(X, obs=obs)
    >>> model = align_adata(adata, "batch", "sample", kept=["day"], metaclusters=1)
    >>> aligned = adata.layers["aligned"]
    >>> bool(abs(aligned[2000:].mean() - aligned[:2000].mean()) < 0.05)
    True
    """
    matrix = adata.X if layer is None else adata.layers[layer]
    values = np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float64)
    columns = list(dict.fromkeys([batch, *kept]))
    sheet = adata.obs[[sample, *columns]].astype(str).drop_duplicates()
    if sheet[sample].duplicated().any():
        several = sheet.loc[sheet[sample].duplicated(), sample].iloc[0]
        raise ValueError(f"sample {several!r} has more than one value in {', '.join(columns)}, expected one each")
    sheet = sheet.set_index(sample)
    code = sheet.index.get_indexer(adata.obs[sample].astype(str))
    model = fit_alignment(
        values,
        code,
        sheet[batch].tolist(),
        kept={name: sheet[name].tolist() for name in kept},
        markers=list(adata.var_names),
        metaclusters=metaclusters,
        minimum=minimum,
        seed=seed,
    )
    aligned = np.empty_like(values)
    groups = adata.obs[batch].astype(str).to_numpy()
    for name in model.batches:
        own = np.flatnonzero(groups == name)
        aligned[own] = model.apply(values[own], name)
    adata.layers["aligned"] = aligned.astype(np.float32)
    return model
