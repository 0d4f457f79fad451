"""The approximate search: every row chooses the cells to look into, and the lists are improved afterwards."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .lists_i16 import above, put
from .prefetch import prefetch
from .tile_f32 import ROWS, WIDTH, lowest_bit
from .tile_i16 import LOWEST, NEVER, whole_tile

LOW = np.float32(-3e38)


@jit(fast=True)
def cut_offs(S, half, cells, weight, budget, steps):
    """Per query (column of `S`) the score above which the cells hold about `budget` rows.

    Turns the products in `S` into scores. `steps` of bisection of the count, vectorised over the queries.
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
    for _ in range(steps):
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


@jit()
def floor_of(row, size, k):
    """A score that at least `k` of the row's entries exceed, by bisection; the lowest if there are not enough."""
    if size <= k + 1:
        return np.int32(LOWEST)
    low = np.int32(2**31 - 1)
    high = np.int32(LOWEST)
    for t in range(len(row)):
        low = min(low, row[t] if row[t] != LOWEST else np.int32(2**31 - 1))
        high = max(high, row[t])
    low -= np.int32(1)
    for _ in range(12):
        middle = np.int32((np.int64(low) + np.int64(high)) >> 1)
        above = np.int32(0)
        for t in range(len(row)):
            above += np.int32(1) if row[t] > middle else np.int32(0)
        if above >= k:
            low = middle
            if above <= k + 2:
                break
        else:
            high = middle
    return low


@jit(fast=True)
def own_cell(words, own, q0, m, panels, position, size, first_panel, best, ident, k):
    """Candidates of the rows q0..q0 + m of `words` from the cell whose `size` rows begin at `position`.

    All scores first, then only those above a floor that enough of them exceed go into the lists `best` and `ident`,
    of these m rows, whose first `k` entries count. ``own[i]`` is the row itself, or -1.
    """
    pairs = words.shape[1]
    places = np.int64(ident.shape[1])
    n_panels = (size + WIDTH - 1) // WIDTH
    panel_bytes = np.int64((pairs + 1) * WIDTH * 4)
    out = np.empty(ROWS * WIDTH, np.int32)
    mask = np.empty(ROWS, np.uint32)
    threshold = np.full(ROWS, NEVER)
    ids = np.empty(ROWS, np.int32)
    block = np.empty((ROWS, n_panels * WIDTH), np.int32)
    for q in range(0, m, ROWS):
        used = min(ROWS, m - q)
        for r in range(ROWS):
            ids[r] = q0 + min(q + r, m - 1)
        for p in range(n_panels):
            whole_tile(
                words.ctypes.data,
                ids.ctypes.data,
                np.int64(pairs),
                panels.ctypes.data + np.int64(first_panel + p) * panel_bytes,
                np.int64(pairs),
                threshold.ctypes.data,
                out.ctypes.data,
                mask.ctypes.data,
            )
            for r in range(ROWS):
                for t in range(WIDTH):
                    block[r, p * WIDTH + t] = out[r * WIDTH + t]
        for r in range(used):
            row = block[r]
            if own[q0 + q + r] >= 0:
                row[own[q0 + q + r] - position] = LOWEST
            floor = floor_of(row, size, k)
            scores = best[q + r]
            names = ident[q + r]
            for p in range(n_panels):
                bits = above(row.ctypes.data + np.int64(4 * p * WIDTH), floor)
                while bits != 0:
                    t = p * WIDTH + lowest_bit(bits)
                    bits &= bits - np.uint32(1)
                    put(scores.ctypes.data, names.ctypes.data, places, row[t], np.int32(position + t))


@jit(fast=True)
def probe(Q, words, at, own, panels, start, first, C, half, lists, budget, ident, k, a, b):
    """Candidates of the queries of cells a..b (rows at[c]..at[c + 1] of `Q` have cell c as their nearest), best first.

    Their own cell is searched whole; beyond it each query has its own cut-off, so that about `budget` rows are
    compared with it, and a cell is only compared with the queries that chose it. `words` and `panels` hold the queries
    and the indexed rows in whole numbers; `ident` comes filled with -1, the first `k` of its entries count.
    """
    d = Q.shape[1]
    pairs = words.shape[1]
    places = np.int64(ident.shape[1])
    count = lists.shape[1]
    out = np.empty(ROWS * WIDTH, np.int32)
    mask = np.empty(ROWS, np.uint32)
    centres = np.empty((count, d), np.float32)
    weight = np.empty(count, np.float32)
    panel_bytes = np.int64((pairs + 1) * WIDTH * 4)
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
        cut = cut_offs(S, half, cells, weight, budget, 6)
        best = np.full((m, places), LOWEST, np.int32)
        here = ident[q0 : q0 + m]
        own_cell(words, own, q0, m, panels, start[c], start[c + 1] - start[c], first[c], best, here, k)
        chosen = np.empty(m + ROWS, np.int32)
        least = np.full(m + ROWS, LOWEST, np.int32)  # score a candidate of each chosen query must exceed
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
            for i in range(n_chosen):
                least[i] = best[chosen[i], k - 1]
            other = cells[z]
            for p in range(first[other], first[other + 1]):
                position = start[other] + (p - first[other]) * WIDTH
                after = np.int64(p + 1) if p + 1 < first[other + 1] else np.int64(first[cells[min(z + 1, count - 1)]])
                for line in range(0, panel_bytes, 64):
                    prefetch(panels.ctypes.data + after * panel_bytes + line)
                for q in range(0, n_chosen, ROWS):
                    whole_tile(
                        words.ctypes.data + np.int64(q0) * np.int64(pairs * 4),
                        chosen.ctypes.data + np.int64(q * 4),
                        np.int64(pairs),
                        panels.ctypes.data + np.int64(p) * panel_bytes,
                        np.int64(pairs),
                        least.ctypes.data + np.int64(q * 4),
                        out.ctypes.data,
                        mask.ctypes.data,
                    )
                    for r in range(min(ROWS, n_chosen - q)):
                        bits = mask[r]
                        if bits == 0:
                            continue
                        i = chosen[q + r]
                        scores = best[i]
                        names = ident[q0 + i]
                        while bits != 0:
                            t = lowest_bit(bits)
                            bits &= bits - np.uint32(1)
                            s = out[r * WIDTH + t]
                            if s > scores[k - 1]:
                                put(scores.ctypes.data, names.ctypes.data, places, s, np.int32(position + t))
                        least[q + r] = scores[k - 1]


@jit()
def scan_whole(words, own, panels, start, first, best, ident, k, a, b):
    """Lists of the queries a..b from all rows, each panel read once for all of them; the first `k` entries count.

    `words` and `panels` hold the queries and the rows in whole numbers. ``own[i]`` is the place of query i among the
    rows, left out of its list, or -1. `best` and `ident` come filled with :data:`LOWEST` and -1.
    """
    pairs = words.shape[1]
    places = np.int64(ident.shape[1])
    out = np.empty(ROWS * WIDTH, np.int32)
    mask = np.empty(ROWS, np.uint32)
    least = np.full(b - a + ROWS, NEVER)
    ids = np.full(b - a + ROWS, b - 1, np.int32)
    for i in range(a, b):
        least[i - a] = best[i, k - 1]
        ids[i - a] = i
    for c in range(len(start) - 1):
        for p in range(first[c], first[c + 1]):
            position = start[c] + (p - first[c]) * WIDTH
            for q in range(0, b - a, ROWS):
                whole_tile(
                    words.ctypes.data,
                    ids.ctypes.data + np.int64(q * 4),
                    np.int64(pairs),
                    panels.ctypes.data + np.int64(p) * np.int64((pairs + 1) * WIDTH * 4),
                    np.int64(pairs),
                    least.ctypes.data + np.int64(q * 4),
                    out.ctypes.data,
                    mask.ctypes.data,
                )
                for r in range(ROWS):
                    bits = mask[r]
                    i = a + q + r
                    while bits != 0:
                        t = lowest_bit(bits)
                        bits &= bits - np.uint32(1)
                        s = out[r * WIDTH + t]
                        if s > best[i, k - 1] and position + t != own[i]:
                            put(best[i].ctypes.data, ident[i].ctypes.data, places, s, np.int32(position + t))
                            least[q + r] = best[i, k - 1]


@jit(fast=True)
def rerank(Q, Z, candidates, value, ident, a, b):
    """Lists of rows a..b: the nearest of their candidates by exact squared distances, ties by position.

    Missing candidates (-1) get a very large distance and go to the end.
    """
    d = Q.shape[1]
    k = ident.shape[1]
    size = np.int64(4 * d)
    wide = candidates.shape[1]
    near = np.empty(wide, np.float32)
    names = np.empty(wide, np.int32)
    for i in range(a, b):
        soon = min(i + 1, b - 1)
        for j in range(wide):
            far = np.int64(max(candidates[soon, j], 0)) * size
            for line in range(0, size, 64):
                prefetch(Z.ctypes.data + far + line)
        for j in range(wide):
            u = candidates[i, j]
            s = np.float32(3e38)
            if u >= 0:
                s = np.float32(0)
                for f in range(d):
                    e = Q[i, f] - Z[u, f]
                    s += e * e
            w = j
            while w > 0 and (near[w - 1] > s or (near[w - 1] == s and names[w - 1] > u)):
                near[w] = near[w - 1]
                names[w] = names[w - 1]
                w -= 1
            near[w] = s
            names[w] = u
        for j in range(k):
            value[i, j] = near[j]
            ident[i, j] = names[j]
