"""Cutting communities in two where that raises the quality: what moving single nodes cannot undo."""

from __future__ import annotations

import numpy as np

from .jit import jit

ROUNDS = 60
STILL = 1e-4  # largest change of a round at which the direction counts as found


@jit()
def bisect(indptr, ix, w, mass, label, start, nodes, place, price, slack, a, b):
    """One half of each of the communities a..b that is worth being cut, in two ways: its nodes, and whose they are.

    `nodes` holds the members of community c at start[c]..start[c + 1]; `place` is every node's position there.

    The nodes of a community are sorted along the slow direction of a random walk inside it (the Fiedler vector, by
    power iteration) and cut somewhere along that line. A cut gains ``2 * price * M_left * M_right - 2 * cut weight``.
    The first way is the cut of largest gain, if it gains. The second is the sparsest (least cut weight by ``M_left *
    M_right``), if its weight is below `slack` times what would make the gain zero: it may gain once its border is
    improved node by node.
    """
    halves = np.empty((2, start[b] - start[a]), np.int32)
    owner = np.empty((2, start[b] - start[a]), np.int32)
    taken = np.zeros(2, np.int64)
    best = np.empty(2, np.float64)
    best_at = np.empty(2, np.int64)
    for c in range(a, b):
        first = start[c]
        members = nodes[first : start[c + 1]]
        m = len(members)
        if m < 2:
            continue
        # the edges inside, with neighbours named by their place among the members: they are gone through many times
        most = 0
        for z in range(m):
            most += indptr[members[z] + 1] - indptr[members[z]]
        near = np.empty(most, np.int32)
        tie = np.empty(most, np.float32)
        begin = np.zeros(m + 1, np.int64)
        inner = np.zeros(m, np.float64)
        total = 0.0
        whole = 0.0
        count = 0
        for z in range(m):
            i = members[z]
            for e in range(indptr[i], indptr[i + 1]):
                if label[ix[e]] == c:
                    inner[z] += w[e]
                    near[count] = place[ix[e]] - first
                    tie[count] = w[e]
                    count += 1
            begin[z + 1] = count
            total += inner[z]
            whole += mass[i]
        if total <= 0.0:
            continue
        x = np.empty(m, np.float64)
        y = np.empty(m, np.float64)
        for z in range(m):
            # a fixed irregular start, so that no direction is missed by symmetry
            x[z] = ((z * 7919) % 1009) / 1009.0 + z / m
        for _ in range(ROUNDS):
            centre = 0.0
            for z in range(m):
                centre += inner[z] * x[z]
            centre /= total
            top = 0.0
            for z in range(m):
                x[z] -= centre
                top = max(top, abs(x[z]))
            if top == 0.0:
                break
            for z in range(m):
                x[z] /= top
            change = 0.0
            for z in range(m):
                s = 0.0
                for e in range(begin[z], begin[z + 1]):
                    s += tie[e] * x[near[e]]
                y[z] = (x[z] + (s / inner[z] if inner[z] > 0 else x[z])) / 2.0
                change = max(change, abs(y[z] - x[z]))
            x, y = y, x
            if change < STILL:
                break
        line = np.argsort(x, kind="mergesort")
        side = np.zeros(m, np.uint8)
        cut = 0.0
        left = 0.0
        best[:] = 0.0
        best_at[:] = -1
        for z in range(m - 1):
            at = line[z]
            for e in range(begin[at], begin[at + 1]):
                cut += -tie[e] if side[near[e]] else tie[e]
            side[at] = 1
            left += mass[members[at]]
            free = price * left * (whole - left)  # cut weight at which nothing is gained
            for way in range(2):
                gain = free - cut
                if way == 1:
                    gain = slack - cut / free if free > 0.0 else 0.0
                if gain > best[way] * (1 + 1e-9) + 1e-9:
                    best[way] = gain
                    best_at[way] = z
        for way in range(2):
            for z in range(best_at[way] + 1):
                halves[way, taken[way]] = members[line[z]]
                owner[way, taken[way]] = c
                taken[way] += 1
    return (
        (halves[0, : taken[0]].copy(), owner[0, : taken[0]].copy()),
        (halves[1, : taken[1]].copy(), owner[1, : taken[1]].copy()),
    )
