"""Principal components that are the same bits on one core or many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 4096  # rows of the covariance summed at a time: a fixed order of additions
CLIP = 10.0  # largest standard score of a gene in a cell, as in scanpy and Seurat
LEAST, MOST = 5, 50


@dataclass(frozen=True)
class Components:
    """Scores (cells x components, float32), loadings (genes x components), eigenvalues, and the noise limit."""

    scores: np.ndarray
    loadings: np.ndarray
    eigenvalues: np.ndarray
    noise_limit: float


def standardise(x: np.ndarray) -> np.ndarray:
    """Standard scores per column, clipped at ±10, in place; columns without variance become 0."""
    for start in range(0, x.shape[1], 64):
        block = x[:, start : start + 64].astype(np.float64)
        spread = block.std(axis=0, ddof=1)
        scores = (block - block.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        x[:, start : start + 64] = np.clip(scores, -CLIP, CLIP)
    return x


def components(x: np.ndarray, n: int | None) -> Components:
    """Principal components by the exact eigenvectors of the covariance matrix, in float64 on one thread.

    Randomised and iterative solvers depend on a start vector, and a matrix product's last bits on the number of
    threads; here the covariance is summed over blocks of rows in a fixed order and decomposed exactly. The sign of
    a component is such that its largest loading is positive.

    Parameters
    ----------
    x
        cells x genes, standardised, float32.
    n
        Number of components; None takes those whose eigenvalue exceeds that of the largest one of pure noise of
        the same shape, (1 + sqrt(genes / cells))^2 (Marchenko and Pastur 1967), at least 5 and at most 50.
    """
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    cells, genes = x.shape
    limit = (1.0 + np.sqrt(genes / cells)) ** 2
    most = min(n or MOST, genes, cells - 1)
    with threadpool_limits(1):
        mean = np.zeros(genes)
        for start in range(0, cells, BLOCK):
            mean += x[start : start + BLOCK].sum(axis=0, dtype=np.float64)
        mean /= cells
        covariance = np.zeros((genes, genes))
        for start in range(0, cells, BLOCK):
            block = x[start : start + BLOCK].astype(np.float64) - mean
            covariance += block.T @ block
        covariance /= cells - 1
        values, vectors = eigh(covariance, subset_by_index=[genes - most, genes - 1])
        values, vectors = values[::-1], vectors[:, ::-1]
        if n is None:
            kept = int(np.clip((values > limit).sum(), min(LEAST, most), most))
            values, vectors = values[:kept], vectors[:, :kept]
        top = np.abs(vectors).argmax(axis=0)
        vectors = vectors * np.sign(vectors[top, np.arange(vectors.shape[1])])
        scores = np.empty((cells, vectors.shape[1]), dtype=np.float32)
        for start in range(0, cells, BLOCK):
            scores[start : start + BLOCK] = (x[start : start + BLOCK].astype(np.float64) - mean) @ vectors
    return Components(scores, vectors, values, float(limit))
