"""Names of added cells: those on the earlier clusters, and those in a few clusterings made with them, each a voice."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.graph.communities import leiden
from cimlnk.graph.edges import weights
from cimlnk.graph.nearest import knn
from cimlnk.graph.sketching import Known, nearest_in, vote
from cimlnk.graph.subclusters import subcluster
from cimlnk.populations.definitions import Definitions
from cimlnk.populations.smoothing import name_in_graph

VOICES = 2  # clusterings made with the new cells; the earlier one is a third voice (a fourth adds .002)
SUBSET = 40_000  # cells of each: fewer make coarser clusters (25,000 of demo's agreed on .84 with all, 40,000 on .88)
# Of all cells: where those are more than SUBSET and fewer than this share is new, the earlier clusters decide alone
# (demo, a tenth new: .939 of the names are a full run's, with two voices more .931).
LEAST_NEW = 0.2
K = 15  # cells of a subset that vote for one outside of it


class Heard(NamedTuple):
    """What the voices say of the new cells, and of the earlier ones.

    Attributes
    ----------
    population, share
        The name that most voices give a new cell, and their share; a tie is the earlier clustering's.
    otherwise
        Share of the earlier cells which a clustering with the new cells names otherwise than the earlier run.
    apart
        The same between two clusterings with the new cells: what a new seed alone would do.
    """

    population: NDArray[np.object_]
    share: NDArray[np.float32]
    otherwise: float
    apart: float


def worth_hearing(earlier: int, new: int) -> bool:
    """Whether clusterings with the new cells are made: where they are many, or all cells together few."""
    return earlier + new <= SUBSET or new >= LEAST_NEW * (earlier + new)


def hear(
    known: NDArray[np.float32],
    names: NDArray[np.object_],
    new: NDArray[np.float32],
    *,
    first: NDArray[np.object_],
    values: NDArray[np.float32],
    features: list[str],
    batch: NDArray[Any],
    thresholds: pd.DataFrame,
    definitions: Definitions,
    resolution: float,
    settings: Mapping[str, Any],
    seed: int,
    threads: int | None = None,
) -> Heard:
    """Name new cells by the earlier run and by two clusterings of a uniform sample of all cells.

    Two clusterings of the same cells give many border cells different names, and one made without the new cells differs
    more from those made with them. The name that several voices agree on is nearer to what a run of everything says.
    Each clustering takes one pass: the resolution is the earlier run's, and no stability is measured.

    Parameters
    ----------
    known, names
        Features (n x d) of the earlier cells and their names.
    new, first
        Features (m x d) of the new cells, and their names on the earlier clusters (:mod:`.name_added`).
    values, batch
        Of all n + m cells, the new ones last: cells x `features`, analysis scale.
    thresholds
        THRESHOLDS of all their batches.
    resolution, settings
        Of the earlier clustering, and the config's section `graph`.
    """
    n, everything = len(known), len(known) + len(new)
    said: list[NDArray[np.object_]] = []
    earlier: list[pd.Series] = []
    graph = None
    for i in range(VOICES):
        own = seeds.derive(seed, "voice", i)
        rows = np.arange(everything)
        if everything > SUBSET:
            rows = np.sort(seeds.rng(seed, "voice", i).choice(everything, SUBSET, replace=False))
        if graph is None or everything > SUBSET:
            X = np.concatenate([np.asarray(known[rows[rows < n]]), new[rows[rows >= n] - n]]).astype(np.float32)
            lists = knn(X, min(int(settings["k"]), len(X) - 1), settings["recall"], seed=own, threads=threads)
            graph = weights(lists, settings["weights"], threads)
            read = values[rows]
        objective, rare = settings["objective"], settings["rare"]
        parts = leiden(graph, resolution, objective, seed=own, order=lists.order, threads=threads).labels
        if rare["enabled"]:
            parts = subcluster(
                graph, parts, rare["resolution"], min_fraction=rare["min_fraction"], min_cells=rare["min_cells"],
                objective=objective, seed=own, order=lists.order, threads=threads,
            )  # fmt: skip
        population, _, _ = name_in_graph(
            read, features, parts, indices=lists.indices, batch=batch[rows], thresholds=thresholds,
            definitions=definitions,
        )  # fmt: skip
        named = np.asarray(population, object)
        earlier.append(pd.Series(named[rows < n], index=rows[rows < n]))
        said.append(_of_all(new, X, named, rows=rows, n=n, seed=own, threads=threads))
    voices = np.stack([first, *said])
    codes = np.unique(voices)
    count = np.stack([(voices == c).sum(axis=0) for c in codes]).astype(np.float32)
    count += 0.5 * (codes[:, None] == first[None, :])
    best = codes[count.argmax(axis=0)]
    differ = [float((a != b).mean()) for a, b in map(_shared, pairwise(earlier))]
    return Heard(
        best.astype(object),
        (voices == best).mean(axis=0).astype(np.float32),
        float(np.mean([(e.to_numpy() != names[e.index]).mean() for e in earlier])),
        float(np.mean(differ)),
    )


def _of_all(
    new: NDArray[np.float32],
    X: NDArray[np.float32],
    named: NDArray[np.object_],
    *,
    rows: NDArray[np.int64],
    n: int,
    seed: int,
    threads: int | None,
) -> NDArray[np.object_]:
    """Names of all new cells: their own where they were clustered, else by the clustered cells nearest to them."""
    clustered = rows[rows >= n] - n
    out = np.empty(len(new), object)
    if len(clustered) < len(new):
        codes, names = pd.factorize(named)
        nobody = Known(X, np.empty(0, np.int64))
        sure = np.ones(len(X), np.float32)
        for a, b, _, found in nearest_in(nobody, new, K, seed=seed, threads=threads, spans=[(0, len(new))]):
            labels, _share = vote(found.indices, found.distances, codes.astype(np.int32), confidence=sure)
            out[a:b] = names[labels]
    out[clustered] = named[rows >= n]
    return out


def _shared(pair: tuple[pd.Series, pd.Series]) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    one, other = pair
    both = one.index.intersection(other.index)
    return one.loc[both].to_numpy(), other.loc[both].to_numpy()
