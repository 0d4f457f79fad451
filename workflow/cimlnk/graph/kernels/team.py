"""Threads that share many short phases of work: one leads, the others take pieces of the phase at hand.

Handing a task to a thread through Python takes some tenths of a millisecond, longer than most phases last. Here every
thread makes one call for all phases. The leader does what is serial, opens a phase (:func:`open_phase`) and waits for
its pieces (:func:`finished`); everybody takes pieces (:func:`take`) until none is left. A helper that never comes, or
comes late, is not waited for: the leader does all that is left.

`state` is an int64 array of :data:`STATE` zeros. Which thread does a piece is open, so pieces must not depend on it.
A piece must not fail, nor ask for memory: the leader would wait for it for ever.
"""

from __future__ import annotations

import os
from typing import Any

import llvmlite.ir as ir
import numpy as np
from llvmlite import binding
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .jit import jit

# places in the state, each in a cache line of its own
LEADER, OPEN, DONE, KIND, COUNT = 0, 8, 16, 24, 32
STATE = 40
OVER = np.int64(-1)  # the kind of phase after which helpers go
PIECES = 32  # bits of OPEN that count the pieces left; those above number the phases
BUSY, POLITE = (
    200,
    300,
)  # looks before a waiting thread lets others have its processor, and before it sleeps between two
NAP = 50  # microseconds

I32, I64 = ir.IntType(32), ir.IntType(64)
PAUSE = "llvm.x86.sse2.pause" if binding.get_process_triple().split("-")[0] in ("x86_64", "i686") else ""
POSIX = hasattr(os, "sched_yield")


@intrinsic
def _load(typingctx, address):
    """The int64 at an address (an int64), as the last thread left it."""

    def codegen(context, b, signature, args):
        return b.load_atomic(b.inttoptr(args[0], I64.as_pointer()), "seq_cst", 8)

    return types.int64(types.int64), codegen


@intrinsic
def _store(typingctx, address, value):
    """Write the int64 at an address, for all threads to see after what was written before."""

    def codegen(context, b, signature, args):
        b.store_atomic(args[1], b.inttoptr(args[0], I64.as_pointer()), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _add(typingctx, address, value):
    """Add to the int64 at an address; returns what it was."""

    def codegen(context, b, signature, args):
        return b.atomic_rmw("add", b.inttoptr(args[0], I64.as_pointer()), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def _swap(typingctx, address, old, new):
    """Whether the int64 at an address was `old`; then it is `new` now."""

    def codegen(context, b, signature, args):
        pair = b.cmpxchg(b.inttoptr(args[0], I64.as_pointer()), args[1], args[2], "seq_cst", "seq_cst")
        return b.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def _pause(typingctx):
    """Wait a few cycles."""

    def codegen(context, b, signature, args):
        if PAUSE:
            b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(ir.VoidType(), []), PAUSE), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _give_way(typingctx):
    """Let other threads that wait for this processor go first."""

    def codegen(context, b, signature, args):
        if POSIX:
            b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(I32, []), "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _nap(typingctx):
    """Sleep for a moment."""

    def codegen(context, b, signature, args):
        if POSIX:
            b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(I32, [I32]), "usleep"), [I32(NAP)])
        return context.get_dummy_value()

    return types.void(), codegen


load: Any = _load
store: Any = _store
add: Any = _add
swap: Any = _swap
pause: Any = _pause
give_way: Any = _give_way
nap: Any = _nap


@jit()
def rest(looks):
    """Wait a little, longer the oftener one has looked: where processors are shared, nobody else is kept from them."""
    if looks < BUSY:
        pause()
    elif looks < POLITE:
        give_way()
    else:
        nap()


@jit()
def leads(state):
    """Whether the calling thread is the first and leads."""
    return swap(state.ctypes.data + 8 * LEADER, np.int64(0), np.int64(1))


@jit()
def open_phase(state, kind, count, pieces):
    """Begin a phase: a kind, a number of things, and how many pieces they are cut into."""
    state[KIND] = kind
    state[COUNT] = count
    store(state.ctypes.data + 8 * DONE, np.int64(0))
    phase = (load(state.ctypes.data + 8 * OPEN) >> PIECES) + 1
    store(state.ctypes.data + 8 * OPEN, (phase << PIECES) | np.int64(pieces))


@jit()
def take(state):
    """The next piece of the open phase, counted from the last one down; -1 if none is left.

    The number of the phase is compared along with the number of pieces, so what a thread reads of the phase after it
    has a piece is that phase's: the next one is not opened before the piece is done (:func:`done`).
    """
    while True:
        now = load(state.ctypes.data + 8 * OPEN)
        left = now & ((np.int64(1) << PIECES) - 1)
        if left == 0:
            return np.int64(-1)
        if swap(state.ctypes.data + 8 * OPEN, now, now - 1):
            return left - 1


@jit()
def done(state):
    """Tell the leader that a piece is done."""
    add(state.ctypes.data + 8 * DONE, np.int64(1))


@jit()
def finished(state, pieces):
    """Wait until all pieces of the open phase are done."""
    looks = 0
    while load(state.ctypes.data + 8 * DONE) < pieces:
        looks += 1
        rest(looks)


@jit()
def dismiss(state):
    """Let the helpers go."""
    open_phase(state, OVER, 0, 0)


@jit()
def await_phase(state, seen):
    """Wait for another phase than `seen` to be open (0 at first); returns its number, or OVER after the last."""
    looks = 0
    while True:
        phase = load(state.ctypes.data + 8 * OPEN) >> PIECES
        if load(state.ctypes.data + 8 * KIND) == OVER:
            return OVER
        if phase != seen:
            return phase
        looks += 1
        rest(looks)
