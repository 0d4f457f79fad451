"""Inner loops of the Leiden algorithm (Traag 2019) on a sparse graph without self-loops.

One quality function serves modularity and CPM: moving node i with mass m_i next to community c gains
``w(i, c) - g * m_i * M_c``. Modularity: m = strength, g = resolution / total strength. CPM: m = cells, g = resolution.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

TINY = 1e-7  # gains below float32 noise do not count


@jit()
def row_sums(indptr, w):
    """Strength of every node."""
    n = len(indptr) - 1
    out = np.empty(n, np.float64)
    for i in range(n):
        s = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            s += w[e]
        out[i] = s
    return out


@jit()
def move(indptr, ix, w, mass, label, total, g, order, limit, lo, hi):
    """Local moving with a queue: nodes lo..hi in `order`, then those whose neighbours moved; at most `limit` visits.

    Only the nodes lo..hi exist for it, and their labels must lie in lo..hi, so that blocks can be done side by side.
    Changes `label` and `total` (mass per community) in place; returns visits and moves.
    """
    n = hi - lo
    weight = np.zeros(n, np.float32)  # from the node at hand to each community; zero again after each visit
    touched = np.empty(n, np.int32)
    queue = order.copy()
    waiting = np.ones(n, np.uint8)
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
    count = n
    visits = 0
    moves = 0
    while count > 0 and visits < limit:
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
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u < lo or u >= hi:
                continue
            c = label[u] - lo
            if weight[c] == 0:
                touched[n_touched] = c
                n_touched += 1
            weight[c] += w[e]
        best = home
        gain = weight[home] - price * (total[lo + home] - mass[i])
        for z in range(n_touched):
            c = touched[z]
            x = weight[c] - price * total[lo + c]
            weight[c] = 0
            if c != home and x > gain + TINY:
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
def refine(indptr, ix, w, mass, label, total, g, order, part, lo, hi):
    """Refinement: inside each community, singletons join the well-connected part that gains most (one sweep).

    Traag's algorithm draws the part at random in proportion to exp(gain); the greedy choice needs no random numbers
    and kept the quality. A part, and a node, is well connected if its weight to the rest of its community is at least
    g times the product of their masses. Writes the part of every node lo..hi, named by one of its nodes; parts do not
    reach over these bounds, so that blocks can be done side by side (the levels above join what belongs together).
    """
    n = hi - lo
    part_mass = mass[lo:hi].copy()
    alone = np.ones(n, np.uint8)
    outward = np.empty(n, np.float64)  # weight from a part to the rest of its community
    for i in range(lo, hi):
        part[i] = i
        s = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                s += w[e]
        outward[i - lo] = s
    weight = np.zeros(n, np.float32)
    touched = np.empty(n, np.int32)
    for z in range(n):
        i = order[z]
        here = i - lo
        whole = total[label[i]]
        if alone[here] == 0 or outward[here] < g * mass[i] * (whole - mass[i]):
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
        best = here
        best_gain = 0.0
        best_weight = 0.0
        for y in range(n_touched):
            p = touched[y]
            x = weight[p]
            weight[p] = 0
            gain = x - g * mass[i] * part_mass[p]
            if p != here and gain > best_gain and outward[p] >= g * part_mass[p] * (whole - part_mass[p]):
                best = p
                best_gain = gain
                best_weight = x
        if best != here:
            part[i] = lo + best
            alone[here] = 0
            alone[best] = 0
            part_mass[best] += mass[i]
            outward[best] += outward[here] - 2.0 * best_weight


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
    place `room` on, their numbers to ``entries[a:b]``; returns how many there are in all."""
    weight = np.zeros(count, np.float32)
    p = room
    for c in range(a, b):
        first = p
        for z in range(start[c], start[c + 1]):
            i = nodes[z]
            for e in range(indptr[i], indptr[i + 1]):
                u = label[ix[e]]
                if u != c:
                    if weight[u] == 0:
                        columns[p] = u
                        p += 1
                    weight[u] += w[e]
        for z in range(first, p):
            values[z] = weight[columns[z]]
            weight[columns[z]] = 0
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


@jit()
def components(indptr, ix, label):
    """Connected pieces of the communities: piece of every node, and their count."""
    n = len(indptr) - 1
    out = np.full(n, -1, np.int32)
    stack = np.empty(n, np.int32)
    count = 0
    for s in range(n):
        if out[s] >= 0:
            continue
        out[s] = count
        stack[0] = s
        depth = 1
        while depth > 0:
            depth -= 1
            i = stack[depth]
            for e in range(indptr[i], indptr[i + 1]):
                u = ix[e]
                if out[u] < 0 and label[u] == label[i]:
                    out[u] = count
                    stack[depth] = u
                    depth += 1
        count += 1
    return out, count


@jit()
def inner_weight(indptr, ix, w, label):
    """Weight of the edges inside communities, both directions counted."""
    s = 0.0
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                s += w[e]
    return s


@jit()
def links(indptr, ix, w, label, partner):
    """Weight between every community and its partner (-1: none)."""
    out = np.zeros(len(partner), np.float64)
    for i in range(len(indptr) - 1):
        c = label[i]
        other = partner[c]
        if other >= 0:
            for e in range(indptr[i], indptr[i + 1]):
                if label[ix[e]] == other:
                    out[c] += w[e]
    return out


@jit()
def within(indptr, ix, w, label):
    """The graph without the edges between different labels."""
    n = len(indptr) - 1
    start = np.zeros(n + 1, np.int64)
    for i in range(n):
        c = 0
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                c += 1
        start[i + 1] = start[i] + c
    columns = np.empty(start[n], np.int32)
    values = np.empty(start[n], np.float32)
    p = 0
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                columns[p] = ix[e]
                values[p] = w[e]
                p += 1
    return start, columns, values


@jit()
def induced(indptr, ix, w, keep):
    """The graph among the kept nodes (`keep` is a mask), renumbered in order."""
    n = len(indptr) - 1
    rank = np.full(n, -1, np.int32)
    m = 0
    for i in range(n):
        if keep[i]:
            rank[i] = m
            m += 1
    start = np.zeros(m + 1, np.int64)
    for i in range(n):
        if rank[i] >= 0:
            c = 0
            for e in range(indptr[i], indptr[i + 1]):
                if rank[ix[e]] >= 0:
                    c += 1
            start[rank[i] + 1] = c
    for j in range(m):
        start[j + 1] += start[j]
    columns = np.empty(start[m], np.int32)
    values = np.empty(start[m], np.float32)
    p = 0
    for i in range(n):
        if rank[i] >= 0:
            for e in range(indptr[i], indptr[i + 1]):
                if rank[ix[e]] >= 0:
                    columns[p] = rank[ix[e]]
                    values[p] = w[e]
                    p += 1
    return start, columns, values
