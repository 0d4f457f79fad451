"""Passes over all rows: which hold no proper numbers, and which may be equal."""

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


@jit()
def first_bad(X, limit, a, b):
    """The first of the rows a..b with NaN or a value not below `limit` in size, or -1."""
    for i in range(a, b):
        good = True
        for j in range(X.shape[1]):
            good &= abs(X[i, j]) < limit
        if not good:
            return i
    return -1


@jit()
def crowded(code, most):
    """Rows that may be among more than `most` equal ones: so many hashes share their place in a table."""
    size = 1024
    while size < len(code):
        size *= 2
    count = np.zeros(size, np.uint32)
    for h in code:
        count[h & np.uint64(size - 1)] += np.uint32(1)
    n = 0
    out = np.empty(1024, np.int64)
    for i in range(len(code)):
        if count[code[i] & np.uint64(size - 1)] > most:
            if n == len(out):
                more = np.empty(2 * n, np.int64)
                more[:n] = out
                out = more
            out[n] = i
            n += 1
    return out[:n].copy()
