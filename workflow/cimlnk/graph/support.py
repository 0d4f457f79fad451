"""Support of the final clusters and confidence of every cell, from clusterings of subsamples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from .resolution import Choice
from .stability import cluster_support, confidence_of, stability_graph, subsample_labels
from .tasks import pool

UNSEEN = "no cell of it among those the stability was measured on"


@dataclass(frozen=True)
class Support:
    """Support per final cluster, confidence per cell, parents."""

    support: NDArray[np.float64]
    support_low: NDArray[np.float64]
    parent: NDArray[np.int32]
    parent_support: NDArray[np.float64]
    confidence: NDArray[np.float32]
    cells: int

    def table(self) -> pd.DataFrame:
        """CLUSTER_SUPPORT without sizes and confidence, those of all cells (:func:`.result.write_clusters`)."""
        return pd.DataFrame(
            {
                "cluster": np.arange(len(self.support), dtype=np.int32),
                "parent": self.parent,
                "support": self.support,
                "support_low": self.support_low,
                "parent_support": self.parent_support[self.parent],
                "reason": pd.Series([UNSEEN if x else None for x in np.isnan(self.support)], dtype=object),
            }
        )


def support_of(
    W: sp.csr_matrix,
    labels: NDArray[np.int32],
    resolution: float,
    *,
    choice: Choice,
    X: NDArray[np.float32],
    settings: Mapping[str, Any],
    seed: int,
    order: NDArray[np.int32],
    threads: int | None = None,
) -> Support:
    """How well clusterings of subsamples at `resolution` find `labels` again.

    If the final labels are the chosen clustering itself its support is taken as it is.
    """
    first = np.unique(labels, return_index=True)[1]
    parent = choice.labels[first]
    if np.array_equal(labels, choice.labels):
        return Support(choice.support, choice.support_low, parent, choice.support, choice.confidence, choice.cells)
    objective = settings["objective"]
    with pool(threads) as workers:
        graph, rows = stability_graph(
            W,
            X,
            order,
            cells=settings["stability_cells"],
            k=settings["k"],
            kind=settings["weights"],
            objective=objective,
            seed=seed,
            workers=workers,
        )
        runs = subsample_labels(
            graph,
            [resolution],
            objective,
            n_subsamples=settings["subsamples"],
            fraction=settings["subsample_fraction"],
            seed=seed,
            workers=workers,
            passes=1,
        )[:, 0]
    best, hits = cluster_support(labels[rows], runs, int(labels.max()) + 1)
    confidence = confidence_of(hits, rows, labels)
    return Support(best.mean(axis=1), np.quantile(best, 0.25, axis=1), parent, choice.support, confidence, len(rows))
