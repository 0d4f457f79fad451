"""Rows in the order of their labels."""

from __future__ import annotations

import numpy as np

from .jit import jit


@jit()
def by_label(label, count):
    """Counting sort: where the run of each of `count` labels starts, and the rows in the order of their labels."""
    start = np.zeros(count + 1, np.int64)
    for x in label:
        start[x + 1] += 1
    for j in range(count):
        start[j + 1] += start[j]
    place = start[:-1].copy()
    rows = np.empty(len(label), np.int32)
    for i in range(len(label)):
        rows[place[label[i]]] = i
        place[label[i]] += 1
    return start, rows
