"""Inner loops of the Leiden algorithm (Traag 2019) on a sparse graph without self-loops.

One quality function serves modularity and CPM: moving node i with mass m_i next to community c gains
``w(i, c) - g * m_i * M_c``. Modularity: m = strength, g = resolution / total strength. CPM: m = cells, g = resolution.
"""

from __future__ import annotations

import numpy as np

from .jit import jit

TINY = 1e-7  # gains below float32 noise do not count
SEEN = 1024  # places in the table of pairs seen


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


@jit()
def pieces_inside(indptr, ix, label, root, a, b):
    """Connected pieces of the communities among the nodes a..b alone: the first node of each is written to `root`."""
    root[a:b] = -1
    stack = np.empty(b - a, np.int32)
    for s in range(a, b):
        if root[s] >= 0:
            continue
        root[s] = s
        stack[0] = s
        depth = 1
        while depth > 0:
            depth -= 1
            i = stack[depth]
            for e in range(indptr[i], indptr[i + 1]):
                u = ix[e]
                if u >= a and u < b and root[u] < 0 and label[u] == label[i]:
                    root[u] = s
                    stack[depth] = u
                    depth += 1


@jit()
def bridges(indptr, ix, label, root, a, b):
    """Pairs of pieces of one community that an edge from the nodes a..b to an earlier one joins.

    Most edges join pieces that an edge shortly before has joined: a small table of the last ones leaves them out.
    """
    before = np.full((SEEN, 2), np.int32(-1))
    found = np.empty((1024, 2), np.int32)
    count = 0
    for i in range(a, b):
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u >= a or label[u] != label[i]:
                continue
            x = root[i]
            y = root[u]
            h = (x * 31 + y) & (SEEN - 1)
            if before[h, 0] == x and before[h, 1] == y:
                continue
            before[h, 0] = x
            before[h, 1] = y
            if count == len(found):
                more = np.empty((2 * count, 2), np.int32)
                more[:count] = found
                found = more
            found[count, 0] = x
            found[count, 1] = y
            count += 1
    return found[:count].copy()


@jit()
def join(root, pairs):
    """Make pieces that a pair joins one, in place: the earlier of two first nodes stands for both."""
    for z in range(len(pairs)):
        x = pairs[z, 0]
        y = pairs[z, 1]
        while root[x] != x:
            root[x] = root[root[x]]
            x = root[x]
        while root[y] != y:
            root[y] = root[root[y]]
            y = root[y]
        if x < y:
            root[y] = x
        else:
            root[x] = y


@jit()
def numbered(root):
    """Number the pieces in the order of their first nodes; `root` leads from every node to an earlier one of its piece.

    Returns the piece of every node, and their count.
    """
    out = np.empty(len(root), np.int32)
    count = 0
    for i in range(len(root)):
        if root[i] == i:
            out[i] = count
            count += 1
        else:
            out[i] = out[root[i]]
    return out, count


@jit()
def inner_weight(indptr, ix, w, label, a, b):
    """Weight of the edges from the nodes a..b inside their communities."""
    s = 0.0
    for i in range(a, b):
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                s += w[e]
    return s


@jit()
def links(indptr, ix, w, label, partner, a, b):
    """Weight from the nodes a..b to the partner (-1: none) of their community, by community."""
    out = np.zeros(len(partner), np.float64)
    for i in range(a, b):
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
