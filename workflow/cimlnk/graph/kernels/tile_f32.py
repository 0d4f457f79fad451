"""The distance tile: scores of 8 rows against 32 candidates, as LLVM vector code generated from Python.

A score is ``q . c - |c|^2 / 2``; the largest score is the nearest candidate. Candidates lie in panels of d + 1 rows of
32 floats, feature by feature, the last row holding ``-|c|^2 / 2``. The accumulators stay in registers; the epilogue
compares them with each row's threshold and returns bit masks, so that the caller only touches the few candidates that
may enter a list. No block of distances is written and searched afterwards, which is what costs the time elsewhere.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from llvmlite import binding
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import jit

ROWS = 8
WIDTH = 32
PADDING = np.float32(-1e30)  # score of the empty places of a panel

I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


def shape(features: dict[str, bool]) -> tuple[int, int, bool]:
    """Lanes of a vector, rows done at once (their accumulators must fit the registers), and whether to fuse."""
    if features.get("avx512f"):
        return 16, 8, True  # 16 of 32 registers
    if features.get("avx2") and features.get("fma"):
        return 8, 2, True  # 8 of 16
    if features.get("neon") or features.get("fp-armv8"):
        return 4, 2, True  # 16 of 32
    return 4, 1, False  # 8 of 16; a fused operation without hardware would be a library call


LANES, AT_ONCE, FUSE = shape(binding.get_host_cpu_features())
VECTORS = WIDTH // LANES


@intrinsic
def _tile(typingctx, base, ids, stride, panel, d, thresholds, scores, masks):
    """Addresses and sizes as int64: rows ``base + ids[r] * stride`` floats; writes scores [8][32] and masks [8]."""
    vector = ir.VectorType(F32, LANES)

    def codegen(context, b, signature, args):
        base, ids, stride, panel, d, thresholds, scores, masks = args
        floats = F32.as_pointer()
        base, panel, thresholds, scores = (b.inttoptr(x, floats) for x in (base, panel, thresholds, scores))
        ids, masks = (b.inttoptr(x, I32.as_pointer()) for x in (ids, masks))
        nothing = ir.Constant(vector, ir.Undefined)
        first = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
        fma = cgutils.get_or_insert_function(b.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32")

        def load(pointer, offset):
            x = b.load(b.bitcast(b.gep(pointer, [offset]), vector.as_pointer()))
            x.align = 4
            return x

        def spread(x):
            return b.shuffle_vector(b.insert_element(nothing, x, I32(0)), nothing, first)

        def row(r):
            return b.gep(base, [b.mul(b.sext(b.load(b.gep(ids, [I64(r)])), I64), stride)])

        rows = [row(r) for r in range(ROWS)]
        bias = [load(panel, b.add(b.mul(d, I64(WIDTH)), I64(v * LANES))) for v in range(VECTORS)]
        sums = [[cgutils.alloca_once(b, vector) for _ in range(VECTORS)] for _ in range(ROWS)]
        for start in range(0, ROWS, AT_ONCE):
            block = range(start, start + AT_ONCE)
            for r in block:
                for v in range(VECTORS):
                    b.store(bias[v], sums[r][v])
            with cgutils.for_range(b, d) as loop:
                line = b.mul(loop.index, I64(WIDTH))
                column = [load(panel, b.add(line, I64(v * LANES))) for v in range(VECTORS)]
                for r in block:
                    q = spread(b.load(b.gep(rows[r], [loop.index])))
                    for v in range(VECTORS):
                        old = b.load(sums[r][v])
                        new = b.call(fma, [q, column[v], old]) if FUSE else b.fadd(b.fmul(q, column[v]), old)
                        b.store(new, sums[r][v])
        for r in range(ROWS):
            threshold = spread(b.load(b.gep(thresholds, [I64(r)])))
            bits = I32(0)
            for v in range(VECTORS):
                x = b.load(sums[r][v])
                place = b.bitcast(b.gep(scores, [I64(r * WIDTH + v * LANES)]), vector.as_pointer())
                b.store(x, place).align = 4
                hits = b.zext(b.bitcast(b.fcmp_ordered(">", x, threshold), ir.IntType(LANES)), I32)
                bits = b.or_(bits, b.shl(hits, I32(v * LANES)))
            b.store(bits, b.gep(masks, [I64(r)]))
        return context.get_dummy_value()

    return types.void(*([types.int64] * 8)), codegen


@intrinsic
def _lowest_bit(typingctx, x):
    """Place of the lowest set bit of a uint32 that is not zero."""

    def codegen(context, b, signature, args):
        count = cgutils.get_or_insert_function(b.module, ir.FunctionType(I32, [I32, ir.IntType(1)]), "llvm.cttz.i32")
        return b.zext(b.call(count, [args[0], ir.Constant(ir.IntType(1), 1)]), I64)

    return types.int64(types.uint32), codegen


@intrinsic
def _bits_above(typingctx, x, y):
    """A bit for each of 32 float32 at the address x (an int64), whether it is above that at the address y."""
    vector = ir.VectorType(F32, WIDTH)

    def codegen(context, b, signature, args):
        def load(address):
            v = b.load(b.inttoptr(address, vector.as_pointer()))
            v.align = 4
            return v

        return b.bitcast(b.fcmp_ordered(">", load(args[0]), load(args[1])), I32)

    return types.uint32(types.int64, types.int64), codegen


tile: Any = _tile
bits_above: Any = _bits_above
lowest_bit: Any = _lowest_bit


@jit(fast=True)
def pack(Z, start, first, panels, a, b):
    """Write the rows of cells a..b into panels; cell c fills the panels first[c]..first[c + 1]."""
    d = Z.shape[1]
    for c in range(a, b):
        size = start[c + 1] - start[c]
        for p in range(first[c], first[c + 1]):
            offset = (p - first[c]) * WIDTH
            for lane in range(WIDTH):
                if offset + lane < size:
                    x = Z[start[c] + offset + lane]
                    s = np.float32(0)
                    for j in range(d):
                        panels[p, j, lane] = x[j]
                        s += x[j] * x[j]
                    panels[p, d, lane] = np.float32(-0.5) * s
                else:
                    for j in range(d):
                        panels[p, j, lane] = 0
                    panels[p, d, lane] = PADDING


@jit(inline=True)
def insert(scores, ids, score, ident):
    """Put a candidate into a list sorted by falling score; the last one drops out."""
    w = len(scores) - 1
    while w > 0 and scores[w - 1] < score:
        scores[w] = scores[w - 1]
        ids[w] = ids[w - 1]
        w -= 1
    scores[w] = score
    ids[w] = ident


@jit(fast=True)
def scan(Q, own, panels, start, first, best, ident, a, b):
    """Exact lists of the query rows a..b: all panels, each read once for the whole group.

    `own` is the indexed position of a query row, left out of its list, or -1. `best` and `ident` (queries x k) must
    come filled with very low scores and -1.
    """
    d = Q.shape[1]
    k = best.shape[1]
    out = np.empty(ROWS * WIDTH, np.float32)
    mask = np.empty(ROWS, np.uint32)
    threshold = np.empty(ROWS, np.float32)
    ids = np.empty(ROWS, np.int32)
    for c in range(len(start) - 1):
        for p in range(first[c], first[c + 1]):
            address = panels.ctypes.data + np.int64(p) * np.int64((d + 1) * WIDTH * 4)
            position = start[c] + (p - first[c]) * WIDTH
            for q in range(a, b, ROWS):
                used = min(ROWS, b - q)
                for r in range(ROWS):
                    ids[r] = min(q + r, b - 1)
                    threshold[r] = max(best[ids[r], k - 1], np.float32(-1e29))
                tile(
                    Q.ctypes.data,
                    ids.ctypes.data,
                    np.int64(d),
                    address,
                    np.int64(d),
                    threshold.ctypes.data,
                    out.ctypes.data,
                    mask.ctypes.data,
                )
                for r in range(used):
                    bits = mask[r]
                    g = q + r
                    while bits != 0:
                        t = lowest_bit(bits)
                        bits &= bits - np.uint32(1)
                        s = out[r * WIDTH + t]
                        if s > best[g, k - 1] and position + t != own[g]:
                            insert(best[g], ident[g], s, np.int32(position + t))
