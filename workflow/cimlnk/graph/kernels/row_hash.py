"""Hashes of rows, to find equal ones."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .layout import float_bits


@jit()
def hash_rows(X, out, a, b):
    """A 64-bit hash of each of the rows a..b; -0.0 counts as 0.0."""
    for i in range(a, b):
        h = np.uint64(0xCBF29CE484222325)
        for j in range(X.shape[1]):
            x = X[i, j]
            word = np.uint64(np.uint32(float_bits(x))) if x != 0 else np.uint64(0)
            h = (h ^ word) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
        out[i] = h
