"""The distance tile in whole numbers: as in ``tile.py``, but with 16-bit coordinates, nearly twice as fast.

A coordinate is rounded to one of about ten thousand steps, so the scores order candidates almost as the exact
distances do; whoever uses it computes the distances of the few that enter a list. Whole numbers are the same on every
machine. Two features share a 32-bit word: panels are words[half + 1][32], the last row holding ``-|c|^2 / 2``.
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
from .tile_f32 import ROWS, WIDTH

# |q.c| <= LARGEST, a score lies within 1.5 LARGEST, and less half a square it must not leave 32 bits.
LARGEST = 0.95 * 2.0**30
LOWEST = np.int32(-1_600_000_000)  # below every score; that of the empty places of a panel
NEVER = np.int32(1_600_000_000)  # above every score, also less half a square

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


def shape(features: dict[str, bool]) -> tuple[int, int, str]:
    """Lanes of a vector, rows done at once, and the instruction that multiplies pairs and adds (empty: none)."""
    if features.get("avx512bw"):
        return 16, 8, "llvm.x86.avx512.pmaddw.d.512"
    if features.get("avx2"):
        return 8, 2, "llvm.x86.avx2.pmadd.wd"
    return 4, 1, ""


LANES, AT_ONCE, PAIRS = shape(binding.get_host_cpu_features())
VECTORS = WIDTH // LANES


def largest(d: int) -> int:
    """Largest coordinate of rows with `d` features whose products stay below :data:`LARGEST`."""
    return min(32767, int(np.sqrt(LARGEST / d)))


def tile_code(b: Any, args: Any, both: bool, count: int = ROWS) -> None:
    """The instructions of a tile of so many rows: scores, masks of their hits and, if `both`, the candidates'."""
    base, ids, stride, panel, half, thresholds, scores, masks = args[:8]
    vector, narrow = ir.VectorType(I32, LANES), ir.VectorType(I16, 2 * LANES)
    word = I32.as_pointer()
    base, ids, panel, thresholds, scores, masks = (
        b.inttoptr(x, word) for x in (base, ids, panel, thresholds, scores, masks)
    )
    nothing = ir.Constant(vector, ir.Undefined)
    first = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
    sixteen = ir.Constant(vector, [16] * LANES)

    def load(pointer, offset):
        x = b.load(b.bitcast(b.gep(pointer, [offset]), vector.as_pointer()))
        x.align = 4
        return x

    def spread(x):
        return b.shuffle_vector(b.insert_element(nothing, x, I32(0)), nothing, first)

    def products(x, y):
        """Sum of the products of the low and of the high halves."""
        if PAIRS:
            kind = ir.FunctionType(vector, [narrow, narrow])
            add_pairs = cgutils.get_or_insert_function(b.module, kind, PAIRS)
            return b.call(add_pairs, [b.bitcast(x, narrow), b.bitcast(y, narrow)])
        low = [b.ashr(b.shl(z, sixteen), sixteen) for z in (x, y)]
        high = [b.ashr(z, sixteen) for z in (x, y)]
        return b.add(b.mul(*low), b.mul(*high))

    def row(r):
        return b.gep(base, [b.mul(b.sext(b.load(b.gep(ids, [I64(r)])), I64), stride)])

    def above(x, y):
        return b.zext(b.bitcast(b.icmp_signed(">", x, y), ir.IntType(LANES)), I32)

    rows = [row(r) for r in range(count)]
    bias = [load(panel, b.add(b.mul(half, I64(WIDTH)), I64(v * LANES))) for v in range(VECTORS)]
    sums = [[cgutils.alloca_once(b, vector) for _ in range(VECTORS)] for _ in range(count)]
    for start in range(0, count, AT_ONCE):
        block = range(start, min(count, start + AT_ONCE))
        for r in block:
            for v in range(VECTORS):
                b.store(bias[v], sums[r][v])
        with cgutils.for_range(b, half) as loop:
            line = b.mul(loop.index, I64(WIDTH))
            column = [load(panel, b.add(line, I64(v * LANES))) for v in range(VECTORS)]
            for r in block:
                q = spread(b.load(b.gep(rows[r], [loop.index])))
                for v in range(VECTORS):
                    b.store(b.add(b.load(sums[r][v]), products(q, column[v])), sums[r][v])
    if both:
        halves, theirs, their_masks = (b.inttoptr(x, word) for x in args[8:])
        bars = [load(theirs, I64(v * LANES)) for v in range(VECTORS)]
    for r in range(count):
        threshold = spread(b.load(b.gep(thresholds, [I64(r)])))
        own_half = spread(b.load(b.gep(halves, [I64(r)]))) if both else None
        bits, their_bits = I32(0), I32(0)
        for v in range(VECTORS):
            x = b.load(sums[r][v])
            place = b.bitcast(b.gep(scores, [I64(r * WIDTH + v * LANES)]), vector.as_pointer())
            b.store(x, place).align = 4
            bits = b.or_(bits, b.shl(above(x, threshold), I32(v * LANES)))
            if both:
                their_bits = b.or_(their_bits, b.shl(above(b.sub(x, own_half), bars[v]), I32(v * LANES)))
        b.store(bits, b.gep(masks, [I64(r)]))
        if both:
            b.store(their_bits, b.gep(their_masks, [I64(r)]))


@intrinsic
def _whole_tile(typingctx, base, ids, stride, panel, half, thresholds, scores, masks):
    """Addresses and sizes as int64: rows ``base + ids[r] * stride`` words; writes scores [8][32] and masks [8]."""

    def codegen(context, b, signature, args):
        tile_code(b, args, both=False)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 8)), codegen


@intrinsic
def _mutual_tile(ctx, base, ids, stride, panel, half, thresholds, scores, masks, halves, theirs, their_masks, few):
    """As the tile above; `their_masks` [8] tell which candidates would take the row.

    A candidate's score of the row is the row's score of it plus ``|c|^2 / 2 - |q|^2 / 2``; `halves` [8] are the rows'
    ``|q|^2 / 2``, `theirs` [32] the candidates' least scores less their ``|c|^2 / 2``. If `few` (bool), only the first
    four rows are done: many looks into another cell are of a few rows.
    """

    def codegen(context, b, signature, args):
        with b.if_else(args[-1]) as (then, otherwise):
            with then:
                tile_code(b, args[:-1], both=True, count=ROWS // 2)
            with otherwise:
                tile_code(b, args[:-1], both=True)
        return context.get_dummy_value()

    return types.void(*([types.int64] * 11), types.boolean), codegen


whole_tile: Any = _whole_tile
mutual_tile: Any = _mutual_tile


@jit()
def rounded(Z, scale, most, out, a, b):
    """Rows a..b times `scale`, rounded, held within -most..most, in pairs of 16 bits (an odd last feature alone)."""
    d = Z.shape[1]
    half = out.shape[1]
    limit = np.float32(most)
    for i in range(a, b):
        for j in range(half):
            x = min(max(Z[i, 2 * j] * scale, -limit), limit)
            word = np.int32(np.floor(x + np.float32(0.5))) & np.int32(0xFFFF)
            if 2 * j + 1 < d:
                y = min(max(Z[i, 2 * j + 1] * scale, -limit), limit)
                word |= np.int32(np.floor(y + np.float32(0.5))) << np.int32(16)
            out[i, j] = word


@jit()
def pack_whole(words, start, first, panels, a, b):
    """Write the rows of cells a..b into panels; cell c fills the panels first[c]..first[c + 1]."""
    half = words.shape[1]
    for c in range(a, b):
        size = start[c + 1] - start[c]
        for p in range(first[c], first[c + 1]):
            offset = (p - first[c]) * WIDTH
            for lane in range(WIDTH):
                if offset + lane < size:
                    x = words[start[c] + offset + lane]
                    s = np.int64(0)
                    for j in range(half):
                        panels[p, j, lane] = x[j]
                        low = np.int64(np.int16(x[j] & 0xFFFF))
                        high = np.int64(x[j] >> 16)
                        s += low * low + high * high
                    panels[p, half, lane] = -(s // 2)
                else:
                    for j in range(half):
                        panels[p, j, lane] = 0
                    panels[p, half, lane] = LOWEST
