"""The search among the indexed rows themselves: two cells are compared once, for the rows of both.

Every row chooses the cells that it looks into, as in :mod:`.probe_partitions` (here by :mod:`.cell_pairs`); but what is
compared is told to the candidate as well, which may never have looked into the row's cell. About half as many
comparisons find as much. A pair of cells changes the lists of both, so pairs that share a cell must not be done at the
same time, and their order must be fixed: see ``mutual_search.py``.
"""

from __future__ import annotations

import numpy as np

from .cell_pairs import chosen_of, count_bits
from .jit import jit
from .lists_i16 import put
from .prefetch import prefetch
from .probe_partitions import own_cell
from .tile_f32 import ROWS, WIDTH, lowest_bit
from .tile_i16 import LOWEST, NEVER, mutual_tile

WHOLE = 0.9  # if both ways together compare this share of all pairs of rows, all are compared once


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
                n - q <= ROWS // 2,
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
    """Compare the pairs a..b of cells (as :func:`.cell_pairs.meetings` returns them), in this order.

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
