"""Edges inside communities and between two of them, and graphs of some of the edges or nodes."""

from __future__ import annotations

import numpy as np

from .jit import jit


@jit(fast=True)
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
