"""A two-dimensional UMAP picture of an existing graph."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds

from .kernels import layout as kernel
from .tasks import Pool, pool

NEGATIVES = 5
STEP = 4096
BUDGET = 25_000_000  # cells x epochs; above 125,000 cells the number of epochs falls
EPOCHS = (50, 200, 500)  # fewest, usual, below SMALL cells
SMALL = 10_000


def umap_layout(
    W: sp.csr_matrix,
    X: NDArray[np.float32],
    seed: int = 0,
    *,
    min_dist: float = 0.3,
    spread: float = 1.0,
    n_epochs: int | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """UMAP coordinates (McInnes 2018) of the cells of a fuzzy graph; no second neighbour search.

    The force model, the sampling of edges and the cooling are UMAP's. Unlike the usual stochastic descent all points
    move at once from the positions of the epoch before, each with a random stream of its own, so the picture is the
    same for every number of threads. It starts from the first two principal components, which keeps the large-scale
    arrangement.

    Parameters
    ----------
    W
        n x n weights of :func:`cimlnk.graph.weights`.
    X
        n x d matrix the graph was made from (only its first two principal components are used).
    min_dist, spread
        As in UMAP.
    n_epochs
        Default 500 below 10,000 cells, 200 above, from 125,000 cells on fewer (at least 50): the start is good and
        the cost stays bounded.

    Returns
    -------
    n x 2 float32.
    """
    n = W.shape[0]
    if len(X) != n:
        raise ValueError(f"W has {n} cells, X has {len(X)}")
    if n_epochs is None:
        n_epochs = EPOCHS[2] if n <= SMALL else int(np.clip(BUDGET // max(n, 1), EPOCHS[0], EPOCHS[1]))
    with pool(threads) as workers:
        return _descend(
            W, start_positions(X, seed), seed, min_dist=min_dist, spread=spread, n_epochs=n_epochs, workers=workers
        )


def _descend(
    W: sp.csr_matrix,
    points: NDArray[np.float32],
    seed: int,
    *,
    min_dist: float,
    spread: float,
    n_epochs: int,
    workers: Pool,
) -> NDArray[np.float32]:
    if W.nnz == 0:
        return points
    indptr, ix = W.indptr.astype(np.int64), W.indices.astype(np.int32, copy=False)
    chance = (W.data / W.data.max()).astype(np.float32)
    pull, push = force_tables(*curve(min_dist, spread))
    old, new = points, np.empty_like(points)
    for step in range(n_epochs):
        rate = np.float32(1 - step / n_epochs)
        stream = np.uint64(seeds.derive(seed, "umap", step))
        shared = (indptr, ix, chance, old, new, pull, push, rate, NEGATIVES, stream)
        workers.spread(lambda a, b, shared=shared: kernel.epoch(*shared, a, b), len(points), STEP)
        old, new = new, old
    return old


def start_positions(X: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The first two principal components, at most about 10 wide, with a little seeded noise that parts equal rows."""
    n, d = X.shape
    centre = X.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((d, d))
    for a in range(0, n, 65536):
        part = X[a : a + 65536] - centre
        covariance += part.T @ part
    _, vectors = np.linalg.eigh(covariance)
    axes = np.zeros((d, 2))
    axes[:, : min(d, 2)] = vectors[:, ::-1][:, :2]
    # the sign of an eigenvector is arbitrary: make its largest entry positive
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    points = X @ axes.astype(np.float32) - (centre @ axes).astype(np.float32)
    scale = np.quantile(np.abs(points), 0.99, axis=0).max() if n else 0.0
    points = np.clip(points / scale * 8 if scale > 0 else points, -10, 10)
    noise = seeds.rng(seed, "umap", "start").normal(0, 1e-2, (n, 2))
    return np.ascontiguousarray(points + noise, dtype=np.float32)


def curve(min_dist: float, spread: float) -> tuple[float, float]:
    """a, b of 1 / (1 + a d^(2b)) fitted to UMAP's membership over distance."""
    from scipy.optimize import curve_fit

    x = np.linspace(0, spread * 3, 300)
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), x, y)
    return float(a), float(b)


def force_tables(a: float, b: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pull and push divided by distance, over squared distance; index = upper 16 bits of its float32.

    Seven bits of mantissa are left, a relative step below 1 %, far finer than the noise of the sampling.
    """
    code = np.arange(1 << 15, dtype=np.uint32)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        d2 = ((code << 16) | 0x8000).view(np.float32).astype(np.float64)
        d2 = np.where(np.isfinite(d2), d2, 3e38)
        power = d2**b
        pull = 2 * a * b * power / d2 / (1 + a * power)
        push = 2 * b / ((0.001 + d2) * (1 + a * power))
    return np.nan_to_num(pull, posinf=1e6).astype(np.float32), np.nan_to_num(push).astype(np.float32)
