"""Lists of the best whole-number scores, a vector at a time: an insertion has no branch that could be foreseen wrongly.

A list has :func:`room` places, falling scores and beside them names; what counts is the first few of them. A row of 16
places is one cache line where the array begins at one (:func:`lists`).
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .tile_f32 import WIDTH
from .tile_i16 import LOWEST

LINE = 16  # whole numbers in a cache line
I32, I64 = ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(I32, LINE)


def room(count: int) -> int:
    """Places of a list of `count` entries."""
    return -(-count // LINE) * LINE


def lists(n: int, count: int) -> NDArray[np.int32]:
    """Memory, not filled, for `n` lists of `count` entries; n x :func:`room`, beginning with a cache line."""
    raw = np.empty(n * room(count) + LINE, np.int32)
    skipped = -(raw.ctypes.data // 4) % LINE
    return raw[skipped : skipped + n * room(count)].reshape(n, room(count))


def fresh(n: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Scores and names of `n` empty lists."""
    best, ident = lists(n, count), lists(n, count)
    best[:], ident[:] = LOWEST, -1
    return best, ident


@intrinsic
def _put(typingctx, scores, names, places, score, name):
    """Put a score and a name (int32) into a list of so many places at two addresses (all int64).

    Equal scores stay before it; the last entry drops out.
    """

    def codegen(context, b, signature, args):
        scores, names, places, score, name = args
        scores, names = (b.inttoptr(x, I32.as_pointer()) for x in (scores, names))
        nothing = ir.Constant(VECTOR, ir.Undefined)
        first = ir.Constant(ir.VectorType(I32, LINE), [0] * LINE)
        ahead = ir.Constant(ir.VectorType(I32, LINE), [LINE, *range(LINE - 1)])

        def spread(x):
            return b.shuffle_vector(b.insert_element(nothing, x, I32(0)), nothing, first)

        def at(pointer, place):
            return b.bitcast(b.gep(pointer, [place]), VECTOR.as_pointer())

        def load(pointer, place):
            x = b.load(at(pointer, place))
            x.align = 4
            return x

        new = spread(score), spread(name)
        lines = b.udiv(places, I64(LINE))
        with cgutils.for_range(b, lines) as loop:
            place = b.mul(b.sub(b.sub(lines, loop.index), I64(1)), I64(LINE))
            start = b.icmp_signed("==", place, I64(0))
            before = b.select(start, I64(0), b.sub(place, I64(1)))
            last = b.select(start, I32(2**31 - 1), b.load(b.gep(scores, [before]))), b.load(b.gep(names, [before]))
            old = load(scores, place), load(names, place)
            moved = [
                b.shuffle_vector(x, b.insert_element(nothing, y, I32(0)), ahead) for x, y in zip(old, last, strict=True)
            ]
            stays = b.icmp_signed(">=", old[0], new[0])
            here = b.icmp_signed(">=", moved[0], new[0])
            for pointer, x, y, z in zip((scores, names), old, moved, new, strict=True):
                b.store(b.select(stays, x, b.select(here, z, y)), at(pointer, place)).align = 4
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int32, types.int32), codegen


@intrinsic
def _above(typingctx, scores, bar):
    """A bit for each of 32 whole numbers at an address (int64), whether it is above `bar` (int32)."""
    wide = ir.VectorType(I32, WIDTH)

    def codegen(context, b, signature, args):
        x = b.load(b.inttoptr(args[0], wide.as_pointer()))
        x.align = 4
        nothing = ir.Constant(wide, ir.Undefined)
        first = ir.Constant(ir.VectorType(I32, WIDTH), [0] * WIDTH)
        bar = b.shuffle_vector(b.insert_element(nothing, args[1], I32(0)), nothing, first)
        return b.bitcast(b.icmp_signed(">", x, bar), I32)

    return types.uint32(types.int64, types.int32), codegen


put: Any = _put
above: Any = _above
