"""Local moving in rounds: many nodes choose from one frozen state, then their moves are applied one after the other.

The choices of a round can be made side by side by any number of threads, and the result does not depend on how they
are divided: every node writes its own, and only :func:`apply`, in the order of the nodes, changes what others read. The
scheme is that of the deterministic mode of Mt-KaHyPar (Gottesbueren & Hamann 2022), with each gain checked again
against the masses of the communities at its turn.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .leiden import TINY
from .prefetch import AHEAD, prefetch
from .team import COUNT, KIND, OVER, await_phase, dismiss, done, finished, leads, open_phase, take

GROUPS = 16  # rounds in which every node gets its turn once; a power of two
ALONE = -1  # the wish to be a community of one's own
WISH, WAKE = 1, 2  # kinds of phases


@jit()
def due(active, sweep, turn, nodes):
    """The active nodes whose turn it is, in order; they are no longer active. Returns how many.

    Of 16 nodes in a row one is due in each round, in an order that changes from sweep to sweep: what moves in circles
    because it moves at the same time does not do so for long.
    """
    count = 0
    for first in range(0, len(active), GROUPS):
        i = first + ((turn - sweep * (first // GROUPS)) & (GROUPS - 1))
        if i < len(active) and active[i]:
            active[i] = 0
            nodes[count] = i
            count += 1
    return count


@jit()
def places(most):
    """Places of a table, a power of two, of which `most` communities, 16 at least, fill a quarter at most."""
    size = 64
    while size < 4 * most:
        size *= 2
    return size


@jit()
def table_size(indptr, nodes, a, b):
    """Places of a table for the neighbours of any of nodes[a:b]."""
    most = 0
    for z in range(a, b):
        most = max(most, indptr[nodes[z] + 1] - indptr[nodes[z]])
    return places(most)


@jit()
def table(size):
    """An empty table of so many places: communities, weights to them, and a list of the places that are taken."""
    return np.full(size, np.int32(-1)), np.zeros(size, np.float32), np.empty(size, np.int32)


@jit()
def wishes(indptr, ix, w, mass, label, total, size, g, nodes, wish, stay, go, a, b):
    """:func:`choose` with a table of its own."""
    own = table(table_size(indptr, nodes, a, b))
    choose(indptr, ix, w, mass, label, total, size, g, nodes, wish, stay, go, own, a, b)


@jit()
def choose(indptr, ix, w, mass, label, total, size, g, nodes, wish, stay, go, empty, a, b):
    """The best community of every node of nodes[a:b], its own if none is better, and the weights to both.

    Weights are gathered in a small table by community, so that it needs no memory for all communities of the graph.
    It is the beginning of `empty`, which may be larger, and is left as empty as it was.
    """
    room = table_size(indptr, nodes, a, b)
    key = empty[0][:room]
    weight = empty[1][:room]
    touched = empty[2][:room]
    for z in range(a, b):
        far = nodes[min(z + AHEAD, b - 1)]
        for line in range(4 * indptr[far], 4 * indptr[far + 1], 64):
            prefetch(ix.ctypes.data + line)
            prefetch(w.ctypes.data + line)
        i = nodes[z]
        home = label[i]
        price = mass[i] * g
        n_touched = 0
        at_home = np.float32(0)
        for e in range(indptr[i], indptr[i + 1]):
            c = label[ix[e]]
            if c == home:
                at_home += w[e]
                continue
            h = c & (room - 1)
            k = key[h]
            while k != c and k >= 0:  # taken by another: rare, the table is barely filled
                h = (h + 1) & (room - 1)
                k = key[h]
            key[h] = c
            touched[n_touched] = h
            n_touched += int(k != c)  # no branch on what cannot be foreseen
            weight[h] += w[e]
        best = home
        gain = at_home - price * (total[home] - mass[i])
        best_weight = at_home
        for y in range(n_touched):
            h = touched[y]
            x = weight[h] - price * total[key[h]]
            if x > gain + TINY:
                gain = x
                best = key[h]
                best_weight = weight[h]
            key[h] = -1
            weight[h] = 0
        if gain < -TINY and size[home] > 1:
            best = np.int32(ALONE)
            best_weight = np.float32(0)
        wish[z] = best
        stay[z] = at_home
        go[z] = best_weight


@jit()
def vacancies(size, empty):
    """Communities without members, the last one first to be taken; returns how many."""
    count = 0
    for c in range(len(size)):
        if size[c] == 0:
            empty[count] = c
            count += 1
    return count


@jit()
def apply(nodes, count, wish, stay, go, mass, label, total, size, g, empty, n_empty, active, moved):
    """Move the nodes to what they wish, in their order, if it still gains at its turn; one that does not stays active.

    A wish for a community that has been left meanwhile is refused, or two nodes on their own would change places.
    Returns how many moved, which are written to `moved`, and the number of empty communities.
    """
    n_moved = 0
    for z in range(count):
        i = nodes[z]
        home = label[i]
        best = wish[z]
        if best == home:
            continue
        price = mass[i] * g
        kept = stay[z] - price * (total[home] - mass[i])
        if best == ALONE:
            if kept >= -TINY or size[home] < 2 or n_empty == 0:
                continue
            n_empty -= 1
            best = empty[n_empty]
        elif size[best] == 0 or go[z] - price * total[best] <= kept + TINY:
            active[i] = 1
            continue
        total[home] -= mass[i]
        total[best] += mass[i]
        size[home] -= 1
        size[best] += 1
        label[i] = best
        if size[home] == 0:
            empty[n_empty] = home
            n_empty += 1
        moved[n_moved] = i
        n_moved += 1
    return n_moved, n_empty


@jit()
def wake(indptr, ix, label, moved, active, a, b):
    """Mark the neighbours of moved[a:b] that are not in the same community: all threads write the same value."""
    for z in range(a, b):
        far = moved[min(z + AHEAD, b - 1)]
        for line in range(4 * indptr[far], 4 * indptr[far + 1], 64):
            prefetch(ix.ctypes.data + line)
        i = moved[z]
        for e in range(indptr[i], indptr[i + 1]):
            if label[ix[e]] != label[i]:
                active[ix[e]] = 1


@jit()
def work(state, step, graph, place, active, room, own):
    """Do pieces of the open phase, of `step` nodes each, until none is left; `own` is a table of this thread.

    Nothing here may ask for memory: a thread that gets none ends, and the others would wait for its piece for ever.
    """
    indptr, ix, w, mass, g = graph
    label, total, size = place
    nodes, wish, moved, stay, go = room
    while True:
        piece = take(state)
        if piece < 0:
            return
        a = piece * step
        b = min(a + step, state[COUNT])
        if state[KIND] == WISH:
            choose(indptr, ix, w, mass, label, total, size, g, nodes, wish, stay, go, own, a, b)
        else:
            wake(indptr, ix, label, moved, active, a, b)
        done(state)


@jit()
def share(state, kind, count, step, graph, place, active, room, own):
    """Open a phase over `count` nodes, as the leader, and do it with the others to its end."""
    pieces = (count + step - 1) // step
    open_phase(state, kind, count, pieces)
    work(state, step, graph, place, active, room, own)
    finished(state, pieces)


@jit()
def sweeps(state, step, most, quiet, graph, place, active, room, empty, own):
    """Move nodes in rounds, at most `most` times all of them, until no more than `quiet` are active.

    Called by every thread of a team with the same arguments (see ``team.py``) but for `own`, a table for the neighbours
    of any node. Returns the number of moves, from the leader; 0 from others.
    """
    if not leads(state):
        seen = np.int64(0)
        while True:
            seen = await_phase(state, seen)
            if seen == OVER:
                return 0
            work(state, step, graph, place, active, room, own)
    indptr, ix, w, mass, g = graph
    label, total, size = place
    nodes, wish, moved, stay, go = room
    n_empty = vacancies(size, empty)
    moves = 0
    for sweep in range(most):
        for turn in range(GROUPS):
            count = due(active, sweep, turn, nodes)
            if count == 0:
                continue
            share(state, WISH, count, step, graph, place, active, room, own)
            n_moved, n_empty = apply(
                nodes, count, wish, stay, go, mass, label, total, size, g, empty, n_empty, active, moved
            )
            if n_moved == 0:
                continue
            share(state, WAKE, n_moved, step, graph, place, active, room, own)
            moves += n_moved
        restless = 0
        for x in active:
            restless += x
        if restless <= quiet:
            break
    dismiss(state)
    return moves
