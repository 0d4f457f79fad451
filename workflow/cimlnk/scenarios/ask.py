"""What the pipeline makes of a situation: lineages, NK cells, clusters, thresholds, names; on arrays, no files."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.home import HOME
from cimlnk.common.seeds import derive
from cimlnk.cytof.lineage.call import call_lineages
from cimlnk.cytof.lineage.markers import LINEAGES
from cimlnk.graph import knn, leiden, weights
from cimlnk.graph.nearest import Knn
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.naming import name_clusters
from cimlnk.populations.neighbours import Lists
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.smoothing import Cells, name_cells
from cimlnk.simulate.crosswalk import less_specific, nearest_truth, plain
from cimlnk.simulate.latent import POPULATIONS
from cimlnk.simulate.proteins import panel

from .cells import LIGHT_COFACTOR, Cohort

DEFINITIONS = HOME / "resources/phenotypes/nk.yaml"
NEIGHBOURS, RECALL, RESOLUTION = 20, 0.9, 3.0
MOSTLY = 0.6
CLUSTERED = set(panel().query("cluster == 'yes'")["marker"])


class Answer(NamedTuple):
    """What came out.

    Attributes
    ----------
    cohort
        The cells that were kept as NK cells, with their truth.
    names, score
        Of every kept cell.
    clusters
        The clusters' names by their medians, reasons and scores (what ``name_clusters`` gives).
    labels
        Cluster of every kept cell.
    precision, recall
        Of the true NK cells.
    thresholds
        THRESHOLDS.
    """

    cohort: Cohort
    names: NDArray[np.object_]
    score: NDArray[np.floating]
    clusters: pd.DataFrame
    labels: NDArray[np.integer]
    precision: float
    recall: float
    thresholds: pd.DataFrame

    def share(self, population: str, *names: str, general: str = "") -> float:
        """Of the cells in clusters of `population`: the share that has one of the names, or another that holds for the
        cell itself; NaN without such a cluster.

        A cluster is of the population that holds for most of its cells, six tenths at least. Names are given to cells:
        of NKG2A+ cells those that carry KIR, too, are rightly called either. `general` is the name of cells of other
        populations on a panel that cannot tell these further.
        """
        own = self._of(population)
        truth, also, found = self.cohort.kind[own], self.cohort.also[own], plain(self.names[own])
        fine = np.isin(self.names[own], names) | (found == nearest_truth(truth, also, found))
        fine |= (truth != population) & (also != population) & (found == general) & less_specific(truth, also, found)
        return float(fine.mean()) if own.any() else float("nan")

    def themselves(self, population: str) -> float:
        """Of the cells of `population` in its clusters, the share that has its name; NaN without one."""
        own = self._of(population) & (self.cohort.kind == population)
        return float((plain(self.names[own]) == population).mean()) if own.any() else float("nan")

    def _of(self, population: str) -> NDArray[np.bool_]:
        """The cells in clusters of a population."""
        holds = {p: (self.cohort.kind == p) | (self.cohort.also == p) for p in POPULATIONS}
        share = pd.DataFrame(holds).groupby(self.labels).mean()
        share = share[share.max(axis=1) >= MOSTLY]
        of: NDArray[np.bool_] = np.isin(self.labels, share.index[share.idxmax(axis=1) == population])
        return of

    def given(self, *names: str) -> float:
        """Share of all kept cells that have one of the names."""
        return float(np.isin(self.names, names).mean())

    def right(self) -> float:
        """Share of the true NK cells with a name that holds, or a less specific one."""
        nk = self.cohort.nk
        truth, also, found = self.cohort.kind[nk], self.cohort.also[nk], self.names[nk]
        return float(((found == nearest_truth(truth, also, found)) | less_specific(truth, also, found)).mean())


def lineages(cohort: Cohort, seed: int) -> tuple[NDArray[np.object_], NDArray[np.float32]]:
    """Lineage of every cell and its confidence, batch by batch."""
    lineage = np.full(len(cohort.values), "", dtype=object)
    confidence = np.zeros(len(cohort.values), dtype=np.float32)
    for batch in pd.unique(cohort.batch):
        rows = np.flatnonzero(cohort.batch == batch)
        called = call_lineages(cohort.values[rows], cohort.markers, cohort.cofactors, seed=derive(seed, batch))
        lineage[rows] = np.array(LINEAGES, dtype=object)[called.lineage]
        confidence[rows] = called.confidence
    return lineage, confidence


class Clustered(NamedTuple):
    """Cluster of every cell, and the neighbour lists."""

    labels: NDArray[np.integer]
    lists: Lists


def neighbours(cohort: Cohort, seed: int) -> Knn:
    """Nearest cells in the markers that are clustered."""
    use = [j for j, marker in enumerate(cohort.markers) if marker in CLUSTERED]
    values = np.ascontiguousarray(cohort.values[:, use], dtype=np.float32)
    return knn(values, NEIGHBOURS, RECALL, seed=derive(seed, "neighbours"), threads=1)


def clusters(cohort: Cohort, seed: int) -> Clustered:
    """Leiden clusters of cells in the markers that are clustered."""
    lists = neighbours(cohort, seed)
    graph = weights(lists, ordered=True, threads=1)
    found = leiden(graph, RESOLUTION, seed=derive(seed, "clusters"), order=lists.order, ordered=True, threads=1)
    return Clustered(found.labels, Lists(lists.indices, np.arange(len(cohort.values))))


def name(
    cohort: Cohort, clustered: Clustered, reference: Reference | None, *, seed: int, infused: bool
) -> tuple[NDArray[np.object_], NDArray[np.floating], pd.DataFrame, pd.DataFrame]:
    """Name and score of every cell of `cohort`, names of its clusters, and THRESHOLDS."""
    definitions = load_definitions(DEFINITIONS, infused=infused)
    # as a run does: a cofactor of fluorescence ends where the negative cells do, so two of them are the noise
    light = bool((cohort.cofactors >= LIGHT_COFACTOR).all())
    cofactors = {} if light else dict(zip(cohort.markers, cohort.cofactors, strict=True))
    batch, labels = cohort.batch.astype(str), clustered.labels
    cuts = protein_thresholds(
        cohort.values, cohort.markers, batch, samples=cohort.file, cofactors=cofactors, reference=reference, seed=seed
    )
    distances = cluster_distances(
        cohort.values, cohort.markers, labels, batch=batch, thresholds=cuts, definitions=definitions
    )
    cells = Cells(cohort.values, cohort.markers, batch, thresholds=cuts, definitions=definitions, clusters=distances)
    names, score, _ = name_cells(cells, labels, definitions, lists=clustered.lists)
    return names, score, name_clusters(distances, definitions), cuts


def answer(
    cohort: Cohort, seed: int, *, labels: NDArray[np.integer] | None = None, infused: bool | None = None
) -> Answer:
    """Everything from the events to the names.

    Parameters
    ----------
    labels
        Clusters of the true NK cells to name instead of own ones; then the true NK cells are taken.
    infused
        Whether somebody was infused; by the files if not given.
    """
    lineage, confidence = lineages(cohort, seed)
    reference = Reference(cohort.values, cohort.markers, cohort.batch.astype(str), lineage.astype(str), confidence)
    kept = cohort.nk if labels is not None else lineage == "NK"
    nk = cohort.only(kept)
    if labels is None:
        own = clusters(nk, seed)
    else:
        own = Clustered(labels, Lists(neighbours(nk, seed).indices, np.arange(len(labels))))
    treated = any(f.infused for f in cohort.files) if infused is None else infused
    names, score, table, cuts = name(nk, own, reference, seed=seed, infused=treated)
    hits = int((kept & cohort.nk).sum())
    return Answer(
        nk,
        names,
        score,
        table,
        own.labels,
        hits / max(int(kept.sum()), 1),
        hits / max(int(cohort.nk.sum()), 1),
        cuts,
    )
