"""Antibody-derived tags of the cells whose RNA is counted: the same cells, places and receptors.

Levels are those of ``resources/simulate/proteins.tsv``. The gain gives CD56 of NK cells 22 times the counts of T cells,
the middle of ten public studies with at least twenty NK cells (9 to 51; data of ADTnorm). CD3 of T cells is
then 170 times that of NK cells, where those studies have 16 to 137, and CD16 of NK cells 9 times that of T cells, where
two public sets have 41 and 45 (10x Genomics "10k PBMC protein v3"; BREM-SC, doi:10.1093/nar/gkaa314). Background is of
the size of those two sets (4 to 100 counts where a protein is absent); noise is of our choice.
"""

from __future__ import annotations

import numpy as np

from cimlnk.common.seeds import rng

from .proteins import MARKERS, levels

# Surface proteins alone: what lies inside a cell (Ki-67, granzyme B) no tag of living cells reaches.
PROTEINS = (
    "CD3", "CD4", "CD8a", "CD14", "CD16", "CD19", "CD45", "CD56", "CD57", "CD2", "CD7", "CD25", "CD38", "CD69", "CD94",
    "CD127", "HLA-DR", "KIR2DL1", "KIR2DL2_3", "KIR3DL1", "NKG2A", "NKG2C", "NKp46", "TIGIT",
)  # fmt: skip
ISOTYPES = ("IgG1", "IgG2a")
NAMES = (*(f"{p}_TotalSeqB" for p in PROTEINS), *(f"{i}_control_TotalSeqB" for i in ISOTYPES))
COLUMNS = [MARKERS.index(p) for p in PROTEINS]
BACKGROUND, BACKGROUND_SD = (
    18.0,
    0.5,
)  # counts of a cell without the protein, and sd of its logarithm between antibodies
GAIN = 40.0  # counts at the level arcsinh 1
CELL_SD = 0.30  # log-normal factor of all counts of a cell
DISPERSION = 0.06  # of the gamma in gamma-Poisson


def counts(
    random: np.random.Generator, level: np.ndarray, *, seed: int, batch: str, shift: np.ndarray | float = 0.0
) -> np.ndarray:
    """Antibody counts (cells × NAMES, int32) of cells with the stained levels `level` (cells × MARKERS).

    Doublets are given as the sum of their parts by the caller, who adds the counts.
    """
    ambient = BACKGROUND * np.exp(rng(seed, "antibody background", batch).normal(0, BACKGROUND_SD, len(NAMES)))
    n = len(level)
    value = level + levels().spread * random.standard_normal(level.shape) * np.clip(level, 0, 1)
    signal = np.zeros((n, len(NAMES)))
    signal[:, : len(PROTEINS)] = GAIN * (np.sinh(np.clip(value, 0, 9)) * np.exp(shift))[:, COLUMNS]
    size = np.exp(CELL_SD * random.standard_normal((n, 1)))
    noise = random.standard_gamma(1 / DISPERSION, signal.shape) * DISPERSION
    return random.poisson((signal + ambient) * size * noise).astype(np.int32)
