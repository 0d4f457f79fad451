"""Tables written by the graph stage."""

from __future__ import annotations

from cimlnk.common.tables import Schema

CLUSTERS = Schema(
    "clusters",
    {
        "cell": ("str", "cell id, in the order of cells.parquet"),
        "cluster": ("int32", "cluster, 0 = largest"),
        "confidence": ("float32", "share of perturbed clusterings that put the cell into this cluster, 0-1"),
    },
)

RESOLUTIONS = Schema(
    "resolutions",
    {
        "resolution": ("float", "resolution of the quality function"),
        "n_clusters": ("int", "clusters (of the graph the stability is measured on)"),
        "quality": ("float", "modularity or CPM quality on the same graph"),
        "stability": ("float", "mean adjusted Rand index between clusterings of subsamples"),
        "stability_low": ("float", "lower quartile over pairs of subsamples"),
        "stability_high": ("float", "upper quartile over pairs of subsamples"),
        "stability_null": ("float", "the same for structureless data with the same covariance and cluster number"),
        "adjusted": ("float", "(stability - null) / (1 - null), at most 1"),
        "supported": ("float", "share of cells in clusters with Jaccard support of at least 0.75"),
        "chosen": ("bool", "whether this resolution was chosen"),
        "reason": ("str?", "why a number is missing"),
    },
)

CLUSTER_SUPPORT = Schema(
    "cluster_support",
    {
        "cluster": ("int32", "cluster as in clusters.parquet"),
        "parent": ("int32", "cluster of the chosen resolution it lies in"),
        "n_cells": ("int", "cells"),
        "fraction": ("float", "share of all cells"),
        "support": ("float", "mean best Jaccard index over clusterings of subsamples, 0-1"),
        "support_low": ("float", "lower quartile of the same"),
        "parent_support": ("float", "support of the parent cluster"),
        "confidence": ("float", "mean confidence of its cells"),
        "reason": ("str?", "why a number is missing"),
    },
)

UMAP = Schema(
    "umap",
    {
        "cell": ("str", "cell id, in the order of cells.parquet"),
        "umap1": ("float32", "first coordinate, no unit"),
        "umap2": ("float32", "second coordinate, no unit"),
    },
)
