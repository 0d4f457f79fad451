"""Lists made better from the lists themselves: what is near my neighbours, or has me as neighbour, may be near me."""

from __future__ import annotations

import numpy as np

from .ahead import prefetch
from .jit import jit


@jit()
def offers(value, ident, a, b):
    """Edges i -> u of rows a..b that u would take as u -> i: whom, who, squared distance."""
    k = ident.shape[1]
    whom = np.empty((b - a) * k, np.int32)
    who = np.empty((b - a) * k, np.int32)
    cost = np.empty((b - a) * k, np.float32)
    n = 0
    for i in range(a, b):
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
def through(Z, value, ident, new_value, new_ident, first, a, b):
    """Lists of the rows a..b after a look at the first `first` neighbours of their first `first` neighbours.

    Reads the old lists and writes new ones, so that the order of the work does not matter.
    """
    k = ident.shape[1]
    d = Z.shape[1]
    size = np.int64(4 * d)
    seen = np.zeros(len(Z), np.int32)
    candidates = np.empty(first * first, np.int32)
    for i in range(a, b):
        scores = new_value[i]
        names = new_ident[i]
        mark = np.int32(i + 1)
        seen[i] = mark
        for j in range(k):
            scores[j] = value[i, j]
            names[j] = ident[i, j]
            seen[ident[i, j]] = mark
        count = 0
        for j in range(first):
            u = ident[i, j]
            for z in range(first):
                v = ident[u, z]
                if seen[v] != mark:
                    seen[v] = mark
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
                w = k - 1
                while w > 0 and (scores[w - 1] > s or (scores[w - 1] == s and names[w - 1] > v)):
                    scores[w] = scores[w - 1]
                    names[w] = names[w - 1]
                    w -= 1
                scores[w] = s
                names[w] = v
