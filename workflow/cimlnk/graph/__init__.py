"""Neighbour graph, Leiden clustering, stability, sketching, embedding. Knows matrices and sparse graphs only.

>>> from cimlnk.graph import knn, weights, leiden  # doctest: +SKIP
>>> lists = knn(X, k=15, recall=0.95)              # doctest: +SKIP
>>> labels = leiden(weights(lists), order=lists.order).labels  # doctest: +SKIP

With ``ordered=True`` in both calls the graph stays in the order of the search, which spares a tenth of the time where
no matrix in the cells' own order is wanted.

On AnnData: :func:`neighbors`, :func:`cluster`. Names are loaded on first use, because numba takes a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Knn": "nearest",
    "knn": "nearest",
    "weights": "edges",
    "Partition": "communities",
    "leiden": "communities",
    "modularity": "communities",
    "Choice": "resolution",
    "choose_resolution": "resolution",
    "subcluster": "rare",
    "sketch": "sketching",
    "transfer": "sketching",
    "extend": "sketching",
    "umap_layout": "umap",
    "neighbors": "annotated",
    "cluster": "annotated",
    "adjusted_rand": "agreement",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
