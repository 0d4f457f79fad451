"""The exponential function in arithmetic that compilers turn into vectors; the library's is a call for every number."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.extending import intrinsic

from .jit import jit

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453


@intrinsic
def _float_of_bits(typingctx, x):
    """The float64 with the 64 bits of an integer."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


float_of_bits: Any = _float_of_bits


@jit(inline=True)
def exponential(x):
    """e^x for x <= 0, to a relative 1e-8; below e^-690 it no longer falls.

    The nearest power of two goes into the exponent's bits; what is left, at most half a power, is Taylor's series.
    """
    t = max(x * LOG2_E, -1000.0)
    whole = np.floor(t + 0.5)
    f = (t - whole) * LN_2
    series = 1.0 + f * (1.0 + f / 2 * (1.0 + f / 3 * (1.0 + f / 4 * (1.0 + f / 5 * (1.0 + f / 6 * (1.0 + f / 7))))))
    return series * float_of_bits((np.int64(whole) + 1023) << 52)
