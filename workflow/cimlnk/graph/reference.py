"""The Leiden implementations of igraph and leidenalg behind the same call, as references."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds

if TYPE_CHECKING:
    from .network import Graph


def reference(
    graph: Graph,
    resolution: float,
    objective: str,
    *,
    seed: int,
    n_iterations: int,
    start: NDArray[np.int32] | None,
    backend: str,
) -> NDArray[np.int32]:
    """Labels found by igraph's or leidenalg's Leiden on the same graph."""
    import igraph as ig

    rows = np.repeat(np.arange(graph.n, dtype=np.int32), np.diff(graph.indptr))
    upper = rows < graph.ix
    network = ig.Graph(graph.n, np.column_stack([rows[upper], graph.ix[upper]]))
    values = graph.w[upper].astype(np.float64)
    stream = seeds.derive(seed, "leiden", backend)
    initial = None if start is None else start.tolist()
    if backend == "igraph":
        state = random.getstate()
        random.seed(stream)  # igraph draws from Python's generator
        try:
            found = network.community_leiden(
                objective_function=objective,
                weights=values.tolist(),
                resolution=resolution,
                n_iterations=n_iterations,
                initial_membership=initial,
            )
        finally:
            random.setstate(state)
        return np.array(found.membership, np.int32)
    import leidenalg

    kind = leidenalg.RBConfigurationVertexPartition if objective == "modularity" else leidenalg.CPMVertexPartition
    best = leidenalg.find_partition(
        network,
        kind,
        initial_membership=initial,
        weights=values.tolist(),
        resolution_parameter=resolution,
        n_iterations=n_iterations,
        seed=stream % (1 << 31),
    )
    return np.array(best.membership, np.int32)
