"""Edge weights from neighbour lists: UMAP memberships, shared neighbours, and the symmetric sparse matrix."""

from __future__ import annotations

import numpy as np

from .exponential import exponential
from .jit import jit
from .prefetch import AHEAD, prefetch

START = 3.0  # near the root of most rows, in units of one over the largest gap


@jit(fast=True)
def memberships(distances, k, out, a, b):
    """UMAP memberships of rows a..b (McInnes 2018, section 3.1): exp(-(d - rho) / sigma), rho = nearest non-zero.

    Here and below the first `k` entries of the lists count.

    sigma solves sum(exp(-(d - rho)/sigma)) = log2(k + 1). In t = 1/sigma the sum is convex and falling, so Newton's
    method climbs to the root from the left without overshooting; no bracketing and no infinity is needed. A start to
    the right of the root is thrown back to its left by the first step.
    """
    target = np.log2(np.float64(k + 1))
    gap = np.empty(k, np.float64)
    share = np.empty(k, np.float64)
    for i in range(a, b):
        rho = 0.0
        mean = 0.0
        for j in range(k):
            x = np.float64(distances[i, j])
            mean += x
            if rho == 0.0 and x > 0.0:
                rho = x
        mean /= k + 1  # umap counts the row itself, at distance 0
        top = 0.0
        for j in range(k):
            gap[j] = max(np.float64(distances[i, j]) - rho, 0.0)
            top = max(top, gap[j])
        floor = 1e-3 * mean
        t = START
        if top > 0.0:
            # gaps are scaled to at most 1, so that the steps do not depend on the data's unit
            for j in range(k):
                share[j] = gap[j] / top
            for _ in range(64):
                f = 0.0
                g = 0.0
                for j in range(k):
                    x = share[j]
                    e = exponential(-x * t)
                    f += e
                    g += x * e
                if abs(f - target) < 1e-6 or g < 1e-12:
                    break
                t = max(t + (f - target) / g, 0.0)
            sigma = max(top / max(t, 1e-12), floor)
            for j in range(k):
                out[i, j] = exponential(-gap[j] / sigma)
        else:
            for j in range(k):
                out[i, j] = 1.0


@jit()
def shared(indices, k, out, a, b):
    """Jaccard index of the neighbour lists at both ends of every edge of rows a..b (the cells themselves not in)."""
    for i in range(a, b):
        for j in range(k):
            u = indices[i, j]
            c = 0
            for p in range(k):
                x = indices[i, p]
                for q in range(k):
                    if indices[u, q] == x:
                        c += 1
                        break
            out[i, j] = c / (2.0 * k - c)


@jit()
def gaussian(indices, distances, k, scale, out, a, b):
    """Gaussian affinity with a width of each cell's own, as in Haghverdi 2016 (scanpy's method "gauss")."""
    for i in range(a, b):
        si = np.float64(scale[i])
        for j in range(k):
            sj = np.float64(scale[indices[i, j]])
            s = si * si + sj * sj
            d = np.float64(distances[i, j])
            out[i, j] = np.sqrt(2.0 * si * sj / s) * np.exp(-d * d / s)


@jit()
def partners(indices, k, out, a, b):
    """For every edge i -> u the place of i in u's list plus one, or 0 if i is not there."""
    width = np.int64(4 * indices.shape[1])
    for i in range(a, b):
        soon = min(i + 2, b - 1)
        for j in range(k):
            prefetch(indices.ctypes.data + np.int64(indices[soon, j]) * width)
        for j in range(k):
            u = indices[i, j]
            place = 0
            for z in range(k):
                if indices[u, z] == i:
                    place = z + 1
                    break
            out[i, j] = place


UNION, MEAN, MAXIMUM = 0, 1, 2  # ways to make directed weights symmetric


@jit(inline=True)
def joined(x, y, rule):
    """One weight from those of both directions."""
    if rule == UNION:
        z = x + y - x * y
    elif rule == MEAN:
        z = np.float32(0.5) * (x + y)
    else:
        z = max(x, y)
    return z


@jit()
def one_way_counts(indices, w, partner, step, counts, a, b):
    """How many edges of the rows a..b have no way back, by the block of `step` rows that they lead to."""
    for i in range(a, b):
        for j in range(w.shape[1]):
            if partner[i, j] == 0 and w[i, j] > 0.0:
                counts[indices[i, j] // step] += 1


@jit()
def one_way_edges(indices, w, partner, step, place, whom, who, cost, a, b):
    """Write these edges, those to block d from ``place[d]`` on: where to, where from, weight."""
    for i in range(a, b):
        for j in range(w.shape[1]):
            if partner[i, j] == 0 and w[i, j] > 0.0:
                u = indices[i, j]
                p = place[u // step]
                whom[p] = u
                who[p] = i
                cost[p] = w[i, j]
                place[u // step] = p + 1


@jit()
def row_lengths(indices, w, partner, whom, first, last, out, a, b):
    """Entries of the rows a..b of the symmetric matrix; ``first..last`` of `whom` are the edges that lead to them."""
    for i in range(a, b):
        count = 0
        for j in range(w.shape[1]):
            m = partner[i, j]
            if w[i, j] > 0.0 or (m > 0 and w[indices[i, j], m - 1] > 0.0):
                count += 1
        out[i] = count
    for e in range(first, last):
        out[whom[e]] += 1


@jit()
def symmetric_rows(indices, w, partner, rule, whom, who, cost, first, last, indptr, ix, data, a, b):
    """The rows a..b of the symmetric matrix, not sorted: the rows' own edges, then those that lead to them alone.

    `rule`: UNION a + b - ab, MEAN (a + b) / 2, MAXIMUM; a missing direction counts as 0. Edges of weight 0 are left
    out.
    """
    place = indptr[a:b].copy()
    for i in range(a, b):
        p = place[i - a]
        for j in range(w.shape[1]):
            u = indices[i, j]
            m = partner[i, j]
            x = w[i, j]
            y = w[u, m - 1] if m > 0 else np.float32(0)
            if x + y > 0.0:
                ix[p] = u
                data[p] = joined(x, y, rule)
                p += 1
        place[i - a] = p
    for e in range(first, last):
        p = place[whom[e] - a]
        ix[p] = who[e]
        data[p] = joined(cost[e], np.float32(0), rule)
        place[whom[e] - a] = p + 1


@jit()
def permute_rows(indptr, ix, data, order, rank, indptr2, ix2, data2, in_order, a, b):
    """Rows a..b of the matrix whose row r is row order[r] with columns renamed by `rank`, sorted if `in_order`."""
    for r in range(a, b):
        far = order[min(r + AHEAD, b - 1)]
        for line in range(4 * indptr[far], 4 * indptr[far + 1], 64):
            prefetch(ix.ctypes.data + line)
            prefetch(data.ctypes.data + line)
        prefetch(indptr.ctypes.data + np.int64(8) * order[min(r + 2 * AHEAD, b - 1)])
        s = indptr[order[r]]
        t = indptr2[r]
        for e in range(indptr2[r + 1] - t):
            c = rank[ix[s + e]]
            q = t + e
            if in_order:  # insertion sort: rows are short
                while q > t and ix2[q - 1] > c:
                    ix2[q] = ix2[q - 1]
                    data2[q] = data2[q - 1]
                    q -= 1
            ix2[q] = c
            data2[q] = data[s + e]
