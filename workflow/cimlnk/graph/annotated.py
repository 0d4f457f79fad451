"""The engine on AnnData objects, with the slots that scanpy writes, so that ``sc.tl.paga`` and others go on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from .communities import leiden
from .edges import weights
from .nearest import Knn, knn
from .resolution import Choice, choose_resolution

if TYPE_CHECKING:
    from anndata import AnnData


def neighbors(
    adata: AnnData,
    n_neighbors: int = 15,
    use_rep: str | None = None,
    *,
    kind: str = "umap",
    recall: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
) -> Knn:
    """Neighbour graph of the cells, written as ``sc.pp.neighbors`` does.

    Parameters
    ----------
    n_neighbors
        Counted as scanpy does, the cell itself included: 15 means 14 others.
    use_rep
        Key of ``obsm``, or ``"X"``; default ``X_pca`` if there is one, else ``X``.

    Writes ``obsp["distances"]`` (n_neighbors - 1 entries per row), ``obsp["connectivities"]``, ``uns["neighbors"]``
    with the measured recall in its ``params`` and ``order`` (n, int32: the cells with near ones close together, which
    makes :func:`cluster` faster). Returns the neighbour lists.
    """
    rep = use_rep or ("X_pca" if "X_pca" in adata.obsm else "X")
    lists = knn(_matrix(adata, rep), n_neighbors - 1, recall, seed=seed, threads=threads)
    n, k = lists.indices.shape
    rows = np.repeat(np.arange(n, dtype=np.int32), k)
    distances = sp.csr_matrix((lists.distances.ravel().astype(np.float64), (rows, lists.indices.ravel())), shape=(n, n))
    adata.obsp["distances"] = distances
    adata.obsp["connectivities"] = weights(lists, kind, threads)
    adata.uns["neighbors"] = {
        "connectivities_key": "connectivities",
        "distances_key": "distances",
        "params": {
            "n_neighbors": n_neighbors,
            "method": kind,
            "metric": "euclidean",
            "random_state": seed,
            "use_rep": rep,
            "recall": lists.recall,
        },
        "order": lists.order,
    }
    return lists


def cluster(
    adata: AnnData,
    resolution: float | str = 1.0,
    key_added: str = "leiden",
    *,
    seed: int = 0,
    objective: str = "modularity",
    n_subsamples: int = 20,
    threads: int | None = None,
) -> Choice | None:
    """Leiden clusters of ``obsp["connectivities"]`` into ``obs[key_added]`` (categories "0", "1", ... by size).

    With ``resolution="auto"`` it is chosen by stability (the Choice is returned), ``obs[key_added + "_confidence"]``
    is written too, and ``uns[key_added]`` holds the verdict.
    """
    W = adata.obsp["connectivities"].tocsr()
    params = adata.uns["neighbors"]["params"]
    order = adata.uns["neighbors"].get("order")
    if order is not None and len(order) != W.shape[0]:
        order = None  # of more cells than are left; only speed depends on it
    if resolution == "auto":
        choice = choose_resolution(
            W,
            _matrix(adata, params.get("use_rep", "X")),
            k=params["n_neighbors"] - 1,
            kind=params["method"],
            objective=objective,
            n_subsamples=n_subsamples,
            seed=seed,
            order=order,
            threads=threads,
        )
        labels, used = choice.labels, choice.resolution
        adata.obs[f"{key_added}_confidence"] = choice.confidence
    else:
        choice = None
        used = float(resolution)
        labels = leiden(W, used, objective, seed=seed, order=order, threads=threads).labels
    names = [str(i) for i in range(int(labels.max()) + 1)]
    adata.obs[key_added] = pd.Categorical.from_codes(labels, names)
    adata.uns[key_added] = {"params": {"resolution": used, "random_state": seed, "n_iterations": 2}}
    if choice is not None:
        adata.uns[key_added] |= {"verdict": choice.verdict, "reason": choice.reason}
    return choice


def _matrix(adata: AnnData, rep: str) -> NDArray[np.float32]:
    X = adata.X if rep == "X" else adata.obsm[rep]
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float32)
