"""The search among the indexed rows themselves: two cells are compared once, for the rows of both.

Every row chooses the cells that it looks into, as in :mod:`.probe_partitions`; but what is compared is told to the
candidate as well, which may never have looked into the row's cell. About half as many comparisons find as much. A pair
of cells changes the lists of both, so pairs that share a cell must not be done at the same time, and their order must
be fixed: see ``mutual_search.py``.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .lists_i16 import put
from .prefetch import prefetch
from .probe_partitions import own_cell
from .tile_f32 import ROWS, WIDTH, bits_above, lowest_bit, tile
from .tile_i16 import LOWEST, NEVER, half_tile, mutual_tile

FAR = np.float32(-3e38)
STEPS = 10  # of the bisection of a row's cut-off, at most
NEAREST = 4  # of the cells that a cell looks into so many are compared before all others of the same task
WHOLE = 0.9  # if both ways together compare this share of all pairs of rows, all are compared once
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
def half_of_squares(words, out, a, b):
    """Half the squared length of the rows a..b in whole numbers, as the panels hold it."""
    for i in range(a, b):
        s = np.int64(0)
        for j in range(words.shape[1]):
            x = words[i, j]
            low = np.int64(np.int16(x & 0xFFFF))
            high = np.int64(x >> 16)
            s += low * low + high * high
        out[i] = s // 2


@jit(fast=True)
def inside(words, own, squares, panels, start, first, best, ident, bars, k, a, b):
    """Lists of all rows of the cells a..b from their own cell, and what others must exceed to enter them.

    `bars` is the lowest score of each list less half the row's square: by so much the score that the other row has for
    the pair, less half the other's square, differs from this row's. The first `k` entries of a list count; what `best`
    and `ident` held before is overwritten.
    """
    for c in range(a, b):
        lo = start[c]
        hi = start[c + 1]
        best[lo:hi] = LOWEST
        ident[lo:hi] = -1
        own_cell(words, own, lo, hi - lo, panels, lo, hi - lo, first[c], best[lo:hi], ident[lo:hi], k)
        for i in range(lo, hi):
            bars[i] = best[i, k - 1] - squares[i]


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


@jit(fast=True)
def compare(index, q0, chosen, n, c, done, done_at, lists, room, after):
    """Compare n rows of the cell that begins at q0 with all rows of cell c, for the lists of both.

    `chosen` names the rows by their place in the cell and has room for a few more. Rows of c with a bit in `done` (from
    `done_at` on, -1: none) have met these rows already. `room` is working space; the panel `after` is needed next.
    """
    words, squares, panels, start, first = index
    best, ident, bars, k = lists
    out, mine, theirs, bar, squares_here = room
    pairs = words.shape[1]
    places = np.int64(ident.shape[1])
    panel_bytes = np.int64((pairs + 1) * WIDTH * 4)
    base = words.ctypes.data + np.int64(q0) * np.int64(pairs * 4)
    for i in range(n):
        squares_here[i] = squares[q0 + chosen[i]]
        bar[i] = bars[q0 + chosen[i]] + squares_here[i]
    for i in range(n, (n + ROWS - 1) // ROWS * ROWS):
        chosen[i] = chosen[n - 1]
        bar[i] = NEVER
        squares_here[i] = squares_here[n - 1]
    for p in range(first[c], first[c + 1]):
        position = start[c] + (p - first[c]) * WIDTH
        used = min(WIDTH, start[c + 1] - position)
        open_to = np.uint32(0xFFFFFFFF) >> np.uint32(WIDTH - used)
        if done_at >= 0:
            word = done[done_at + (position - start[c]) // 64] >> np.uint64((position - start[c]) & 63)
            open_to &= ~np.uint32(word & np.uint64(0xFFFFFFFF))
            if open_to == 0:
                continue
        ahead = np.int64(p + 1) if p + 1 < first[c + 1] else np.int64(after)
        for line in range(0, panel_bytes, 64):
            prefetch(panels.ctypes.data + ahead * panel_bytes + line)
        for q in range(0, n, ROWS):
            if n - q > ROWS // 2:
                mutual_tile(
                    base,
                    chosen.ctypes.data + np.int64(q * 4),
                    np.int64(pairs),
                    panels.ctypes.data + np.int64(p) * panel_bytes,
                    np.int64(pairs),
                    bar.ctypes.data + np.int64(q * 4),
                    out.ctypes.data,
                    mine.ctypes.data,
                    squares_here.ctypes.data + np.int64(q * 4),
                    bars.ctypes.data + np.int64(position * 4),
                    theirs.ctypes.data,
                )
            else:
                half_tile(
                    base,
                    chosen.ctypes.data + np.int64(q * 4),
                    np.int64(pairs),
                    panels.ctypes.data + np.int64(p) * panel_bytes,
                    np.int64(pairs),
                    bar.ctypes.data + np.int64(q * 4),
                    out.ctypes.data,
                    mine.ctypes.data,
                    squares_here.ctypes.data + np.int64(q * 4),
                    bars.ctypes.data + np.int64(position * 4),
                    theirs.ctypes.data,
                )
            for r in range(min(ROWS, n - q)):
                bits = mine[r] & open_to
                other_bits = theirs[r] & open_to
                if bits | other_bits == 0:
                    continue
                i = q0 + chosen[q + r]
                if bits != 0:
                    scores = best[i]
                    names = ident[i].ctypes.data
                    while bits != 0:
                        t = lowest_bit(bits)
                        bits &= bits - np.uint32(1)
                        s = out[r * WIDTH + t]
                        if s > scores[k - 1]:
                            put(scores.ctypes.data, names, places, s, np.int32(position + t))
                    bar[q + r] = scores[k - 1]
                    bars[i] = scores[k - 1] - squares_here[q + r]
                while other_bits != 0:
                    t = lowest_bit(other_bits)
                    other_bits &= other_bits - np.uint32(1)
                    u = position + t
                    s = out[r * WIDTH + t] + squares[u] - squares_here[q + r]
                    if s > best[u, k - 1]:
                        put(best[u].ctypes.data, ident[u].ctypes.data, places, s, np.int32(i))
                        bars[u] = best[u, k - 1] - squares[u]


@jit(fast=True)
def meet(index, pairs, bits, bits_at, lists, a, b):
    """Compare the pairs a..b of cells (as :func:`meetings` returns them), in this order.

    `index`: words, half squares, panels, first row and first panel of every cell.
    `lists`: best scores, names, bars, entries that count.
    """
    start, first = index[3], index[4]
    one, two, there, again = pairs
    most = 0
    for z in range(a, b):
        most = max(most, start[one[z] + 1] - start[one[z]], start[two[z] + 1] - start[two[z]])
    chosen = np.empty(most + ROWS, np.int32)
    room = (
        np.empty(ROWS * WIDTH, np.int32),
        np.empty(ROWS, np.uint32),
        np.empty(ROWS, np.uint32),
        np.empty(most + ROWS, np.int32),
        np.empty(most + ROWS, np.int32),
    )
    for z in range(a, b):
        c = one[z]
        o = two[z]
        after = first[two[min(z + 1, b - 1)]]
        m_c = start[c + 1] - start[c]
        m_o = start[o + 1] - start[o]
        e = bits_at[there[z]] if there[z] >= 0 else np.int64(-1)
        f = bits_at[again[z]] if again[z] >= 0 else np.int64(-1)
        n_c = chosen_of(bits, e, m_c, chosen) if e >= 0 else 0
        n_o = count_bits(bits, f, m_o) if f >= 0 else 0
        if n_c * m_o + n_o * m_c >= WHOLE * m_c * m_o:
            for i in range(m_c):
                chosen[i] = i
            compare(index, start[c], chosen, m_c, o, bits, -1, lists, room, after)
            continue
        if n_c > 0:
            then = first[c] if n_o > 0 else after
            compare(index, start[c], chosen, n_c, o, bits, -1, lists, room, then)
        if n_o > 0:
            chosen_of(bits, f, m_o, chosen)
            compare(index, start[o], chosen, n_o, c, bits, e, lists, room, after)


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
