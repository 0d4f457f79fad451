"""Events that were not clustered take the lineages of the clustered events nearest to them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .call import Contradiction, contradicted
from .markers import LINEAGES

NEIGHBOURS = 10
EXACT_BELOW = 5000  # clustered events; a million are placed on more of them three times as fast by cells of the index
SAME = 1e-6  # squared distance (analysis scale) below which an event is one of the clustered ones

Floats = NDArray[np.floating]


class Placed(NamedTuple):
    """Per event: probabilities (events x LINEAGES), the most probable lineage (code) and its probability."""

    probability: NDArray[np.float32]
    lineage: NDArray[np.int8]
    confidence: NDArray[np.float32]


def place_events(
    values: Floats,
    known: Floats,
    probability: NDArray[np.float32],
    *,
    rule: Contradiction,
    seed: int = 0,
    threads: int | None = None,
) -> Placed:
    """Lineages of events by their ten nearest clustered events.

    Parameters
    ----------
    values
        Events x lineage markers (analysis scale).
    known, probability
        The clustered events of the batch in the same markers, and their `by_clusters` of :class:`.call.Called`.
    rule
        `contradiction` of :class:`.call.Called`.

    Notes
    -----
    Neighbours vote with the inverse of their distance. A clustered event that is placed again finds itself and keeps
    its own. What a single event carries of another lineage lowers its probability of being an NK cell, as there.
    """
    from cimlnk.graph.search import Index, query
    from cimlnk.graph.sketching import CHUNK, RECALL
    from cimlnk.graph.tasks import pool

    X = np.ascontiguousarray(values, np.float32)
    base = np.ascontiguousarray(known, np.float32)
    out = np.empty((len(X), len(LINEAGES)), np.float32)
    k = min(NEIGHBOURS, len(base))
    with pool(threads) as workers:
        index = Index(base, workers, seed, exact=len(base) <= EXACT_BELOW)
        budget = 0.0 if index.exact else index.calibrated(k, 1 - RECALL).budget
        for a in range(0, len(X), CHUNK):
            part = X[a : a + CHUNK]
            found = query(index, part, k, budget=budget)
            weight = 1.0 / (found.distances + 0.1 * found.distances.mean(axis=1, keepdims=True) + 1e-6)
            same = found.distances[:, 0] < SAME
            weight[same, 1:] = 0.0
            weight /= weight.sum(axis=1, keepdims=True)
            out[a : a + CHUNK] = np.einsum("nk,nkl->nl", weight, probability[found.indices], optimize=True)
    out = contradicted(X, rule, out)
    return Placed(out, out.argmax(axis=1).astype(np.int8), out.max(axis=1))
