"""The approximate search: every row chooses the cells to look into, and the lists are improved afterwards."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .tile import ROWS, WIDTH, insert, lowest_bit, tile

LOW = np.float32(-3e38)


@jit(fast=True)
def cut_offs(S, half, cells, weight, budget):
    """Per query (column of `S`) the score above which the cells hold about `budget` rows.

    Turns the products in `S` into scores. Bisection of the count, vectorised over the queries.
    """
    count, m = S.shape
    low = np.full(m, np.float32(3e38))
    high = np.full(m, LOW)
    for c in range(count):
        h = half[cells[c]]
        row = S[c]
        for i in range(m):
            v = row[i] - h
            row[i] = v
            low[i] = min(low[i], v)
            high[i] = max(high[i], v)
    middle = np.empty(m, np.float32)
    held = np.empty(m, np.float32)
    for _ in range(6):
        for i in range(m):
            middle[i] = (low[i] + high[i]) * np.float32(0.5)
            held[i] = 0
        for c in range(count):
            row = S[c]
            w = weight[c]
            for i in range(m):
                held[i] += w if row[i] > middle[i] else np.float32(0)
        for i in range(m):
            if held[i] > budget:
                low[i] = middle[i]
            else:
                high[i] = middle[i]
    return high


@jit(fast=True)
def floor_of(row, size, k):
    """A score that at least `k` of the row's entries exceed, by bisection; very low if there are not enough."""
    if size <= k + 1:
        return np.float32(-1e29)
    low = np.float32(3e38)
    high = LOW
    for t in range(len(row)):
        if row[t] > np.float32(-1e29):
            low = min(low, row[t])
            high = max(high, row[t])
    for _ in range(12):
        middle = (low + high) * np.float32(0.5)
        above = np.float32(0)
        for t in range(len(row)):
            above += np.float32(1) if row[t] > middle else np.float32(0)
        if above >= k:
            low = middle
            if above <= k + 2:
                break
        else:
            high = middle
    return low - abs(low) * np.float32(1e-6)


@jit(fast=True)
def probe(Q, at, own, panels, start, first, C, half, lists, budget, best, ident, a, b):
    """Lists of the queries of cells a..b (rows at[c]..at[c + 1] of `Q` have cell c as their nearest).

    Their own cell is searched whole; beyond it each query has its own cut-off, so that about `budget` rows are
    compared with it, and a cell is only compared with the queries that chose it.
    """
    d = Q.shape[1]
    k = best.shape[1]
    count = lists.shape[1]
    out = np.empty(ROWS * WIDTH, np.float32)
    mask = np.empty(ROWS, np.uint32)
    threshold = np.empty(ROWS, np.float32)
    ids = np.empty(ROWS, np.int32)
    centres = np.empty((count, d), np.float32)
    weight = np.empty(count, np.float32)
    panel_bytes = np.int64((d + 1) * WIDTH * 4)
    for c in range(a, b):
        q0 = at[c]
        m = at[c + 1] - q0
        if m == 0:
            continue
        cells = lists[c]
        for z in range(count):
            centres[z] = C[cells[z]]
            weight[z] = start[cells[z] + 1] - start[cells[z]]
        S = np.dot(centres, np.ascontiguousarray(Q[q0 : q0 + m].T))
        cut = cut_offs(S, half, cells, weight, budget)
        limit = np.empty(m, np.float32)
        # the own cell: all scores first, then only those above a floor that k of them exceed
        size = start[c + 1] - start[c]
        n_panels = first[c + 1] - first[c]
        block = np.empty((ROWS, n_panels * WIDTH), np.float32)
        for r in range(ROWS):
            threshold[r] = np.float32(3e38)
        for q in range(0, m, ROWS):
            used = min(ROWS, m - q)
            for r in range(ROWS):
                ids[r] = q0 + min(q + r, m - 1)
            for p in range(n_panels):
                tile(
                    Q.ctypes.data,
                    ids.ctypes.data,
                    np.int64(d),
                    panels.ctypes.data + np.int64(first[c] + p) * panel_bytes,
                    np.int64(d),
                    threshold.ctypes.data,
                    out.ctypes.data,
                    mask.ctypes.data,
                )
                for r in range(ROWS):
                    for t in range(WIDTH):
                        block[r, p * WIDTH + t] = out[r * WIDTH + t]
            for r in range(used):
                g = q0 + q + r
                row = block[r]
                if own[g] >= 0:
                    row[own[g] - start[c]] = np.float32(-1e30)
                floor = floor_of(row, size, k)
                scores = best[g]
                names = ident[g]
                for t in range(size):
                    if row[t] > floor and row[t] > scores[k - 1]:
                        insert(scores, names, row[t], np.int32(start[c] + t))
                limit[q + r] = max(scores[k - 1], np.float32(-1e29))
        chosen = np.empty(m + ROWS, np.int32)
        for z in range(1, count):
            row = S[z]
            n_chosen = 0
            for i in range(m):
                chosen[n_chosen] = i
                n_chosen += 1 if row[i] > cut[i] else 0
            if n_chosen == 0:
                continue
            for i in range(n_chosen, (n_chosen + ROWS - 1) // ROWS * ROWS):
                chosen[i] = chosen[n_chosen - 1]
            other = cells[z]
            for p in range(first[other], first[other + 1]):
                position = start[other] + (p - first[other]) * WIDTH
                for q in range(0, n_chosen, ROWS):
                    used = min(ROWS, n_chosen - q)
                    for r in range(ROWS):
                        threshold[r] = limit[chosen[q + r]]
                    tile(
                        Q.ctypes.data + np.int64(q0) * np.int64(d * 4),
                        chosen.ctypes.data + np.int64(q * 4),
                        np.int64(d),
                        panels.ctypes.data + np.int64(p) * panel_bytes,
                        np.int64(d),
                        threshold.ctypes.data,
                        out.ctypes.data,
                        mask.ctypes.data,
                    )
                    for r in range(used):
                        bits = mask[r]
                        if bits == 0:
                            continue
                        i = chosen[q + r]
                        scores = best[q0 + i]
                        names = ident[q0 + i]
                        while bits != 0:
                            t = lowest_bit(bits)
                            bits &= bits - np.uint32(1)
                            s = out[r * WIDTH + t]
                            if s > scores[k - 1]:
                                insert(scores, names, s, np.int32(position + t))
                        limit[i] = max(scores[k - 1], np.float32(-1e29))


@jit(fast=True)
def rerank(Q, Z, value, ident, a, b):
    """Replace the scores of rows a..b by exact squared distances and sort by them, ties by position.

    Missing places (-1) get a very large distance and go to the end.
    """
    d = Q.shape[1]
    for i in range(a, b):
        for j in range(ident.shape[1]):
            u = ident[i, j]
            s = np.float32(3e38)
            if u >= 0:
                s = np.float32(0)
                for f in range(d):
                    e = Q[i, f] - Z[u, f]
                    s += e * e
            w = j
            while w > 0 and (value[i, w - 1] > s or (value[i, w - 1] == s and ident[i, w - 1] > u)):
                value[i, w] = value[i, w - 1]
                ident[i, w] = ident[i, w - 1]
                w -= 1
            value[i, w] = s
            ident[i, w] = u


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


@jit()
def name_back(order, value, ident, scale, out_value, out_ident, a, b):
    """Lists of the ordered rows a..b under their original numbers, distances rooted and in the data's unit."""
    for i in range(a, b):
        o = order[i]
        for j in range(ident.shape[1]):
            out_ident[o, j] = order[ident[i, j]]
            out_value[o, j] = np.sqrt(value[i, j]) * scale
