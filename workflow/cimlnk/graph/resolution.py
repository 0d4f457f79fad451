"""Choosing the resolution by stability that is judged against structureless data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from .agreement import contingency
from .communities import by_size
from .network import quality
from .stability import (
    cluster_support,
    confidence_of,
    graph_of,
    null_curve,
    pair_agreement,
    price_of,
    solve,
    stability_graph,
    subsample_labels,
)
from .tasks import pool

RESOLUTIONS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.5)
SUPPORTED = 0.75  # Hennig 2007: a cluster with a smaller mean Jaccard index is not to be trusted
MOST = 0.9  # share of the cells that must lie in supported clusters
STABLE = 0.5  # least stability above structureless data
STABLE_WORD, UNSTABLE_WORD = "stable structure", "no stable structure"


@dataclass(frozen=True)
class Choice:
    """The chosen clustering and what speaks for it.

    Attributes
    ----------
    resolution, labels
        The chosen resolution and its int32 labels (0 = largest).
    table
        One row per resolution, columns of ``tables.RESOLUTIONS``.
    support, support_low
        Mean and lower quartile of each cluster's best Jaccard index over the subsamples.
    confidence
        float32 per cell: share of subsamples holding the cell in which it falls into its cluster's counterpart.
    verdict
        ``stable structure`` or ``no stable structure``.
    reason
        The verdict in words.
    """

    resolution: float
    labels: NDArray[np.int32]
    table: pd.DataFrame
    support: NDArray[np.float64]
    support_low: NDArray[np.float64]
    confidence: NDArray[np.float32]
    verdict: str
    reason: str
    cells: int  # cells of the graph the subsamples were drawn from

    def relabelled(self, labels: NDArray[np.int32]) -> Choice:
        """The same choice with labels from another implementation; support goes over by largest overlap."""
        match = contingency(labels, self.labels).argmax(axis=1)
        return replace(self, labels=labels, support=self.support[match], support_low=self.support_low[match])


def choose_resolution(
    W: sp.csr_matrix,
    X: NDArray[np.float32] | None = None,
    resolutions: Sequence[float] = RESOLUTIONS,
    *,
    k: int = 15,
    kind: str = "umap",
    objective: str = "modularity",
    n_subsamples: int = 20,
    fraction: float = 0.8,
    seed: int = 0,
    order: NDArray[np.int32] | None = None,
    threads: int | None = None,
    stability_cells: int = 50_000,
    fixed: float | None = None,
) -> Choice:
    """Sweep the resolution on one graph and take the finest clustering that is found again in subsamples.

    Parameters
    ----------
    W
        Symmetric weights of :func:`cimlnk.graph.weights`.
    X
        The matrix behind them. From it comes the structureless comparison, one Gaussian with the same covariance
        (as in Liu 2008), clustered and subsampled alike. Without it stability is not adjusted.
    resolutions
        The sweep.
    k, kind
        How `W` was made, to make the comparison's graph alike.
    n_subsamples, fraction
        Clusterings per resolution, and the share of cells in each.
    order
        ``Knn.order``, for speed.
    stability_cells
        With more cells than this the sweep and its subsamples use a graph on a random subset of this many; the chosen
        resolution is then run on the whole graph, and its clusters are judged by the subsamples.
    fixed
        Take this resolution of the sweep whatever the stability says.

    Returns
    -------
    Choice. Stability is the mean adjusted Rand index between clusterings of overlapping subsamples. Plain stability
    favours few clusters, and cuts through a featureless cloud can be stable as well; so, as Lange (2004) proposed, it
    is judged against what data without structure give at the same number of clusters:
    ``(stability - null) / (1 - null)``.

    Examples
    --------
    Three clouds, of which clusterings of subsamples agree about three clusters:

    >>> import numpy as np
    >>> from cimlnk.graph import choose_resolution, knn, weights
    >>> X = np.repeat([[0.0, 0], [9, 0], [0, 9]], 150, axis=0) + np.random.default_rng(0).normal(size=(450, 2))
    >>> X = X.astype(np.float32)
    >>> choice = choose_resolution(weights(knn(X)), X, [0.05, 0.1, 0.2], n_subsamples=4)
    >>> int(choice.labels.max()) + 1, choice.verdict
    (3, 'stable structure')
    """
    n = W.shape[0]
    grid = sorted(float(r) for r in resolutions)
    with pool(threads) as workers:
        place = np.arange(n, dtype=np.int32) if order is None else order
        sample, rows = stability_graph(
            W, X, place, cells=stability_cells, k=k, kind=kind, objective=objective, seed=seed, workers=workers
        )
        total = max(float(sample.mass.sum()) if objective == "modularity" else float(sample.w.sum()), 1e-300)
        prices = [price_of(sample, r, objective) for r in grid]
        found = workers.run(
            lambda r: solve(sample, prices[r], seed, passes=3, quick=False), [(r,) for r in range(len(grid))]
        )
        runs = subsample_labels(
            sample, grid, objective, n_subsamples=n_subsamples, fraction=fraction, seed=seed, workers=workers
        )
        null = None
        if X is not None:
            null = null_curve(
                X[np.sort(rows)],
                k,
                kind,
                resolutions=grid,
                objective=objective,
                n_subsamples=n_subsamples,
                fraction=fraction,
                seed=seed,
                workers=workers,
            )
        lines = []
        for r, labels in enumerate(found):
            support, _ = cluster_support(labels, runs[:, r], int(labels.max()) + 1)
            score = quality(sample, labels, prices[r]) / total
            lines.append(_row(grid[r], score, labels, support=support, agreement=pair_agreement(runs[:, r]), null=null))
        table = pd.DataFrame(lines)
        best, verdict, reason = decide(table, len(rows))
        if fixed is not None:
            best = grid.index(float(fixed))
            reason = f"resolution set to {fixed:g}; {reason}"
        table["chosen"] = np.arange(len(table)) == best
        chosen = found[best]
        if len(rows) < n:
            graph = graph_of(W, objective, place, workers=workers)
            price = price_of(graph, grid[best], objective)
            chosen = solve(graph, price, seed, passes=3, quick=False, workers=workers)
    whole = np.empty(n, np.int32)
    whole[place] = chosen
    whole = by_size(whole)
    support, hits = cluster_support(whole[rows], runs[:, best], int(whole.max()) + 1)
    return Choice(
        grid[best],
        whole,
        table,
        support.mean(axis=1),
        np.quantile(support, 0.25, axis=1),
        confidence_of(hits, rows, whole),
        verdict,
        reason,
        len(rows),
    )


def _row(
    resolution: float,
    score: float,
    labels: NDArray[np.int32],
    *,
    support: NDArray[np.float64],
    agreement: NDArray[np.float64],
    null: tuple[NDArray, NDArray] | None,
) -> dict[str, object]:
    sizes = np.bincount(labels)
    mean = float(agreement.mean())
    reason = None
    expected = np.nan
    if len(sizes) < 2:
        reason = "one cluster is always stable"
    elif null is None:
        reason = "no matrix given for the structureless comparison"
    else:
        expected = at_count(len(sizes), *null)
    return {
        "resolution": resolution,
        "n_clusters": len(sizes),
        "quality": score,
        "stability": mean,
        "stability_low": float(np.quantile(agreement, 0.25)),
        "stability_high": float(np.quantile(agreement, 0.75)),
        "stability_null": expected,
        "adjusted": (mean - expected) / (1 - expected),
        "supported": float(sizes[support.mean(axis=1) >= SUPPORTED].sum() / len(labels)),
        "reason": reason,
    }


def at_count(count: int, counts: NDArray, stabilities: NDArray) -> float:
    """Stability of structureless data cut into `count` clusters, interpolated over log counts."""
    o = np.argsort(counts, kind="stable")
    x, y = np.log(counts[o]), stabilities[o]
    usable = x > 0  # a single cluster is perfectly stable and says nothing
    if not usable.any():
        return 0.0
    return float(np.clip(np.interp(np.log(count), x[usable], y[usable]), 0.0, 0.999))


def decide(table: pd.DataFrame, cells: int | None = None) -> tuple[int, str, str]:
    """Row chosen, verdict, and the reason in words.

    Where no resolution is stable, the best of those with at most half the square root of `cells` clusters: what
    subsamples do not find again is cut into few pieces (7 of 200 cells, 35 of 5,000).
    """
    adjusted = table["adjusted"].fillna(table["stability"]).to_numpy(copy=True)
    adjusted[table["n_clusters"].to_numpy() < 2] = -np.inf
    good = (adjusted >= STABLE) & (table["supported"].to_numpy() >= MOST)
    if not good.any():
        n_clusters = table["n_clusters"].to_numpy()
        if cells is not None:
            most = max(2, int(cells**0.5 / 2), int(n_clusters[n_clusters > 1].min(initial=cells)))
            adjusted[n_clusters > most] = -np.inf
        best = int(np.argmax(adjusted)) if np.isfinite(adjusted).any() else 0
        return best, UNSTABLE_WORD, "no resolution gives two or more clusters that subsamples find again"
    best = int(np.flatnonzero(good).max())
    reason = "the finest resolution whose clusters subsamples find again, unlike in structureless data"
    if best == len(table) - 1 > 0:
        reason += " (the last one tried: finer ones may be stable too)"
    return best, STABLE_WORD, reason
