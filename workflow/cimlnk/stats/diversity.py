"""Diversity of kinds in a sample, from counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def inverse_simpson(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """1 / sum p² along the last axis (Simpson 1949, Nature 163:688): the number of equally common kinds as diverse.

    NaN where there is no cell.

    Examples
    --------
    >>> import numpy as np
    >>> inverse_simpson(np.array([[5, 5, 0], [9, 1, 0]])).round(2)
    array([2.  , 1.22])
    """
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 / ((counts / total) ** 2).sum(axis=-1), dtype=np.float64)


def shannon(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """- sum p ln p along the last axis, in nats (Shannon 1948).

    Examples
    --------
    >>> import numpy as np
    >>> shannon(np.array([[1, 1, 1, 1], [4, 0, 0, 0]])).round(3) + 0.0
    array([1.386, 0.   ])
    """
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts / total
        return np.asarray(-np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=-1), dtype=np.float64)
