"""Whether a likelihood has a finite maximum along a contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Floats = NDArray[np.float64]


def is_separated(y: Floats, n: Floats, matrix: Floats, *, weights: Floats) -> bool:
    """Whether the likelihood pushes a contrast to infinity: one side of it has no cells (or nothing else) at all.

    It does if some direction d keeps the fit of every mixed sample (X d = 0), lowers the samples without a cell or
    raises the full ones, and moves the contrast (Albert & Anderson 1984, Biometrika 71:1); two linear programmes.
    """
    known = n > 0
    y, n, x = y[known], n[known], matrix[known]
    none, whole = y <= 0, y >= n
    if not (none.any() or whole.any()):
        return False
    mixed = ~none & ~whole
    inequality = np.vstack([x[none], -x[whole]])
    equality = x[mixed] if mixed.any() else None
    for sign in (1.0, -1.0):
        found = optimize.linprog(
            -sign * weights,
            A_ub=inequality,
            b_ub=np.zeros(len(inequality)),
            A_eq=equality,
            b_eq=None if equality is None else np.zeros(len(equality)),
            bounds=[(-1.0, 1.0)] * x.shape[1],
            method="highs",
        )
        if found.status == 0 and -found.fun > 1e-7:
            return True
    return False
