"""The graph between communities, which is the next level of Leiden: numbers, members, and summed edges."""

from __future__ import annotations

import numpy as np

from .jit import jit


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
def members(label, count):
    """Counting sort of the nodes by label: start of each label's run, and the nodes."""
    start = np.zeros(count + 1, np.int64)
    for x in label:
        start[x + 1] += 1
    for j in range(count):
        start[j + 1] += start[j]
    place = start[:-1].copy()
    nodes = np.empty(len(label), np.int32)
    for i in range(len(label)):
        nodes[place[label[i]]] = i
        place[label[i]] += 1
    return start, nodes


@jit()
def collapse(indptr, ix, w, label, start, nodes, count, columns, values, room, entries, a, b):
    """Rows a..b of the graph between labels, self-loops left out: their entries go to `columns` and `values` from
    place `room` on, their numbers to ``entries[a:b]``; returns how many there are in all.

    Where a label's entry lies is looked up in a table as large as the row at hand asks for, which stays in the cache.
    """
    size = 64
    key = np.full(size, np.int32(-1))
    at = np.empty(size, np.int64)
    touched = np.empty(size, np.int32)
    p = room
    for c in range(a, b):
        first = p
        most = 0
        for z in range(start[c], start[c + 1]):
            most += indptr[nodes[z] + 1] - indptr[nodes[z]]
        most = min(most, count)
        size = 64
        while size < 2 * most:
            size *= 2
        if size > len(key):
            key = np.full(size, np.int32(-1))
            at = np.empty(size, np.int64)
            touched = np.empty(size, np.int32)
        for z in range(start[c], start[c + 1]):
            i = nodes[z]
            for e in range(indptr[i], indptr[i + 1]):
                u = label[ix[e]]
                if u == c:
                    continue
                h = u & (size - 1)
                while key[h] != u and key[h] >= 0:
                    h = (h + 1) & (size - 1)
                if key[h] < 0:
                    key[h] = u
                    at[h] = p
                    touched[p - first] = h
                    columns[p] = u
                    values[p] = w[e]
                    p += 1
                else:
                    values[at[h]] += w[e]
        for z in range(p - first):
            key[touched[z]] = -1
        entries[c] = p - first
    return p - room


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
