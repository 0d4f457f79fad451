"""Agreement of two clusterings of the same cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def contingency(a: NDArray, b: NDArray, n_a: int | None = None, *, n_b: int | None = None) -> NDArray[np.int64]:
    """Cells per pair of labels; labels are integers from 0, negative ones are left out."""
    keep = (a >= 0) & (b >= 0)
    a, b = a[keep].astype(np.int64), b[keep].astype(np.int64)
    rows = n_a if n_a is not None else int(a.max(initial=-1)) + 1
    columns = n_b if n_b is not None else int(b.max(initial=-1)) + 1
    return np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)


def adjusted_rand(a: NDArray, b: NDArray) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985) of two integer labellings; 1 if both are one cluster.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.graph import adjusted_rand
    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    """
    c = contingency(a, b).astype(np.float64)
    pairs = lambda x: float((x * (x - 1) / 2).sum())  # noqa: E731
    both, left, right, total = pairs(c), pairs(c.sum(1)), pairs(c.sum(0)), pairs(c.sum())
    expected = left * right / total if total else 0.0
    top = (left + right) / 2
    return 1.0 if top == expected else (both - expected) / (top - expected)


def jaccard(c: NDArray) -> NDArray[np.float64]:
    """Jaccard index of every row cluster with every column cluster of a contingency table."""
    union = c.sum(1, keepdims=True) + c.sum(0, keepdims=True) - c
    return c / np.maximum(union, 1)
