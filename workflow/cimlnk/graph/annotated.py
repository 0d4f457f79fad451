"""The engine on AnnData objects, with the slots that scanpy writes, so that ``sc.tl.paga`` and others go on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from . import communities
from .communities import Partition
from .edges import weights
from .nearest import Knn, knn
from .resolution import Choice, choose_resolution
from .umap import umap_layout

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

    Writes
    ------
    obsp["distances"], obsp["connectivities"]
        n_neighbors - 1 distances per row; the weights.
    uns["neighbors"]
        With the measured recall in its ``params``, and ``order`` (n, int32: the cells with near ones close together,
        which makes :func:`cluster` faster).

    Returns
    -------
    Knn, the neighbour lists.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> from cimlnk.graph import neighbors
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32))
    >>> lists = neighbors(adata, n_neighbors=10)
    >>> adata.obsp["connectivities"].shape, lists.k
    ((200, 200), 9)
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
        labels = communities.leiden(W, used, objective, seed=seed, order=order, threads=threads).labels
    names = [str(i) for i in range(int(labels.max()) + 1)]
    adata.obs[key_added] = pd.Categorical.from_codes(labels, names)
    adata.uns[key_added] = {"params": {"resolution": used, "random_state": seed, "n_iterations": 2}}
    if choice is not None:
        adata.uns[key_added] |= {"verdict": choice.verdict, "reason": choice.reason}
    return choice


def leiden(
    data: AnnData | sp.csr_matrix, resolution: float | str = 1.0, objective: str = "modularity", **settings: Any
) -> Partition | Choice | None:
    """Leiden clusters of a graph or of an AnnData with one.

    Parameters
    ----------
    data
        Symmetric n x n weights (:func:`weights`), or an AnnData after :func:`neighbors`.
    resolution
        Larger gives more clusters; with an AnnData also ``"auto"``, by stability.
    objective
        ``modularity`` or ``CPM``.
    settings
        By name: of :func:`cimlnk.graph.communities.leiden` for a graph, of :func:`cluster` for an AnnData.

    Returns
    -------
    For a graph the Partition. An AnnData gets ``obs["leiden"]`` (or `key_added`); the Choice is returned with
    ``"auto"``, else None.

    References
    ----------
    Traag VA et al. (2019) From Louvain to Leiden: guaranteeing well-connected communities. Sci Rep 9:5233.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> from cimlnk.graph import leiden, neighbors
    >>> X = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    >>> X[:100] += 8
    >>> adata = anndata.AnnData(X)
    >>> lists = neighbors(adata)
    >>> leiden(adata, 0.1)
    >>> adata.obs["leiden"].value_counts().to_dict()
    {'0': 200, '1': 100}
    """
    if hasattr(data, "obsp"):
        return cluster(data, resolution, objective=objective, **settings)
    return communities.leiden(data, float(resolution), objective, **settings)


def embed(adata: AnnData, min_dist: float = 0.3, *, seed: int = 0, threads: int | None = None) -> None:
    """UMAP of the graph of :func:`neighbors` into ``obsm["X_umap"]`` (n x 2, float32), where ``sc.tl.umap`` puts it.

    Parameters
    ----------
    adata
        With ``obsp["connectivities"]`` and ``uns["neighbors"]``.
    min_dist
        Least distance of neighbours in the picture.
    seed, threads
        Stream; the picture does not depend on the number of threads.

    References
    ----------
    McInnes L, Healy J, Melville J (2018) UMAP: uniform manifold approximation and projection. arXiv 1802.03426.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> from cimlnk.graph import embed, neighbors
    >>> adata = anndata.AnnData(np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32))
    >>> lists = neighbors(adata)
    >>> embed(adata)
    >>> adata.obsm["X_umap"].shape
    (200, 2)
    """
    use_rep = adata.uns["neighbors"]["params"].get("use_rep", "X")
    W = adata.obsp["connectivities"].tocsr()
    adata.obsm["X_umap"] = umap_layout(W, _matrix(adata, use_rep), seed, min_dist=min_dist, threads=threads)


def _matrix(adata: AnnData, rep: str) -> NDArray[np.float32]:
    X = adata.X if rep == "X" else adata.obsm[rep]
    return np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float32)
