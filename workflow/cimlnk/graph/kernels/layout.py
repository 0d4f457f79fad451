"""Inner loop of the UMAP layout: one epoch in gather form, so that rows can be done in any order by any thread."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.extending import intrinsic

from .jit import jit


@intrinsic
def _float_bits(typingctx, x):
    """The 32 bits of a float32 as a signed integer."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), codegen


float_bits: Any = _float_bits


@jit(inline=True)
def scramble(x):
    """A 64-bit mixing function (the finaliser of splitmix64, Steele 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@jit(fast=True)
def epoch(indptr, ix, chance, old, new, pull, push, rate, negatives, seed, a, b):
    """Move the points a..b of `old` (n x 2) into `new`: pulled by sampled neighbours, pushed by random points.

    `chance` is the probability that an edge acts in one epoch (twice: UMAP lists every edge in both directions and
    moves both ends). `pull` and `push` tabulate the force over squared distance by the upper 16 bits of its float32.
    A pull goes at most half the way, because the other end comes as well. Every point draws from a random stream of
    its own, and sees the others where they were before the epoch.
    """
    n = len(indptr) - 1
    half = np.float32(0.5)
    cap = np.float32(4.0)
    for i in range(a, b):
        x = old[i, 0]
        y = old[i, 1]
        state = scramble(np.uint64(seed) + np.uint64(i) * np.uint64(0x9E3779B97F4A7C15))
        for e in range(indptr[i], indptr[i + 1]):
            j = ix[e]
            for role in range(2):
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                if np.float32(state >> np.uint64(40)) * np.float32(5.9604645e-8) >= chance[e]:
                    continue
                dx = old[j, 0] - x
                dy = old[j, 1] - y
                f = min(pull[float_bits(dx * dx + dy * dy) >> 16] * rate, half)
                x += f * dx
                y += f * dy
                if role == 1:
                    continue
                for _ in range(negatives):
                    state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                    u = np.int64(((state >> np.uint64(33)) * np.uint64(n)) >> np.uint64(31))
                    if u == i:
                        continue
                    dx = x - old[u, 0]
                    dy = y - old[u, 1]
                    f = push[float_bits(dx * dx + dy * dy) >> 16]
                    x += max(min(f * dx, cap), -cap) * rate
                    y += max(min(f * dy, cap), -cap) * rate
        new[i, 0] = x
        new[i, 1] = y
