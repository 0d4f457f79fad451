"""Optimal transport between a handful of clusters: entropic, with growth and death, some moves forbidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def transport(
    cost: Floats,
    source: Floats,
    target: Floats,
    *,
    epsilon: float = 0.05,
    relax_source: float = 0.02,
    relax_target: float = np.inf,
    allowed: NDArray[np.bool_] | None = None,
    iterations: int = 1000,
    tolerance: float = 1e-7,
) -> Floats:
    """Entropic optimal transport with relaxed marginals (Chizat 2018, Math Comput 87:2563), in logarithms.

    Cells divide and die, so the mass that leaves a source cluster is not its size: the source marginal is held by a
    Kullback-Leibler price only, and what the plan takes from it beyond or below its size is its growth (as in
    Waddington-OT: Schiebinger 2019, Cell 176:928). The target is what was measured and is met exactly.

    Parameters
    ----------
    cost : (s, t)
        Price of moving a unit of mass.
    source, target
        Masses, each summing to 1 (rows and columns without mass stay empty).
    epsilon
        Blur, in units of cost: differences in cost well above it decide, well below it do not.
    relax_source, relax_target
        Price of departing from a marginal; inf for an exact one. Subsets may expand fifty-fold, so growing must be
        cheaper than becoming another subset.
    allowed : (s, t)
        Moves that are possible. A target without any gets nothing.

    Returns
    -------
    (s, t) plan. Its columns sum to `target` where a move is allowed.
    """
    with np.errstate(divide="ignore"):
        log_a, log_b = np.log(source), np.log(target)
        kernel = -cost / epsilon + log_a[:, None] + log_b[None]
    if allowed is not None:
        kernel = np.where(allowed, kernel, -np.inf)
    share_a = 1.0 if np.isinf(relax_source) else relax_source / (relax_source + epsilon)
    share_b = 1.0 if np.isinf(relax_target) else relax_target / (relax_target + epsilon)
    f, g = np.zeros(len(source)), np.zeros(len(target))
    rows, columns = np.isfinite(kernel).any(axis=1), np.isfinite(kernel).any(axis=0)
    # only what can move takes part; the buffers spare an allocation in each of a few hundred small steps
    ahead, back = kernel[rows], kernel[:, columns]
    ahead_buffer, back_buffer = np.empty_like(ahead), np.empty_like(back)
    log_rows, log_columns = log_a[rows], log_b[columns]
    for _ in range(iterations):
        before = f.copy()
        f[rows] = share_a * (log_rows - _log_sum(np.add(ahead, g, out=ahead_buffer), 1))
        g[columns] = share_b * (log_columns - _log_sum(np.add(back, f[:, None], out=back_buffer), 0))
        before -= f
        if np.maximum.reduce(np.abs(before, out=before), initial=0.0) < tolerance:
            break
    return np.exp(kernel + f[:, None] + g[None])


def _log_sum(x: Floats, axis: int) -> Floats:
    """log of the sum of exp along an axis that has a finite entry everywhere; scipy's checks cost more than that.

    `x` is overwritten.
    """
    top = np.maximum.reduce(x, axis=axis, keepdims=True)
    x -= top
    return np.log(np.add.reduce(np.exp(x, out=x), axis=axis)) + top.squeeze(axis)


def shares(plan: Floats) -> tuple[Floats, Floats]:
    """Descendant shares (rows sum to 1) and ancestor shares (columns sum to 1); 0 where nothing moves."""
    out, into = plan.sum(axis=1, keepdims=True), plan.sum(axis=0, keepdims=True)
    descendants = np.divide(plan, out, out=np.zeros_like(plan), where=out > 0)
    ancestors = np.divide(plan, into, out=np.zeros_like(plan), where=into > 0)
    return descendants, ancestors
