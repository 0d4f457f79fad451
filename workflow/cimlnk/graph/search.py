"""Nearest neighbours of new rows among indexed rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Found(NamedTuple):
    indices: NDArray[np.int32]
    distances: NDArray[np.float32]


class Index:
    """Rows to be searched."""

    def __init__(self, X: NDArray[np.float32], threads: int | None = None, seed: int = 0) -> None:
        self.X = np.ascontiguousarray(X, np.float32)
        self.square = np.einsum("ij,ij->i", self.X, self.X)

    def query(self, Y: NDArray[np.float32], k: int) -> Found:
        """The `k` nearest indexed rows of every row of `Y`."""
        idx = np.empty((len(Y), k), np.int32)
        dist = np.empty((len(Y), k), np.float32)
        for a in range(0, len(Y), 256):
            part = Y[a : a + 256]
            near = np.argpartition(self.square - 2 * part @ self.X.T, k - 1, axis=1)[:, :k]
            exact = np.sqrt(((part[:, None] - self.X[near]) ** 2).sum(-1))
            o = np.argsort(exact, axis=1, kind="stable")
            idx[a : a + 256], dist[a : a + 256] = np.take_along_axis(near, o, 1), np.take_along_axis(exact, o, 1)
        return Found(idx, dist)
