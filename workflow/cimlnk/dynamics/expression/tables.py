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
        "level": ("float", "log2 difference of the set's mean from random sets of genes that NK cells express as much"),
        "level_z": ("float", "the same in standard deviations of the random sets"),
        "level_p": ("float", "share of random sets as far off, two-sided; 0.004 is the least"),
    },
)
