"""How hard a synthetic cohort is: what methods without this pipeline make of the same cells.

A cohort in which anything works proves plumbing. So the report shows, beside the pipeline's own score, what k-means,
plain scanpy and fixed cuts reach on the true NK cells that the pipeline kept, and what a linear classifier reaches that
was shown the truth of other patients: about the ceiling.

Every method's clusters are given the name most of their cells truly have (k-means, scanpy), which is kinder than life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.tables import read_table, write_table

from .scores import score_names
from .tables import DIFFICULTY, read_cells

MOST_CELLS = 20_000  # evenly over samples
SCANPY_CELLS = 4_000
CLUSTERS = 8
COMPONENTS, VARIABLE_GENES = 30, 800  # of RNA


def hand_thresholds(values: pd.DataFrame) -> np.ndarray:
    """Names by fixed cuts on the arcsinh scale, in the order in which one would gate: the same in every file."""

    def above(marker: str, cut: float) -> np.ndarray:
        if marker not in values:
            return np.zeros(len(values), dtype=bool)
        return (values[marker] > cut).to_numpy()

    kir = above("KIR2DL1", 1.5) | above("KIR2DL2_3", 1.5) | above("KIR3DL1", 1.5) | above("CD158", 1.5)
    return np.select(
        [
            above("Ki-67", 2.3),
            above("CD25", 2.0) & above("CD69", 2.0),
            above("NKG2C", 1.8),
            above("CD56", 4.2) & ~above("CD16", 2.0),
            above("CD57", 2.0),
            above("NKG2A", 1.7) & above("CD2", 2.8) & above("TIGIT", 1.7),
            above("NKG2A", 1.7) & ~kir,
            kir,
        ],
        ["proliferating", "CIML_activated", "adaptive", "CD56bright", "CD56dim_CD57", "memory_like", "CD56dim_NKG2A",
         "CD56dim_KIR"],
        "CD56dim",
    ).astype(object)  # fmt: skip


def majority(clusters: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Clusters renamed to what most of their cells truly are."""
    table = pd.crosstab(clusters, truth)
    names = table.columns.to_numpy(dtype=object)[table.to_numpy().argmax(axis=1)]
    return names[np.searchsorted(table.index.to_numpy(), clusters)]


def k_means(values: np.ndarray, seed: int, restarts: int = 4) -> np.ndarray:
    """Labels of the best of several k-means runs (k = 8) on values scaled to unit variance."""
    from scipy.cluster.vq import kmeans2

    scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    best, least = np.zeros(len(values), dtype=int), np.inf
    for attempt in range(restarts):
        centres, labels = kmeans2(scaled, CLUSTERS, minit="++", iter=60, seed=rng(seed, "k-means", attempt))
        inertia = float(((scaled - centres[labels]) ** 2).sum())
        if inertia < least:
            best, least = labels, inertia
    return best


def plain_scanpy(values: np.ndarray, seed: int) -> np.ndarray:
    """Labels of Leiden on scanpy's neighbour graph with its defaults (15 neighbours, resolution 1).

    The graph is made here, as scanpy makes it of so few cells (all pairs compared, UMAP's weights): scanpy's own call
    compiles two libraries anew in every process, which takes longer than all else in this module.
    """
    import anndata
    import scanpy

    from cimlnk.graph import knn, weights

    lists = knn(values.astype(np.float32), 14, recall=1.0)  # scanpy counts the cell itself
    data = anndata.AnnData(shape=(len(values), 0))
    scanpy.tl.leiden(data, adjacency=weights(lists), flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    return data.obs["leiden"].astype(int).to_numpy()


def discriminant(values: np.ndarray, truth: np.ndarray, patient: np.ndarray, *, folds: int = 4) -> np.ndarray:
    """Names by a linear discriminant fitted to the truth of other patients: the covariance within names is pooled."""
    result = np.full(len(values), "", dtype=object)
    people = pd.unique(patient)
    for fold in range(min(folds, len(people))):
        held = np.isin(patient, people[fold::folds])
        x, y = values[~held], truth[~held]
        names = np.unique(y.astype(str))
        means = np.stack([x[y == name].mean(axis=0) for name in names])
        centred = x - means[np.searchsorted(names, y.astype(str))]
        within = centred.T @ centred / len(x)
        within += 0.01 * np.trace(within) / len(within) * np.eye(len(within))
        weight = np.linalg.solve(within, means.T)
        share = np.array([(y == name).mean() for name in names])
        score = values[held] @ weight - 0.5 * (means.T * weight).sum(axis=0) + np.log(share)
        result[held] = names[score.argmax(axis=1)]
    return result


def difficulty(
    values: pd.DataFrame, truth: pd.DataFrame, patient: np.ndarray, *, ours: np.ndarray, modality: str, seed: int
) -> pd.DataFrame:
    """DIFFICULTY of the cells in `values`.

    Parameters
    ----------
    values
        Cells × features on the scale that is clustered (arcsinh for proteins, log for genes).
    truth
        ``population`` and ``also`` of the same cells, in their order.
    patient
        Whose each cell is.
    ours
        The pipeline's names of the same cells.
    """
    names, also = truth["population"].to_numpy(dtype=object), truth["also"].to_numpy(dtype=object)
    x = values.to_numpy(dtype=np.float64)
    if modality == "rna":
        centred = x - x.mean(axis=0)
        _, vectors = np.linalg.eigh(centred.T @ centred)
        x = centred @ vectors[:, ::-1][:, :COMPONENTS]
    part = np.sort(rng(seed, "scanpy cells").permutation(len(x))[:SCANPY_CELLS])
    leiden = plain_scanpy(x[part], seed)
    whole = np.arange(len(x))
    found: list[tuple[str, np.ndarray, np.ndarray]] = [
        ("this pipeline", whole, ours),
        (f"k-means, {CLUSTERS} clusters, given their true names", whole, majority(k_means(x, seed), names)),
        ("plain scanpy (Leiden), clusters given their true names", part, majority(leiden, names[part])),
        ("linear classifier shown the truth of other patients", whole, discriminant(x, names, patient)),
    ]
    if modality != "rna":
        found.insert(1, ("hand thresholds", whole, hand_thresholds(values)))
    rows = []
    for method, cells, given in found:
        marks = score_names(names[cells], also[cells], given)
        rows.append({"modality": modality, "method": method, "n_cells": len(cells), **marks})
    return DIFFICULTY.check(pd.DataFrame(rows))


def kept_cells(
    samples: Mapping[str, str | Path], truth: pd.DataFrame, populations: pd.DataFrame, *, modality: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Values, truth and the pipeline's names of up to 20,000 true NK cells, evenly over the samples' h5ad files."""
    import anndata

    own = truth[truth["class"] == "NK"].set_index("cell")
    named = populations.set_index("cell")["population"]
    share = max(MOST_CELLS // max(len(samples), 1), 1)
    values, cells = [], []
    for sample, path in samples.items():
        data = anndata.read_h5ad(path)
        rows = np.flatnonzero(data.obs_names.isin(own.index) & data.obs_names.isin(named.index))
        rows = np.sort(rng(seed, "difficulty", modality, sample).permutation(rows)[:share])
        if len(rows) == 0:
            continue
        x = data.X[rows]
        values.append(pd.DataFrame(np.asarray(x.todense() if hasattr(x, "todense") else x), columns=data.var_names))
        cells.append(data.obs_names[rows].to_numpy())
    table, ids = pd.concat(values, ignore_index=True).dropna(axis=1), np.concatenate(cells)
    return table, own.loc[ids], named.loc[ids].to_numpy(dtype=object)


def make_difficulty(
    samples: Sequence[str | Path],
    names: Mapping[str, Sequence[str]],
    truth_cells: Mapping[str, str | Path],
    *,
    populations: Mapping[str, str | Path],
    sheet: str | Path,
    panel: str | Path | None,
    flow_panel: str | Path | None = None,
    output: str | Path,
    seed: int,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write DIFFICULTY of a run.

    Parameters
    ----------
    samples
        h5ad files of the NK cells, in the order of `names`: by modality, the ids of its samples.
    truth_cells, populations
        By modality: the truth's cells, the pipeline's POPULATIONS.
    sheet
        SAMPLES: whose a sample is.
    panel, flow_panel
        Panel sheets: the markers that are clustered. Of genes the 800 of the largest variance are taken.
    """
    people = read_table(sheet).set_index("sample")["patient"]
    files = iter(samples)
    tables = []
    for modality, ids in names.items():
        own_files = {sample: next(files) for sample in ids}
        named = read_table(populations[modality], columns=["cell", "population"])
        values, own, ours = kept_cells(
            own_files, read_cells(truth_cells[modality]), named, modality=modality, seed=seed
        )
        del named
        if modality == "rna":
            values = values[values.var().nlargest(VARIABLE_GENES).index]
        elif (given := flow_panel if modality == "flow" else panel) is not None:
            table = pd.read_csv(given, sep="\t")
            clustered = set(table.loc[table["cluster"] == "yes", "marker"])
            values = values[[m for m in values if m in clustered]]
        patient = people.loc[own["sample"]].to_numpy(dtype=object)
        tables.append(difficulty(values, own, patient, ours=ours, modality=modality, seed=seed))
    write_table(pd.concat(tables, ignore_index=True), output, DIFFICULTY, provenance=provenance)
