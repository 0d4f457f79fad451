"""Genes of the synthetic transcriptome: levels of real cells, and how they follow a cell's place on the axes.

Levels by kind of cell are ``resources/simulate/genes.tsv`` (counts per 10,000 of real cells); the axes' genes with
their log2 change are ``resources/simulate/programmes.tsv``, from tables of effects in sorted or stimulated NK cells.
The lists that name cells (``resources/signatures/nk.yaml``) are not read; a test measures how far they overlap.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from cimlnk.common.home import HOME
from cimlnk.common.seeds import rng

from .latent import BORDERS, Latents

FOLDER = HOME / "resources/simulate"
N_GENES = 2000
AXES = ("bright", "early", "kir", "late", "adaptive", "activated", "cycle", "memory")
KIR_GENES = {"KIR2DL1": "KIR2DL1", "KIR2DL2_3": "KIR2DL3", "KIR3DL1": "KIR3DL1"}  # protein -> gene
# A change of state moves many genes that no list names: share of the genes that an axis moves, sd of their log2 change.
# Of our choice; the order (activation, cycle, the rest) is that of the numbers of changed genes in stimulated NK cells.
BROAD = {"bright": (0.15, 0.5), "early": (0.05, 0.2), "kir": (0.05, 0.2), "late": (0.08, 0.4), "adaptive": (0.10, 0.5),
         "activated": (0.35, 0.8), "cycle": (0.20, 0.6), "memory": (0.12, 0.5)}  # fmt: skip
FLOOR = 0.02  # counts per 10,000 of a gene that no molecule of was seen
# Kinds that were not labelled in the measured sets, as mixtures of those that were, and what they have more of (log2).
MIXTURES: dict[str, dict[str, float]] = {
    "activated_T": {"CD4_T": 0.6, "CD8_T": 0.4}, "CD56_T": {"CD8_T": 0.55, "NK": 0.45},
    "MAIT": {"CD8_T": 0.8, "NK": 0.2}, "ILC": {"CD4_T": 0.75, "NK": 0.25},
    "cDC": {"DC": 1.0}, "pDC": {"DC": 0.6, "B": 0.4}, "neutrophil": {"monocyte": 1.0},
    "basophil": {"monocyte": 0.5, "CD4_T": 0.5},
}  # fmt: skip
MORE: dict[str, dict[str, float]] = {
    "activated_T": {"IL2RA": 3, "TNFRSF4": 2, "TNFRSF18": 2, "MKI67": 4, "TOP2A": 4, "CD38": 2, "HLA-DRA": 3},
    "MAIT": {"KLRB1": 3, "IL7R": 1},
    "ILC": {"IL7R": 2, "KIT": 3},
}


@cache
def gene_names() -> tuple[str, ...]:
    """All gene symbols in the order of the features file (the same for every cohort)."""
    return tuple(pd.read_csv(FOLDER / "genes.tsv", sep="\t", keep_default_na=False)["gene"])


def gene_ids() -> list[str]:
    """Ensembl-like ids from a range Ensembl has not assigned, so that nobody takes them for real ones."""
    return [f"ENSG009{i:08d}" for i in range(N_GENES)]


@cache
def mitochondrial() -> np.ndarray:
    """Which genes are mitochondrial (bool)."""
    return np.array([g.startswith("MT-") for g in gene_names()])


@cache
def profiles() -> pd.DataFrame:
    """Relative expression (genes × kinds of cell, NK among them), every column summing to 1."""
    table = pd.read_csv(FOLDER / "genes.tsv", sep="\t", keep_default_na=False).set_index("gene")
    table = table + FLOOR * np.exp(rng(0, "floor").normal(0, 0.7, (len(table), 1)))
    for kind, parts in MIXTURES.items():
        table[kind] = sum(share * table[name] for name, share in parts.items())
        for gene, effect in MORE.get(kind, {}).items():
            table.loc[gene, kind] *= 2.0**effect
    return table / table.sum()


@cache
def programmes() -> np.ndarray:
    """log2 change at the end of every axis (AXES × genes, float32)."""
    table = pd.read_csv(FOLDER / "programmes.tsv", sep="\t", keep_default_na=False)
    wide = table.pivot_table(index="axis", columns="gene", values="log2").reindex(index=list(AXES))
    table = wide.reindex(columns=list(gene_names())).to_numpy(dtype=np.float32)
    for row, axis in zip(table, AXES, strict=True):
        random, (share, sd) = rng(0, "broad change", axis), BROAD[axis]
        moved = np.where(random.random(N_GENES) < share, random.normal(0, sd, N_GENES), 0.0)
        row[:] = np.where(np.isnan(row), np.where(mitochondrial(), 0.0, moved), row)
    return table


def degrees(cells: Latents, kir: np.ndarray) -> np.ndarray:
    """How far every cell has gone along AXES (cells × AXES, 0–1). `kir`: which cells express a KIR."""
    m = cells.maturation
    resting = 1 - np.clip(2 * np.maximum(cells.activated, cells.cycle), 0, 0.8)
    early = np.interp(m, [BORDERS[0] - 0.1, BORDERS[0] + 0.1, BORDERS[1], BORDERS[2]], [0.3, 1.0, 0.4, 0.0])
    late = np.clip((m - 0.6) / 0.4, 0, 1)
    return np.stack(
        [
            np.clip(1 - m / 0.34, 0, 1) * (0.5 + 0.5 * resting),
            early * resting,
            np.where(kir, np.clip((m - 0.2) / 0.4, 0, 1), 0.1),
            late,
            cells.adaptive,
            cells.activated,
            cells.cycle,
            cells.memory,
        ],
        axis=1,
    )


def nk_rates(cells: Latents, kir: np.ndarray) -> np.ndarray:
    """Relative expression of NK cells (cells × genes, float32, not summing to 1) by their place."""
    change = degrees(cells, kir).astype(np.float32) @ programmes()
    return np.exp2(change) * profiles()["NK"].to_numpy(dtype=np.float32)


def programme_table() -> pd.DataFrame:
    """The planted log2 differences: axis, feature, effect (before compositional rescaling)."""
    table = pd.read_csv(FOLDER / "programmes.tsv", sep="\t", keep_default_na=False)
    return table.rename(columns={"gene": "feature", "log2": "effect"})[["axis", "feature", "effect"]]
