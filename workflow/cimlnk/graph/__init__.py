"""Neighbour graph, Leiden clustering, stability, sketching, embedding. Knows matrices and sparse graphs only.

Arrays: :func:`knn`, :func:`weights`, :func:`leiden`, :func:`umap_layout`. AnnData: :func:`neighbors`, :func:`leiden`,
:func:`embed`, with the slots of scanpy. Names are loaded on first use, because numba takes a second to import. With
``ordered=True`` in both calls the graph stays in the order of the search, which spares a tenth of the time where no
matrix in the cells' own order is wanted.

- Neighbours: ``nearest``, ``search``, ``mutual_search``, ``duplicates``; weights ``edges``.
- Leiden: ``communities``, ``leiden_passes``, ``rounds``; the compiled loops in `kernels`.
- Which resolution: ``resolution``, ``stability``, ``support``; rare populations ``subclusters``.
- Many cells: ``sketching``, ``sample_transfer``. The picture: ``umap``. What the rules call: ``files``.

Examples
--------
Two clouds of cells are two clusters:

>>> import numpy as np
>>> from cimlnk.graph import knn, leiden, weights
>>> X = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
>>> X[:100] += 8
>>> lists = knn(X, k=15, recall=0.95)
>>> labels = leiden(weights(lists), 0.1, order=lists.order).labels
>>> bool((labels[:100] == 1).all() and (labels[100:] == 0).all())
True
"""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "Knn": "nearest",
    "knn": "nearest",
    "weights": "edges",
    "Partition": "communities",
    "leiden": "annotated",
    "modularity": "communities",
    "Choice": "resolution",
    "choose_resolution": "resolution",
    "subcluster": "subclusters",
    "sketch": "sketching",
    "transfer": "sketching",
    "extend": "sketching",
    "umap_layout": "umap",
    "neighbors": "annotated",
    "cluster": "annotated",
    "embed": "annotated",
    "adjusted_rand": "agreement",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
