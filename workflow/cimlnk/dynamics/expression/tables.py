"""Scores of gene programmes per sample and population."""

from __future__ import annotations

from cimlnk.common.tables import Schema

SCORES = Schema(
    "SCORES",
    {
        "sample": ("str", "sample id"),
        "population": ("str", "named subset, or `NK` for all NK cells"),
        "signature": ("str", "gene set"),
        "score": ("float", "mean z of up genes minus mean z of down genes over the population's samples"),
        "n_genes": ("int", "measured genes of the set"),
    },
)
