"""The graph between communities, which is the next level of Leiden: numbers, and summed edges."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .prefetch import AHEAD, prefetch


@jit()
def relabel(label):
    """Number labels 0, 1, ... in order of appearance; returns the labels and their count."""
    n = len(label)
    new = np.full(n, -1, np.int32)
    out = np.empty(n, np.int32)
    count = 0
    for i in range(n):
        if new[label[i]] < 0:
            new[label[i]] = count
            count += 1
        out[i] = new[label[i]]
    return out, count


@jit()
def collapse(indptr, ix, w, label, start, nodes, count, columns, values, room, spare, entries, nowhere, a, b):
    """Rows a..b of the graph between labels, self-loops left out: their entries go to `columns` and `values` from
    place `room` on, their numbers to ``entries[a:b]``; returns how many there are in all.

    Where a label's entry lies is remembered by label. Entries of earlier rows lie before the row at hand, so nothing
    has to be forgotten, and there is no branch on what cannot be foreseen. Edges inside the label go to the place
    `spare`, behind everything that is kept. `nowhere` is -1 of a type that holds ``spare - room``.
    """
    at = np.full(count, nowhere)  # places from `room` on
    p = np.int64(0)
    for c in range(a, b):
        first = p
        at[c] = spare - room
        for z in range(start[c], start[c + 1]):
            far = nodes[min(z + AHEAD, start[b] - 1)]
            for line in range(4 * indptr[far], 4 * indptr[far + 1], 64):
                prefetch(ix.ctypes.data + line)
                prefetch(w.ctypes.data + line)
            i = nodes[z]
            for e in range(indptr[i], indptr[i + 1]):
                u = label[ix[e]]
                known = at[u]
                fresh = known < first
                q = p if fresh else known
                at[u] = q
                columns[room + q] = u
                before = values[room + q]
                values[room + q] = w[e] + (np.float32(0) if fresh else before)
                p += np.int64(fresh)
        at[c] = nowhere
        entries[c] = p - first
    return p


@jit()
def degrees(indptr, start, nodes, a, b):
    """Entries of all nodes of the groups a..b."""
    n = 0
    for z in range(start[a], start[b]):
        n += indptr[nodes[z] + 1] - indptr[nodes[z]]
    return n


@jit()
def close_up(columns, values, source, target, size):
    """Move `size` entries down to `target`, in place."""
    for z in range(size):
        columns[target + z] = columns[source + z]
        values[target + z] = values[source + z]
