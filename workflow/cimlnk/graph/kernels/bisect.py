"""Cutting communities in two where that raises the quality: what moving single nodes cannot undo."""

from __future__ import annotations

import numpy as np

from .jit import jit

ROUNDS = 60


@jit()
def bisect(indptr, ix, w, mass, label, start, nodes, price):
    """Labels after the best cut of every community, if any gains; returns the labels and the number of communities.

    The nodes of a community are sorted along the slow direction of a random walk inside it (the Fiedler vector, by
    power iteration), and the cut of largest gain along that line is taken: a cut gains
    ``2 * price * M_left * M_right - 2 * cut weight``.
    """
    count = len(start) - 1
    out = label.copy()
    n = len(label)
    inner = np.zeros(n, np.float64)
    for i in range(n):
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] == label[i]:
                inner[i] += w[e]
    x = np.zeros(n, np.float64)
    y = np.zeros(n, np.float64)
    side = np.zeros(n, np.uint8)
    fresh = count
    for c in range(count):
        members = nodes[start[c] : start[c + 1]]
        m = len(members)
        if m < 2:
            continue
        total = 0.0
        whole = 0.0
        for i in members:
            total += inner[i]
            whole += mass[i]
        if total <= 0.0:
            continue
        for z in range(m):
            # a fixed irregular start, so that no direction is missed by symmetry
            x[members[z]] = ((z * 7919) % 1009) / 1009.0 + z / m
        for _ in range(ROUNDS):
            centre = 0.0
            for i in members:
                centre += inner[i] * x[i]
            centre /= total
            top = 0.0
            for i in members:
                x[i] -= centre
                top = max(top, abs(x[i]))
            if top == 0.0:
                break
            for i in members:
                s = 0.0
                for e in range(indptr[i], indptr[i + 1]):
                    if label[ix[e]] == c:
                        s += w[e] * x[ix[e]]
                y[i] = (x[i] + (s / inner[i] if inner[i] > 0 else x[i])) / (2.0 * top)
            for i in members:
                x[i] = y[i]
        values = np.empty(m, np.float64)
        for z in range(m):
            values[z] = x[members[z]]
        line = np.argsort(values, kind="mergesort")
        cut = 0.0
        left = 0.0
        best = 0.0
        best_at = -1
        for z in range(m - 1):
            i = members[line[z]]
            for e in range(indptr[i], indptr[i + 1]):
                u = ix[e]
                if label[u] == c:
                    cut += -w[e] if side[u] else w[e]
            side[i] = 1
            left += mass[i]
            gain = price * left * (whole - left) - cut
            if gain > best * (1 + 1e-9) + 1e-9:
                best = gain
                best_at = z
        if best_at >= 0:
            for z in range(best_at + 1):
                out[members[line[z]]] = fresh
            fresh += 1
    return out, fresh
