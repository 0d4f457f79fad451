"""The lineage of every event of a batch: clusters at several resolutions, evidence on an absolute scale, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds

from .evidence import UNCOMPARED, Cuts, Levels, carried, first_cuts, levels_of, median_cuts, reference_cuts
from .markers import EXCLUDING, INCLUDING, LINEAGES, OWN, lineage_markers
from .rules import Evidence, limits, lineage_probabilities

RESOLUTIONS = (1.0, 3.0, 8.0)
SEEDS = 3
NEIGHBOURS = 10
RECALL = 0.8  # of the neighbours: communities of cells do not need them all
ROUNDS = 3  # lineages, their cuts, and again
LEAST_CLUSTER = 15  # events of a cluster that may show how bright a marker gets
DIM = 0.1  # the level of a marker that nine tenths of the lineage carrying it reach
APART = 0.5  # least distance between NK cells' edge and the other lineage's level for a single event to be judged
FULL = 0.4  # of the way to the other lineage's level: full contradiction
DIM_FROM, DIM_TO = 0.2, 0.5  # height of a cluster between the lowest and the brightest: spill up to, full evidence from
SMALLEST = 20  # events of a batch below which nothing is clustered

Floats = NDArray[np.floating]


class Called(NamedTuple):
    """Lineages of a batch.

    Attributes
    ----------
    probability
        Events x LINEAGES (float32), mean over the clusterings; rows sum to one.
    lineage, confidence
        The most probable one (code in LINEAGES) and its probability.
    markers, cuts
        The lineage markers used, and where positive begins on them.
    counts
        Clusterings x LINEAGES: events called by each clustering alone; their spread is what resolution and seed decide.
    limits
        What could not be determined for lack of a marker, in words.
    by_clusters, contradiction
        The probabilities before single events were looked at, and what is held against them: further events of the
        batch take the former from their neighbours and the latter as it is (:func:`.transfer.place_events`).
    """

    probability: NDArray[np.float32]
    lineage: NDArray[np.int8]
    confidence: NDArray[np.float32]
    markers: list[str]
    cuts: Cuts
    counts: NDArray[np.int64]
    limits: list[str]
    by_clusters: NDArray[np.float32]
    contradiction: Contradiction


class Clustering(NamedTuple):
    """Labels of the events, and the clusters as a sparse matrix (clusters x events) with their sizes and medians."""

    labels: NDArray[np.int32]
    members: sp.csr_matrix
    sizes: Floats
    medians: Floats


class TooLittle(ValueError):
    """Too few events, or no marker that tells lineages, so that none can be called."""


def call_lineages(
    values: Floats,
    markers: Sequence[str],
    cofactors: Sequence[float] | Floats,
    *,
    input_scale: str = "raw",
    resolutions: Sequence[float] = RESOLUTIONS,
    repeats: int = SEEDS,
    seed: int = 0,
    threads: int | None = None,
) -> Called:
    """Call the lineage of every event by clusters in all lineage markers at once.

    Parameters
    ----------
    values
        Events x markers on the analysis scale (arcsinh with `cofactors`), live single events of one batch.
    markers, cofactors
        Canonical name and cofactor of every column; columns that do not distinguish lineages are not looked at.
    input_scale
        As `cytof.input_scale`: what the files held (``scaled`` values have no counts, see :func:`.levels_of`).
    resolutions, repeats
        Leiden clusterings: every resolution with this many seeds.
    seed, threads
        Stream of the clusterings; the result does not depend on the number of threads.

    Returns
    -------
    Called

    Raises
    ------
    TooLittle
        Fewer than 20 events, or no marker that distinguishes lineages.

    Examples
    --------
    >>> called = call_lineages(np.arcsinh(counts / 5), ["CD3", "CD19", "CD56", "CD7"], [5] * 4)  # doctest: +SKIP
    >>> (called.lineage == LINEAGES.index("NK")).sum()  # doctest: +SKIP
    """
    use = lineage_markers(markers)
    if len(values) < SMALLEST or not use:
        raise TooLittle(f"{len(values)} events and {len(use)} lineage markers: at least {SMALLEST} and one are needed")
    X = np.ascontiguousarray(values[:, use], np.float32)
    names = [markers[j] for j in use]
    levels = levels_of(np.asarray(cofactors, np.float64)[use], X, input_scale)
    found = _cluster(X, resolutions, repeats, seed=seed, threads=threads)
    ends = _ends(found, len(X))
    # every clustering of the finest resolution finds its own cuts, or one seed's would decide for all
    cuts = median_cuts([_find_cuts(X, one, ends, levels=levels, names=names) for one in found[-repeats:]])
    probability = np.zeros((len(X), len(LINEAGES)), np.float32)
    counts = np.zeros((len(found), len(LINEAGES)), np.int64)
    for i, one in enumerate(found):
        evidence, telling = _evidence(X, one, cuts, levels=levels, names=names, first=False)
        by_cluster = lineage_probabilities(Evidence(evidence, names, telling)).astype(np.float32)
        counts[i] = np.bincount(by_cluster.argmax(axis=1), one.sizes, len(LINEAGES))
        probability += by_cluster[one.labels]
    probability /= len(found)
    stained = cuts.stained(levels) & np.array([n in EXCLUDING for n in names])
    _explain(cuts, telling, stained)
    said = [
        f"{names[j]} stains all cells (median of cells that carry none {cuts.base[j]:.2f}, of the brightest cluster "
        f"{cuts.brightest[j]:.2f}): it is uninformative"
        for j in np.flatnonzero(stained)
    ] + limits(Evidence(evidence, names, telling))
    rule = contradictions(X, names, cuts, noise=levels.noise, probability=probability)
    final = contradicted(X, rule, probability)
    best = final.argmax(axis=1).astype(np.int8)
    return Called(final, best, final.max(axis=1), names, cuts, counts, said, probability, rule)


def _find_cuts(X: Floats, one: Clustering, ends: tuple[Floats, Floats], *, levels: Levels, names: list[str]) -> Cuts:
    """Cuts by the lineages of one clustering: lineages, their cuts, and again."""
    cuts = first_cuts(names, *ends, levels=levels)
    for turn in range(ROUNDS):
        evidence, telling = _evidence(X, one, cuts, levels=levels, names=names, first=turn == 0)

        def without(j: int, evidence: Floats = evidence, telling: NDArray[np.bool_] = telling) -> Floats:
            rest = np.arange(len(names)) != j
            return lineage_probabilities(
                Evidence(evidence[:, rest], [n for n, r in zip(names, rest, strict=True) if r], telling[rest])
            )

        cuts = reference_cuts(X, one.labels, one.medians, without=without, levels=levels, before=cuts)
    return cuts


def _cluster(
    X: Floats, resolutions: Sequence[float], repeats: int, *, seed: int, threads: int | None
) -> list[Clustering]:
    """Clusterings, finest last."""
    from cimlnk.graph import knn, weights
    from cimlnk.graph.communities import leiden

    lists = knn(X, min(NEIGHBOURS, len(X) - 1), RECALL, seed=seeds.derive(seed, "lineage neighbours"), threads=threads)
    graph = weights(lists, ordered=True, threads=threads)
    found = []
    for resolution in sorted(resolutions):
        for i in range(repeats):
            stream = seeds.derive(seed, "lineage clusters", f"{resolution:g}", i)
            labels = leiden(graph, resolution, seed=stream, order=lists.order, ordered=True, threads=threads).labels
            sizes = np.bincount(labels).astype(np.float64)
            n = len(labels)
            members = sp.csr_matrix((np.ones(n, np.float32), (labels, np.arange(n))), shape=(len(sizes), n))
            order = np.argsort(labels, kind="stable")
            parts = np.split(X[order], np.cumsum(sizes).astype(np.int64)[:-1])
            found.append(Clustering(labels, members, sizes, np.array([np.median(p, axis=0) for p in parts])))
    return found


def _ends(found: list[Clustering], n: int) -> tuple[Floats, Floats]:
    """Per marker the level below which the clusters of a tenth of the events lie, and that of the brightest cluster."""
    least = min(LEAST_CLUSTER, max(5, n // 50))
    bases, tops = [], []
    for one in found:
        order = np.argsort(one.medians, axis=0)
        share = np.cumsum(one.sizes[order], axis=0) / one.sizes.sum()
        at = (share < 0.1).sum(axis=0)
        columns = np.arange(one.medians.shape[1])
        bases.append(one.medians[order[at, columns], columns])
        big = one.sizes >= least
        tops.append(one.medians[big if big.any() else slice(None)].max(axis=0))
    return np.median(bases, axis=0), np.max(tops, axis=0)


def _evidence(
    X: Floats, one: Clustering, cuts: Cuts, *, levels: Levels, names: list[str], first: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Evidence (clusters x markers) that a marker is carried, and which markers tell anything.

    The cut is taken at both ends and in the middle of its interval. A marker that is bright everywhere counts by its
    level alone, from the second round on, when references had their chance.
    """

    def share(at: Floats) -> Floats:
        return np.asarray(one.members @ (at < X).astype(np.float32)) / one.sizes[:, None]

    places = [np.nan_to_num(c, nan=np.inf) for c in (cuts.low, cuts.value, cuts.high)]
    evidence = np.mean([carried(share(p.astype(np.float32))) for p in places], axis=0)
    told = np.isfinite(cuts.value)
    if not first:  # half way is a guess to begin with: without a reference the level alone decides
        told &= np.array([m != "half way" for m in cuts.method])
    room = np.maximum(levels.bright, np.where(told, cuts.value, 0)) - levels.noise
    shine = np.clip((cuts.brightest - levels.noise) / room, 0, 1)
    evidence *= shine
    mute = shine == 0
    # beside what cells without the marker show: a cluster of debris is darker than any cell
    lowest = np.fmax(one.medians.min(axis=0), cuts.base)
    height = (one.medians - lowest) / np.maximum(cuts.brightest - lowest, 1e-6)
    excludes = told & np.array([n in EXCLUDING for n in names])
    evidence[:, excludes] *= np.clip((height - DIM_FROM) / (DIM_TO - DIM_FROM), 0, 1)[:, excludes]
    stained = cuts.stained(levels) & np.array([n in EXCLUDING for n in names])
    evidence[:, stained] = 0.0
    if not first and (~told).any():
        level = carried(share(levels.strong.astype(np.float32))) * UNCOMPARED
        evidence[:, ~told] = level[:, ~told]
    known = told | (not first)
    cd45 = np.array([n == "CD45" for n in names])
    evidence[:, cd45] = carried(share(levels.noise.astype(np.float32)))[:, cd45]
    # absence is knowledge for what excludes (no monocytes: no CD14), none for what makes an NK cell
    includes = np.array([n in INCLUDING for n in names])
    return evidence, known & ~(mute & includes) & ~stained


def _explain(cuts: Cuts, telling: NDArray[np.bool_], stained: NDArray[np.bool_]) -> None:
    for j in range(len(cuts.markers)):
        if stained[j]:
            cuts.method[j] = "absolute"
            cuts.value[j] = cuts.low[j] = cuts.high[j] = np.nan
            cuts.reason[j] = "stains all cells: those that carry none cannot be determined"
        elif not np.isfinite(cuts.value[j]) or cuts.method[j] == "half way":
            cuts.method[j] = "absolute"
            for end in (cuts.value, cuts.low, cuts.high):
                end[j] = np.nan
            cuts.reason[j] = "bright in all clusters: no negative cells to compare with"
        elif cuts.brightest[j] < cuts.value[j] or not telling[j]:
            cuts.method[j] = "none"
            cuts.reason[j] = f"nowhere bright (brightest cluster {cuts.brightest[j]:.2f})"


class Contradiction(NamedTuple):
    """Per marker the values (analysis scale) from which, and at which fully, an event is no NK cell; NaN for none."""

    start: Floats
    full: Floats


def contradictions(
    X: Floats, names: Sequence[str], cuts: Cuts, *, noise: Floats, probability: NDArray[np.float32]
) -> Contradiction:
    """What single events may carry of another lineage and still be NK cells.

    Nothing is held against a value within the noise or, where NK cells are stained, within their own spread; a value
    two fifths of the way from there to what nine tenths of the other lineage's positive cells reach is full
    contradiction. Markers whose lineage is absent, or barely brighter than the NK cells, contradict nothing.
    """
    start, full = np.full(len(names), np.nan), np.full(len(names), np.nan)
    best = probability.argmax(axis=1)
    nk = best == LINEAGES.index("NK")
    for j, name in enumerate(names):
        if name not in OWN or not np.isfinite(cuts.value[j]) or not nk.any():
            continue
        mine = X[(best == LINEAGES.index(OWN[name])) & (X[:, j] > cuts.value[j]), j]
        if len(mine) < LEAST_CLUSTER:
            continue
        middle, upper = np.quantile(X[nk, j], (0.5, 0.75))
        # cells that are dark but for noise are held to the noise, stained ones to their own spread
        edge = float(noise[j]) if upper <= noise[j] else float(middle + 2.5 * (upper - middle))
        level = float(np.quantile(mine, DIM))
        if level - edge >= APART:
            start[j], full[j] = edge, edge + FULL * (level - edge)
    return Contradiction(start, full)


def contradicted(X: Floats, rule: Contradiction, probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities with that of NK lowered by what single events carry of another lineage; it goes to "doublet"."""
    out = probability.copy()
    nk, double = LINEAGES.index("NK"), LINEAGES.index("doublet")
    for j in np.flatnonzero(np.isfinite(rule.start)):
        share = np.clip((X[:, j] - rule.start[j]) / (rule.full[j] - rule.start[j]), 0, 1).astype(np.float32)
        out[:, double] += out[:, nk] * share
        out[:, nk] *= 1 - share
    return out
