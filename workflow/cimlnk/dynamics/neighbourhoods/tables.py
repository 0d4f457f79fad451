"""Neighbourhoods of the graph and how their abundance moved."""

from __future__ import annotations

from cimlnk.common.tables import Schema

NEIGHBOURHOODS = Schema(
    "NEIGHBOURHOODS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "neighbourhood": ("int", "number of the neighbourhood, from 0"),
        "index_cell": ("str", "cell id in its middle"),
        "n_cells": ("int", "cells in it"),
        "radius": ("float", "distance from the index cell to the farthest member (graph features)"),
        "umap1": ("float", "position of the index cell"),
        "umap2": ("float", "position of the index cell"),
        "population": ("str", "most frequent named subset of its cells"),
        "purity": ("float", "share of its cells in that subset"),
        "contrast": ("str", "what is compared: `CIML: D14 vs pre`"),
        "n_patients": ("int", "patients that carry the contrast"),
        "effect": ("float", "log2 ratio of the share of NK cells"),
        "effect_low": ("float", "lower 95 % limit"),
        "effect_high": ("float", "upper 95 % limit"),
        "df": ("float", "degrees of freedom of its t distribution, the moderation's included"),
        "p": ("float", "two-sided p of the quasi-likelihood F test"),
        "fdr": ("float", "spatial FDR within a contrast (weights 1 / radius)"),
        "separated": ("bool", "no cell at all on one side of the contrast: the ratio is made finite by a prior count"),
        "converged": ("bool", "the fit found its optimum"),
        "reason": ("str?", "why a number is NaN"),
    },
)
