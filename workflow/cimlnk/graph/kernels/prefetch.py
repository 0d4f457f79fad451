"""Asking for memory before it is needed: rows far apart in memory otherwise cost a wait each."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 12  # rows between the request and the use


@intrinsic
def _prefetch(typingctx, address):
    """Ask for the cache line at the address (an int64); any address is harmless."""

    def codegen(context, b, signature, args):
        pointer = b.inttoptr(args[0], ir.IntType(8).as_pointer())
        i32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
        request = cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0")
        b.call(request, [pointer, i32(0), i32(3), i32(1)])  # for reading, to be kept, data
        return context.get_dummy_value()

    return types.void(types.int64), codegen


prefetch: Any = _prefetch
