"""Antibody counts with known cells: negative binomial background and signal, unequal staining, ambient droplets."""

from __future__ import annotations

import numpy as np

NAMES = [
    "CD3_TotalSeqB",
    "CD19",
    "ADT_CD14",
    "CD56-NCAM16.2",
    "CD16",
    "CD4",
    "HLA-DR",
    "CD335",
    "CD159a",
    "CD57",
    "IgG1_control",
]
CARRIED = {
    "T": ("CD3_TotalSeqB", "CD4"),
    "B": ("CD19", "HLA-DR"),
    "monocyte": ("ADT_CD14", "HLA-DR"),
    "NK": ("CD56-NCAM16.2", "CD16", "CD335"),
}
BACKGROUND = np.array([20, 4, 30, 15, 40, 25, 12, 8, 6, 18, 5.0])
SIGNAL = np.array([80, 120, 40, 25, 30, 50, 60, 15, 12, 12, 1.0])  # times the background


def counts(rng: np.random.Generator, cells: dict[str, int], depth: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Cells × NAMES and the lineage of every cell."""
    kinds = np.repeat(list(cells), list(cells.values()))
    carries = np.array([[n in CARRIED[k] for n in NAMES] for k in kinds])
    mean = depth * BACKGROUND * np.where(carries, SIGNAL, 1.0) * rng.lognormal(0, 0.2, (len(kinds), 1))
    return rng.negative_binomial(6, 6 / (6 + mean)).astype(float), kinds


def droplets(rng: np.random.Generator, n: int, depth: float = 1.0) -> np.ndarray:
    """Droplets without cells × NAMES."""
    mean = np.broadcast_to(0.9 * depth * BACKGROUND, (n, len(NAMES)))
    return rng.negative_binomial(8, 8 / (8 + mean)).astype(float)
