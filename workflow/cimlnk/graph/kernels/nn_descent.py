"""Lists made better from the lists themselves: what is near my neighbours, or has me as neighbour, may be near me."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .prefetch import prefetch

SEEN = 1024  # places in the table of candidates seen


@jit()
def offers(value, ident, a, b):
    """Edges i -> u of rows a..b that u would take as u -> i: whom, who, squared distance."""
    k = ident.shape[1]
    whom = np.empty((b - a) * k, np.int32)
    who = np.empty((b - a) * k, np.int32)
    cost = np.empty((b - a) * k, np.float32)
    n = 0
    width = np.int64(4 * k)
    for i in range(a, b):
        soon = min(i + 2, b - 1)
        for j in range(k):
            far = np.int64(max(ident[soon, j], 0)) * width
            prefetch(ident.ctypes.data + far)
            prefetch(value.ctypes.data + far + width - 4)
        for j in range(k):
            u = ident[i, j]
            if u >= 0 and value[i, j] < value[u, k - 1]:
                known = False
                for w in range(k):
                    known |= ident[u, w] == i
                if not known:
                    whom[n] = u
                    who[n] = i
                    cost[n] = value[i, j]
                    n += 1
    return whom[:n].copy(), who[:n].copy(), cost[:n].copy()


@jit()
def accept(value, ident, whom, who, cost):
    """Put the offers into the lists, in their order; returns how many got in."""
    k = ident.shape[1]
    taken = 0
    for z in range(len(whom)):
        u = whom[z]
        s = cost[z]
        i = who[z]
        if s < value[u, k - 1]:
            taken += 1
            w = k - 1
            while w > 0 and (value[u, w - 1] > s or (value[u, w - 1] == s and ident[u, w - 1] > i)):
                value[u, w] = value[u, w - 1]
                ident[u, w] = ident[u, w - 1]
                w -= 1
            value[u, w] = s
            ident[u, w] = i

    return taken


@jit(fast=True)
def through(Z, value, ident, rows, new_value, new_ident, first, a, b):
    """Lists of the rows ``rows[a:b]`` after a look at the first `first` neighbours of their first `first` neighbours.

    Reads the old lists and writes new ones, so that the order of the work does not matter. Which candidates were seen
    is kept in a table small enough to stay in the cache; one that it has forgotten is only compared twice.
    """
    k = ident.shape[1]
    d = Z.shape[1]
    size = np.int64(4 * d)
    width = np.int64(4 * k)
    seen = np.full(SEEN, np.int64(-1))
    candidates = np.empty(first * first, np.int32)
    for r in range(a, b):
        i = rows[r]
        scores = new_value[r]
        names = new_ident[r]
        mark = np.int64(i) << np.int64(32)
        seen[i & (SEEN - 1)] = mark | i
        for j in range(k):
            v = ident[i, j]
            scores[j] = value[i, j]
            names[j] = v
            seen[v & (SEEN - 1)] = mark | v
        soon = rows[min(r + 2, b - 1)]
        for j in range(first):
            prefetch(ident.ctypes.data + np.int64(ident[soon, j]) * width)
        count = 0
        for j in range(first):
            u = ident[i, j]
            for z in range(first):
                v = ident[u, z]
                if seen[v & (SEEN - 1)] != mark | v:
                    seen[v & (SEEN - 1)] = mark | v
                    candidates[count] = v
                    count += 1
                    for line in range(0, size, 64):
                        prefetch(Z.ctypes.data + np.int64(v) * size + line)
        x = Z[i]
        for c in range(count):
            v = candidates[c]
            y = Z[v]
            s = np.float32(0)
            for f in range(d):
                e = x[f] - y[f]
                s += e * e
            if s < scores[k - 1]:
                known = v == i
                for w in range(k):
                    known |= names[w] == v
                if known:
                    continue
                w = k - 1
                while w > 0 and (scores[w - 1] > s or (scores[w - 1] == s and names[w - 1] > v)):
                    scores[w] = scores[w - 1]
                    names[w] = names[w - 1]
                    w -= 1
                scores[w] = s
                names[w] = v
