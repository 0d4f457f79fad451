"""Which rows look into which cells, and so which pairs of cells meet, before any two rows are compared.

What a row looks into is kept as a bit of a mask, one mask for a cell and another cell that its rows chose; the cells
whose rows are compared with each other, in tasks that do not touch the same lists, are listed from these.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .tile_f32 import ROWS, WIDTH, bits_above, lowest_bit, tile

FAR = np.float32(-3e38)
STEPS = 10  # of the bisection of a row's cut-off, at most
NEAREST = 4  # of the cells that a cell looks into so many are compared before all others of the same task
ONE = np.uint64(1)


@jit(fast=True)
def cut_off(s, weight, budget):
    """A score above which the entries of `s` weigh `budget` at most, and seldom less than nine tenths of it.

    Entries of weight 0 must be lower than the others.
    """
    low = s[0]
    high = s[0]
    for z in range(len(s)):
        low = min(low, s[z] if weight[z] > 0 else low)
        high = max(high, s[z])
    for _ in range(STEPS):
        middle = (low + high) * np.float32(0.5)
        held = np.float32(0)
        for z in range(len(s)):
            held += weight[z] if s[z] > middle else np.float32(0)
        if held > budget:
            low = middle
        else:
            high = middle
            if held > np.float32(0.95) * budget:
                break
    return high


@jit(fast=True)
def choices(Z, start, C, half, lists, budget, a, b):
    """Which rows of the cells a..b look into which other cells, of those in `lists`, at about `budget` rows a row.

    Returns, cell after cell: the number of cells looked into; these, nearest first; and for each a bit mask of the
    rows that do, in words of 64 rows.
    """
    d = Z.shape[1]
    count = lists.shape[1]
    n_panels = (count + WIDTH - 1) // WIDTH
    panels = np.zeros((n_panels, d + 1, WIDTH), np.float32)
    panels[:, d] = FAR
    weight = np.zeros(n_panels * WIDTH, np.float32)
    scores = np.empty(n_panels * WIDTH, np.float32)
    bar = np.empty(WIDTH, np.float32)
    S = np.empty((n_panels, ROWS, WIDTH), np.float32)
    ids = np.empty(ROWS, np.int32)
    threshold = np.full(ROWS, -FAR)
    hits = np.empty(ROWS, np.uint32)
    most = 0
    for c in range(a, b):
        most += (start[c + 1] - start[c] + 63) // 64
    numbers = np.zeros(b - a, np.int64)
    others = np.empty((b - a) * count, np.int32)
    bits = np.zeros(most * count, np.uint64)
    n = 0
    filled = 0
    for c in range(a, b):
        q0 = start[c]
        m = start[c + 1] - q0
        cells = lists[c]
        for z in range(count):
            o = cells[z]
            for f in range(d):
                panels[z // WIDTH, f, z % WIDTH] = C[o, f]
            panels[z // WIDTH, d, z % WIDTH] = -half[o]
            weight[z] = start[o + 1] - start[o]
        width = (m + 63) // 64
        mask = np.zeros((n_panels * WIDTH, width), np.uint64)
        for low in range(0, m, ROWS):
            for r in range(ROWS):
                ids[r] = q0 + min(low + r, m - 1)
            for p in range(n_panels):
                tile(
                    Z.ctypes.data,
                    ids.ctypes.data,
                    np.int64(d),
                    panels.ctypes.data + np.int64(p * (d + 1) * WIDTH * 4),
                    np.int64(d),
                    threshold.ctypes.data,
                    S.ctypes.data + np.int64(p * ROWS * WIDTH * 4),
                    hits.ctypes.data,
                )
            for r in range(min(ROWS, m - low)):
                for p in range(n_panels):
                    for t in range(WIDTH):
                        scores[p * WIDTH + t] = S[p, r, t]
                bar[:] = cut_off(scores, weight, budget)
                bit = ONE << np.uint64((low + r) & 63)
                place = (low + r) // 64
                for p in range(n_panels):
                    word = bits_above(scores.ctypes.data + np.int64(p * WIDTH * 4), bar.ctypes.data)
                    while word != 0:
                        mask[p * WIDTH + lowest_bit(word), place] |= bit
                        word &= word - np.uint32(1)
        for z in range(1, count):
            anybody = False
            for j in range(width):
                anybody |= mask[z, j] != 0
            if anybody:
                for j in range(width):
                    bits[filled] = mask[z, j]
                    filled += 1
                others[n] = cells[z]
                numbers[c - a] += 1
                n += 1
    return numbers, others[:n].copy(), bits[:filled].copy()


@jit()
def meetings(at, others, block, n_blocks):
    """Pairs of cells of which one looks into the other, in groups by the blocks of cells that the two lie in.

    Cell c looks into ``others[at[c]:at[c + 1]]``. Group ``p * n_blocks + q`` (p <= q) holds the pairs between the
    blocks p and q. Returns per pair the two cells and the places in `others` of the first's look into the second and
    of the second's into the first (-1: none), and where each group starts.
    """
    n = len(at) - 1
    entries = len(others)
    back = np.full(entries, -1, np.int64)
    incoming = np.zeros(n + 1, np.int64)
    for e in range(entries):
        incoming[others[e] + 1] += 1
    for c in range(n):
        incoming[c + 1] += incoming[c]
    place = incoming[:-1].copy()
    whence = np.empty(entries, np.int32)
    edge = np.empty(entries, np.int64)
    for c in range(n):
        for e in range(at[c], at[c + 1]):
            whence[place[others[e]]] = c
            edge[place[others[e]]] = e
            place[others[e]] += 1
    slot = np.full(n, -1, np.int64)
    for c in range(n):
        for e in range(at[c], at[c + 1]):
            slot[others[e]] = e
        for z in range(incoming[c], incoming[c + 1]):
            if slot[whence[z]] >= 0:
                back[slot[whence[z]]] = edge[z]
        for e in range(at[c], at[c + 1]):
            slot[others[e]] = -1
    start = np.zeros(2 * n_blocks * n_blocks + 1, np.int64)
    for turn in range(2):
        if turn == 1:
            for g in range(2 * n_blocks * n_blocks):
                start[g + 1] += start[g]
            fill = start[:-1].copy()
            one = np.empty(start[-1], np.int32)
            two = np.empty(start[-1], np.int32)
            there = np.empty(start[-1], np.int64)
            again = np.empty(start[-1], np.int64)
        for c in range(n):
            for e in range(at[c], at[c + 1]):
                o = others[e]
                if back[e] >= 0 and o < c:
                    continue  # counted from there
                near = e - at[c] < NEAREST or (back[e] >= 0 and back[e] - at[o] < NEAREST)
                p = min(block[c], block[o])
                q = max(block[c], block[o])
                g = p * n_blocks + q + (0 if near else n_blocks * n_blocks)
                if turn == 0:
                    start[g + 1] += 1
                else:
                    one[fill[g]] = c
                    two[fill[g]] = o
                    there[fill[g]] = e
                    again[fill[g]] = back[e]
                    fill[g] += 1
    return one, two, there, again, start


@jit()
def chosen_of(bits, at, m, chosen):
    """Rows of a cell of m rows whose bit is set; returns how many."""
    n = 0
    for low in range(0, m, 64):
        word = bits[at + low // 64]
        while word != 0:
            half = np.uint32(word & np.uint64(0xFFFFFFFF))
            t = lowest_bit(half) if half != 0 else 32 + lowest_bit(np.uint32(word >> np.uint64(32)))
            chosen[n] = low + t
            n += 1
            word &= word - ONE
    return n


@jit()
def count_bits(bits, at, m):
    """Set bits of a mask of m rows."""
    n = 0
    for z in range(at, at + (m + 63) // 64):
        word = bits[z]
        while word != 0:
            word &= word - ONE
            n += 1
    return n


@jit(fast=True)
def needs(Z, C, half, start, rows, targets, out, a, b):
    """The budget at which each of the rows ``rows[a:b]`` looks into its target cell.

    That is the number of rows in the cells not farther from the row than the target. Equal rows should follow on one
    another.
    """
    K = len(C)
    d = Z.shape[1]
    sizes = np.empty(K, np.float32)
    for j in range(K):
        sizes[j] = start[j + 1] - start[j]
    at = np.empty(b - a, np.int64)  # of each row in the products
    Q = np.empty((b - a, d), np.float32)
    n = 0
    for i in range(a, b):
        if i == a or rows[i] != rows[i - 1]:
            Q[n] = Z[rows[i]]
            n += 1
        at[i - a] = n - 1
    G = np.dot(Q[:n], np.ascontiguousarray(C.T))
    for i in range(a, b):
        s = G[at[i - a]]
        bar = s[targets[i]] - half[targets[i]]
        held = np.float32(0)
        for j in range(K):
            held += sizes[j] if s[j] - half[j] >= bar else np.float32(0)
        out[i] = held


@jit()
def listed(lists, cells, others):
    """Whether each of the `others` is in the list of the cell beside it."""
    out = np.zeros(len(cells), np.bool_)
    for i in range(len(cells)):
        for x in lists[cells[i]]:
            if x == others[i]:
                out[i] = True
                break
    return out
