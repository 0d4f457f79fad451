"""Inner loops of the Leiden algorithm (Traag 2019) on a sparse graph without self-loops.

One quality function serves modularity and CPM: moving node i with mass m_i next to community c gains
``w(i, c) - g * m_i * M_c``. Modularity: m = strength, g = resolution / total strength. CPM: m = cells, g = resolution.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .prefetch import AHEAD, prefetch

TINY = 1e-7  # gains below float32 noise do not count


@jit()
def row_sums(indptr, w, out, a, b):
    """Strength of the nodes a..b."""
    for i in range(a, b):
        s = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            s += w[e]
        out[i] = s


@jit()
def move(indptr, ix, w, mass, label, total, g, order, limit, lo, hi):
    """Local moving with a queue: the nodes in `order`, then those whose neighbours moved; at most `limit` visits.

    Only the nodes lo..hi exist for it, and their labels must lie in lo..hi, so that blocks can be done side by side.
    Changes `label` and `total` (mass per community) in place; returns visits and moves.
    """
    n = hi - lo
    weight = np.zeros(n, np.float32)  # from the node at hand to each community; zero again after each visit
    touched = np.empty(n, np.int32)
    queue = np.full(n, np.int32(lo))
    queue[: len(order)] = order
    waiting = np.zeros(n, np.uint8)
    for i in order:
        waiting[i - lo] = 1
    size = np.zeros(n, np.int32)
    for i in range(lo, hi):
        size[label[i] - lo] += 1
    empty = np.empty(n, np.int32)
    n_empty = 0
    for i in range(n):
        if size[i] == 0:
            empty[n_empty] = i
            n_empty += 1
    head = 0
    count = len(order)
    visits = 0
    moves = 0
    while count > 0 and visits < limit:
        far = queue[(head + AHEAD) % n]
        for line in range(4 * indptr[far], 4 * indptr[far + 1], 64):
            prefetch(ix.ctypes.data + line)
            prefetch(w.ctypes.data + line)
        i = queue[head]
        head += 1
        if head == n:
            head = 0
        count -= 1
        waiting[i - lo] = 0
        visits += 1
        home = label[i] - lo
        price = mass[i] * g
        n_touched = 0
        at_home = np.float32(0)  # most neighbours of most nodes are at home: one sum, without a way through memory
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u < lo or u >= hi:
                continue
            c = label[u] - lo
            if c == home:
                at_home += w[e]
                continue
            if weight[c] == 0:
                touched[n_touched] = c
                n_touched += 1
            weight[c] += w[e]
        best = home
        gain = at_home - price * (total[lo + home] - mass[i])
        for z in range(n_touched):
            c = touched[z]
            x = weight[c] - price * total[lo + c]
            weight[c] = 0
            if x > gain + TINY:
                gain = x
                best = c
        if gain < -TINY and size[home] > 1 and n_empty > 0:
            n_empty -= 1  # better alone than anywhere
            best = empty[n_empty]
        if best == home:
            continue
        moves += 1
        total[lo + home] -= mass[i]
        total[lo + best] += mass[i]
        size[home] -= 1
        size[best] += 1
        label[i] = lo + best
        if size[home] == 0:
            empty[n_empty] = home
            n_empty += 1
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u >= lo and u < hi and waiting[u - lo] == 0 and label[u] != lo + best:
                waiting[u - lo] = 1
                tail = head + count
                if tail >= n:
                    tail -= n
                queue[tail] = u
                count += 1
    return visits, moves


@jit()
def refine(indptr, ix, w, mass, label, total, g, nodes, part, part_mass, alone, outward, lo, hi):
    """Refinement: inside each community, singletons join the well-connected part that gains most (one sweep).

    Traag's algorithm draws the part at random in proportion to exp(gain); the greedy choice needs no random numbers
    and kept the quality. A part, and a node, is well connected if its weight to the rest of its community is at least
    g times the product of their masses. The `nodes` are visited in their order. Writes the part of each, named by one
    of its nodes; `part_mass`, `alone` and `outward` are working space, all four of the whole graph. Nothing of another
    community is read or written, and nothing of neighbours outside lo..hi, so that communities, or blocks of nodes,
    can be done side by side (the levels above join what belongs together).
    """
    for i in nodes:
        part[i] = i
        part_mass[i] = mass[i]
        alone[i] = 1
        s = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                s += w[e]
        outward[i] = s  # weight from a part to the rest of its community
    weight = np.zeros(hi - lo, np.float32)
    touched = np.empty(hi - lo, np.int32)
    for i in nodes:
        whole = total[label[i]]
        if alone[i] == 0 or outward[i] < g * mass[i] * (whole - mass[i]):
            continue
        n_touched = 0
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u >= lo and u < hi and label[u] == label[i]:
                p = part[u] - lo
                if weight[p] == 0:
                    touched[n_touched] = p
                    n_touched += 1
                weight[p] += w[e]
        best = i
        best_gain = 0.0
        best_weight = 0.0
        for y in range(n_touched):
            p = lo + touched[y]
            x = weight[p - lo]
            weight[p - lo] = 0
            gain = x - g * mass[i] * part_mass[p]
            if p != i and gain > best_gain and outward[p] >= g * part_mass[p] * (whole - part_mass[p]):
                best = p
                best_gain = gain
                best_weight = x
        if best != i:
            part[i] = best
            alone[i] = 0
            alone[best] = 0
            part_mass[best] += mass[i]
            outward[best] += outward[i] - 2.0 * best_weight
