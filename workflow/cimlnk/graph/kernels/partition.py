"""Cutting the rows into small cells by k-means, on two levels."""

from __future__ import annotations

import numpy as np

from .by_label import by_label
from .jit import jit

LOWEST = np.float32(-3e38)


@jit(fast=True)
def half_squares(C):
    """Half the squared length of every row."""
    out = np.empty(len(C), np.float32)
    for j in range(len(C)):
        s = np.float32(0)
        for f in range(C.shape[1]):
            s += C[j, f] * C[j, f]
        out[j] = s * np.float32(0.5)
    return out


@jit(fast=True)
def assign(X, transposed, half, label, a, b):
    """Nearest centre of the rows a..b; `transposed` is d x K."""
    K = transposed.shape[1]
    block = np.empty((min(512, max(b - a, 1)), K), np.float32)
    for i0 in range(a, b, 512):
        i1 = min(b, i0 + 512)
        G = block[: i1 - i0]
        np.dot(X[i0:i1], transposed, G)
        for i in range(i0, i1):
            row = G[i - i0]
            top = np.float32(-3e38)
            for j in range(K):
                v = row[j] - half[j]
                row[j] = v
                top = max(top, v)
            first = np.int32(K)
            for j in range(K):  # without a way out of the loop it is done many at a time
                first = min(first, np.int32(j) if row[j] == top else np.int32(K))
            label[i] = min(first, np.int32(K - 1))  # should a product overflow, the row must not leave the groups


@jit(fast=True)
def k_means(S, K, rounds):
    """Centres of `K` groups, starting from evenly spaced rows; an empty group starts again from another row."""
    n, d = S.shape
    C = np.empty((K, d), np.float32)
    for j in range(K):
        C[j] = S[(j * n) // K]
    label = np.zeros(n, np.int32)
    size = np.zeros(K, np.int64)
    total = np.zeros((K, d), np.float64)
    for turn in range(rounds):
        assign(S, np.ascontiguousarray(C.T), half_squares(C), label, 0, n)
        size[:] = 0
        total[:] = 0.0
        for i in range(n):
            size[label[i]] += 1
            for f in range(d):
                total[label[i], f] += S[i, f]
        for j in range(K):
            if size[j] > 0:
                for f in range(d):
                    C[j, f] = total[j, f] / size[j]
            else:
                C[j] = S[(j * 7919 + turn * 104729) % n]
    return C


@jit()
def normalised(X, mean, factor, out):
    """Rows of `X` less `mean`, times `factor`."""
    for i in range(len(X)):
        for f in range(X.shape[1]):
            out[i, f] = (X[i, f] - mean[f]) * factor


@jit(fast=True)
def assign_raw(X, mean, factor, transposed, half, label, a, b):
    """Nearest centre of the rows a..b once they are normalised."""
    block = np.empty((min(512, max(b - a, 1)), X.shape[1]), np.float32)
    for i in range(a, b, 512):
        rows = block[: min(b, i + 512) - i]
        normalised(X[i : i + len(rows)], mean, factor, rows)
        assign(rows, transposed, half, label[i : i + len(rows)], 0, len(rows))


@jit()
def gather(X, order, mean, factor, out, a, b):
    """Rows a..b of ``X[order]``, normalised."""
    for i in range(a, b):
        x = X[order[i]]
        for f in range(X.shape[1]):
            out[i, f] = (x[f] - mean[f]) * factor


@jit(fast=True)
def means(Z, start, out, a, b):
    """Mean row of each of the groups a..b."""
    total = np.empty(Z.shape[1], np.float64)
    for c in range(a, b):
        total[:] = 0
        for i in range(start[c], start[c + 1]):
            for f in range(Z.shape[1]):
                total[f] += Z[i, f]
        for f in range(Z.shape[1]):
            out[c, f] = total[f] / (start[c + 1] - start[c])


@jit(fast=True)
def split(X, lo, hi, size, most, rounds, order):
    """Cut the rows lo..hi into cells of about `size`, none above `most`.

    Puts the rows in the order of their cells, writes where each was to `order`, and returns the sizes.
    """
    m = hi - lo
    K = max(1, (m + size - 1) // size)
    label = np.zeros(m, np.int32)
    if K > 1:
        step = max(1, m // (K * 40))
        C = k_means(np.ascontiguousarray(X[lo:hi:step]), K, rounds)
        assign(X[lo:hi], np.ascontiguousarray(C.T), half_squares(C), label, 0, m)
    start, local = by_label(label, K)
    before = X[lo:hi].copy()
    for i in range(m):
        order[lo + i] = lo + local[i]
        X[lo + i] = before[local[i]]
    sizes = np.empty(K + m // most + 1, np.int64)
    count = 0
    for j in range(K):
        s = start[j + 1] - start[j]
        # rows that k-means cannot part (many equal ones) are cut by index, or the work would grow with the square
        parts = (s + most - 1) // most
        for p in range(parts):
            sizes[count] = ((p + 1) * s) // parts - (p * s) // parts
            count += 1
    return sizes[:count].copy()


@jit(fast=True)
def within_reach(s, count, room):
    """Two bounds by bisection: fewer than `count` entries of `s` keep the lower, at least as many the upper.

    Not more than `room` keep the upper, unless too many are equal; whether they do is the third value.
    """
    low = np.float32(3e38)
    high = np.float32(-3e38)
    for j in range(len(s)):
        high = max(high, s[j])
        low = min(low, s[j] if s[j] > LOWEST else np.float32(3e38))  # the cell itself is far below
    for _ in range(40):
        middle = (low + high) * np.float32(0.5)
        held = np.int32(0)
        for j in range(len(s)):
            held += np.int32(1) if s[j] <= middle else np.int32(0)
        if held < count:
            low = middle
        else:
            high = middle
            if held <= room:
                return low, high, True
    return low, high, False


@jit(inline=True)
def collect(s, above, most, value, ident, found):
    """Append the entries of `s` above one bound and at most another, as far as there is room; returns their number."""
    for j in range(len(s)):
        if s[j] > above and s[j] <= most and found < len(value):
            value[found] = s[j]
            ident[found] = j
            found += 1
    return found


@jit(fast=True)
def nearest_cells(C, half, a, b, out):
    """The cells nearest to the cells a..b by their centres, the cell itself first."""
    count = out.shape[1]
    G = np.dot(C[a:b], np.ascontiguousarray(C.T))
    room = count + count // 4 + 8
    value = np.empty(room, np.float32)
    ident = np.empty(room, np.int32)
    for i in range(a, b):
        s = G[i - a]
        for j in range(len(C)):
            s[j] = half[j] - s[j]
        s[i] = LOWEST
        low, high, fit = within_reach(s, count, room)
        value[0] = LOWEST
        ident[0] = i
        if fit:
            low = high
        found = collect(s, LOWEST, low, value, ident, 1)
        if low < high:  # many equal ones: those nearer than the bound come first
            found = collect(s, low, high, value, ident, found)
        out[i] = ident[np.argsort(value[:found], kind="mergesort")[:count]]
