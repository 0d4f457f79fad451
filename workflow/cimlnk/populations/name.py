"""Name the clusters of one modality and write the population of every cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import CYTOMETRY

from .definitions import Definitions
from .definitions_file import load_definitions
from .depth import cell_depths
from .distances import cluster_distances, score_distances
from .load import cell_names, common_features, gather, measured_features, variables
from .naming import name_clusters, without_rivals
from .neighbours import confidence, name_agreement, read_lists
from .override import annotation_by_hand, rename_cells, set_thresholds
from .positivity import Reference, cuts_of, fraction_positive, gene_thresholds, protein_thresholds
from .smoothing import Cells, name_cells
from .tables import ANNOTATION, OVERRIDDEN, POPULATIONS, PROFILES, THRESHOLDS
from .transcripts import Molecules, name_by_transcripts


def profile(
    values: np.ndarray,
    features: Sequence[str],
    groups: np.ndarray,
    *,
    thresholds: pd.DataFrame,
    batch: np.ndarray,
    level: str,
) -> pd.DataFrame:
    """Median, mean and fraction positive of each feature in each group (PROFILES).

    A cell is positive above the threshold of its own batch; the fraction is over the cells whose batch has one, NaN
    if none. Median and mean are over the cells whose file has the feature.
    """
    names, code = np.unique(batch, return_inverse=True)
    cuts = np.array([cuts_of(thresholds, features, str(b)) for b in names])
    rows = []
    for group in sorted(pd.unique(groups), key=str) if level == "population" else np.unique(groups):
        mine = np.flatnonzero(groups == group)
        members = values[mine]
        rows.append(
            pd.DataFrame(
                {
                    "level": level,
                    "group": str(group),
                    "feature": list(features),
                    "n_cells": len(members),
                    "median": over_measured(np.median, members),
                    "mean": over_measured(np.mean, members.astype(np.float64)),
                    "fraction_positive": fraction_positive(members, cuts[code[mine]]),
                }
            )
        )
    return pd.concat(rows, ignore_index=True) if rows else PROFILES.empty()


def over_measured(summary: Callable[..., Any], values: np.ndarray) -> np.ndarray:
    """A summary of every column over its finite values; NaN where there is none."""
    measured = np.isfinite(values)
    if measured.all():
        return summary(values, axis=0)
    return np.array([summary(v[m]) if m.any() else np.nan for v, m in zip(values.T, measured.T, strict=True)])


def features_to_read(paths: Sequence[str | Path], definitions: Definitions, modality: str, *, path: str) -> list[str]:
    """Markers: all that any sample measured. Genes: those the definitions name and every sample measured.

    Raises
    ------
    UserError
        If none of the definitions' features was measured.
    """
    available = measured_features(paths) if modality in CYTOMETRY else common_features(paths)
    wanted = set(definitions.features())
    chosen = [f for f in available if modality in CYTOMETRY or f in wanted]
    if available and not wanted & set(available):
        raise UserError(path, "features", sorted(wanted)[:5], "features of the data", available)
    return chosen


def write_populations(
    *,
    samples: Sequence[str],
    sheet: str,
    cells: str,
    clusters: str,
    support: str,
    graph: str,
    matrix: str,
    reference: str | None,
    definitions: str,
    modality: str,
    settings: Mapping[str, Any],
    annotation: str,
    populations: str,
    profiles: str,
    thresholds: str,
    overridden: str,
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
) -> None:
    """Name the clusters of one modality, and its cells.

    Clusters are named by their medians, or by the molecules of all their cells. Cells are named one by one, since a
    cluster that straddles a threshold has cells of two names: of proteins by their own distances from the thresholds
    steadied by their neighbours, those of the same cluster above all; of genes by their own molecules held against
    those of their neighbours in the cluster.

    Reads the per-sample h5ad files, the cell table, the clusters with their support, and the neighbour graph; writes
    ANNOTATION, POPULATIONS, PROFILES and THRESHOLDS. Cluster profiles are medians for proteins and means for genes
    (most genes have a median of zero).

    Parameters
    ----------
    sheet
        SAMPLES, for the batch of every sample.
    graph, matrix
        ``graph.npz``, and ``features.npy`` it was made from.
    reference
        ``cytof/lineages.npz``, whose other lineages show what negative is; None without (genes, gates drawn by hand).
    settings
        ``infused`` (whether somebody of the cohort was), ``panel`` (marker -> the panel sheet's threshold),
        ``overrides`` (rows of the override sheet about thresholds and names) and ``override_sheet``, its name.
    """
    defs = load_definitions(definitions, infused=bool(settings["infused"]))
    cell_table = read_table(cells)
    labels = read_table(clusters)
    if not (labels["cell"].to_numpy() == cell_table["cell"].to_numpy()).all():
        raise ValueError("cluster table and cell table are not in the same order")
    if not len(cell_table):  # every sample of the modality was left out
        tables = {annotation: ANNOTATION, populations: POPULATIONS, profiles: PROFILES, thresholds: THRESHOLDS}
        for path, schema in (tables | {overridden: OVERRIDDEN}).items():
            write_table(schema.empty(), path, schema, provenance=provenance)
        return
    cluster = labels["cluster"].to_numpy()
    features = features_to_read(samples, defs, modality, path=definitions)
    values = gather(samples, features, cell_table["cell"].to_numpy())
    overrides, sheet_name = settings["overrides"], str(settings["override_sheet"])
    of_sample = read_table(sheet).set_index("sample")["batch"].astype(str)
    batch = of_sample.reindex(cell_table["sample"]).to_numpy(dtype=str)
    if modality in CYTOMETRY:
        cuts = protein_thresholds(
            values,
            features,
            batch,
            samples=cell_table["sample"].to_numpy(),
            # a cofactor of fluorescence ends where the negative cells do: two of them are the level of the noise
            cofactors=variables(samples, "cofactor") if modality == "cytof" else {},
            reference=None if reference is None else Reference.read(reference),
            panel=settings["panel"],
            seed=seed,
        )
        cuts = set_thresholds(cuts, overrides, sheet_name)
        distances = cluster_distances(values, features, cluster, batch=batch, thresholds=cuts, definitions=defs)
    else:
        cuts = gene_thresholds(features)
        distances = score_distances(values, features, cluster, definitions=defs)
    by_cluster = profile(values, features, cluster, thresholds=cuts, batch=batch, level="cluster")
    n_cells = pd.Series(cluster).value_counts().sort_index()
    named = name_clusters(distances, defs)
    in_order = cell_table["sample"].to_numpy()
    lists = read_lists(graph, len(cluster))
    if modality in CYTOMETRY:
        cells_ = Cells(values, features, batch, thresholds=cuts, definitions=defs, clusters=distances)
        by_pipeline, score, margin = name_cells(
            cells_, cluster, defs, lists=lists, features=matrix, samples=in_order, seed=seed, threads=threads
        )
    else:
        depths = pd.concat([pd.Series(cell_depths(p), index=cell_names(p)) for p in samples if len(cell_names(p))])
        molecules = Molecules(values, features, depths.reindex(cell_table["cell"]).to_numpy(), scores=dict(defs.scores))
        by_pipeline, score, margin = name_by_transcripts(
            molecules, cluster, defs, lists=lists, features=matrix, samples=in_order, seed=seed, threads=threads
        )
    by_hand = [o for o in overrides if o["what"] != "threshold"]
    # a cell without the marker is on neither side of a split
    columns = {f: v for f, v in zip(features, values.T, strict=True) if np.isfinite(v).all()}
    ids = cell_table["cell"].to_numpy(dtype=object)
    population, changes = rename_cells(
        by_pipeline, cluster, ids, values=columns, overrides=by_hand, base=".", file=sheet_name
    )
    supported = read_table(support).set_index("cluster")["parent_support"]
    table = without_rivals(named, defs).assign(
        cluster=named.index,
        n_cells=n_cells.reindex(named.index).to_numpy(),
        support=supported.reindex(named.index).to_numpy(),
    )
    table = annotation_by_hand(table, changes)
    bears = population == table.set_index("cluster")["population"].reindex(cluster).to_numpy()
    table["share"] = pd.Series(bears).groupby(cluster).mean().reindex(named.index).to_numpy()
    names = pd.factorize(population, sort=True)[0]
    agreement = name_agreement(graph, matrix, names, samples=in_order, seed=seed, threads=threads)
    result = pd.DataFrame(
        {
            "cell": cell_table["cell"],
            "sample": cell_table["sample"],
            "cluster": cluster,
            "population": population,
            "confidence": confidence(agreement, score, margin),
        }
    )
    result.loc[population != by_pipeline, "confidence"] = np.float32(1.0)  # named by a person
    by_population = profile(values, features, population, thresholds=cuts, batch=batch, level="population")
    write_table(table, annotation, ANNOTATION, provenance=provenance)
    write_table(result, populations, POPULATIONS, provenance=provenance)
    write_table(pd.concat([by_cluster, by_population], ignore_index=True), profiles, PROFILES, provenance=provenance)
    write_table(cuts, thresholds, THRESHOLDS, provenance=provenance)
    write_table(changes, overridden, OVERRIDDEN, provenance=provenance)
