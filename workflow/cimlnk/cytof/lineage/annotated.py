"""Lineages of the events of an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .call import call_lineages
from .markers import LINEAGES

if TYPE_CHECKING:
    from anndata import AnnData


def lineages_adata(
    adata: AnnData,
    cofactor: float = 5.0,
    batch: str | None = None,
    *,
    layer: str | None = None,
    input_scale: str = "raw",
    seed: int = 0,
    threads: int | None = None,
) -> None:
    """Call the lineage of every event, batch by batch (:func:`cimlnk.cytof.lineage.call_lineages`).

    Parameters
    ----------
    adata
        Live single events x markers on the analysis scale; `var_names` are canonical marker names (``CD3``).
    cofactor
        Of the arcsinh that was taken.
    batch
        Column of `obs`; events of a batch are clustered together. Without it all are one batch.
    layer
        Layer with the values; None for ``X``.
    input_scale
        As the config's `cytof.input_scale`.
    seed, threads
        Stream; the result does not depend on the number of threads.

    Writes
    ------
    obs["lineage"], obs["lineage_confidence"]
        The most probable lineage (T, B, monocyte, granulocyte, DC, NK …) and its probability.
    uns["lineages"]
        By batch the markers used and what could not be determined for lack of a marker.

    Raises
    ------
    ValueError
        A batch has fewer than 20 events, or no marker tells lineages apart.

    Examples
    --------
    NK cells and T cells as ion counts:

    >>> import anndata, numpy as np, pandas as pd
    >>> from cimlnk.cytof.lineage import lineages_adata
    >>> rng = np.random.default_rng(0)
    >>> mean = np.repeat([[150, 0.5, 0.5, 60], [0.5, 120, 60, 140]], 300, axis=0)
    >>> X = np.arcsinh(rng.poisson(mean) / 5).astype(np.float32)
    >>> adata = anndata.AnnData(X, var=pd.DataFrame(index=["CD3", "CD56", "CD16", "CD7"]))
    >>> lineages_adata(adata)
    >>> adata.obs["lineage"].value_counts().to_dict()
    {'T': 300, 'NK': 300}
    """
    matrix = adata.X if layer is None else adata.layers[layer]
    values = np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float32)
    groups = np.zeros(adata.n_obs, object) if batch is None else adata.obs[batch].astype(str).to_numpy(dtype=object)
    lineage, confidence = np.zeros(adata.n_obs, np.int8), np.zeros(adata.n_obs, np.float32)
    told = {}
    for name in sorted(set(groups), key=str):
        own = np.flatnonzero(groups == name)
        found = call_lineages(
            values[own],
            list(adata.var_names),
            [cofactor] * adata.n_vars,
            input_scale=input_scale,
            seed=seed,
            threads=threads,
        )
        lineage[own], confidence[own] = found.lineage, found.confidence
        told[str(name)] = {"markers": list(found.markers), "limits": list(found.limits)}
    adata.obs["lineage"] = pd.Categorical.from_codes(lineage, list(LINEAGES)).remove_unused_categories()
    adata.obs["lineage_confidence"] = confidence
    adata.uns["lineages"] = told
