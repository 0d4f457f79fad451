"""Connected pieces of communities: found inside blocks of nodes side by side, then joined over the blocks' edges."""

from __future__ import annotations

import numpy as np

from .jit import jit

SEEN = 1024  # places in the table of pairs seen


@jit()
def pieces_inside(indptr, ix, label, root, a, b):
    """Connected pieces of the communities among the nodes a..b alone: the first node of each is written to `root`."""
    root[a:b] = -1
    stack = np.empty(b - a, np.int32)
    for s in range(a, b):
        if root[s] >= 0:
            continue
        root[s] = s
        stack[0] = s
        depth = 1
        while depth > 0:
            depth -= 1
            i = stack[depth]
            for e in range(indptr[i], indptr[i + 1]):
                u = ix[e]
                if u >= a and u < b and root[u] < 0 and label[u] == label[i]:
                    root[u] = s
                    stack[depth] = u
                    depth += 1


@jit()
def bridges(indptr, ix, label, root, a, b):
    """Pairs of pieces of one community that an edge from the nodes a..b to an earlier one joins.

    Most edges join pieces that an edge shortly before has joined: a small table of the last ones leaves them out.
    """
    before = np.full((SEEN, 2), np.int32(-1))
    found = np.empty((1024, 2), np.int32)
    count = 0
    for i in range(a, b):
        for e in range(indptr[i], indptr[i + 1]):
            u = ix[e]
            if u >= a or label[u] != label[i]:
                continue
            x = root[i]
            y = root[u]
            h = (x * 31 + y) & (SEEN - 1)
            if before[h, 0] == x and before[h, 1] == y:
                continue
            before[h, 0] = x
            before[h, 1] = y
            if count == len(found):
                more = np.empty((2 * count, 2), np.int32)
                more[:count] = found
                found = more
            found[count, 0] = x
            found[count, 1] = y
            count += 1
    return found[:count].copy()


@jit()
def join(root, pairs):
    """Make pieces that a pair joins one, in place: the earlier of two first nodes stands for both."""
    for z in range(len(pairs)):
        x = pairs[z, 0]
        y = pairs[z, 1]
        while root[x] != x:
            root[x] = root[root[x]]
            x = root[x]
        while root[y] != y:
            root[y] = root[root[y]]
            y = root[y]
        if x < y:
            root[y] = x
        else:
            root[x] = y


@jit()
def numbered(root):
    """Number the pieces in the order of their first nodes; `root` leads from every node to an earlier one of its piece.

    Returns the piece of every node, and their count.
    """
    out = np.empty(len(root), np.int32)
    count = 0
    for i in range(len(root)):
        if root[i] == i:
            out[i] = count
            count += 1
        else:
            out[i] = out[root[i]]
    return out, count
