"""A small, deterministic clustering of cells into metaclusters, to align each kind of cell by its own distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cimlnk.common.seeds import rng

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]

NODES = 64
TRAINING = 50_000  # cells the nodes are found with; more change nothing but the time
BLOCK = 65_536
ROUNDS = 50


@dataclass(frozen=True)
class Metaclusters:
    """Nodes in marker space and the metacluster of each: what FlowSOM's grid and consensus step are to CytoNorm.

    Attributes
    ----------
    mean, spread
        (markers,) by which values are standardised.
    nodes
        (nodes, markers) in standardised units.
    label
        (nodes,) metacluster of a node, from 0.
    """

    mean: Floats
    spread: Floats
    nodes: Floats
    label: Ints

    @property
    def n(self) -> int:
        return int(self.label.max()) + 1

    def assign(self, values: Floats) -> Ints:
        """(cells,) metacluster of the nearest node."""
        from scipy.cluster.vq import vq

        out = np.empty(len(values), dtype=np.intp)
        for start in range(0, len(values), BLOCK):
            block = (np.asarray(values[start : start + BLOCK], dtype=np.float64) - self.mean) / self.spread
            out[start : start + len(block)] = self.label[vq(block, self.nodes)[0]]
        return out


def find_metaclusters(values: Floats, n: int, seed: int) -> Metaclusters:
    """k-means nodes (64, k-means++ start), joined by Ward's method to `n` metaclusters.

    Parameters
    ----------
    values
        (cells, markers) on the analysis scale, already roughly aligned.
    n
        Metaclusters; 1 gives a single one without clustering.
    seed
        Of the start and of the sample of at most 50,000 cells used.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import cdist

    draw = rng(seed, "alignment", "metaclusters")
    mean, spread = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    spread = np.where(spread > 0, spread, 1.0)
    if n == 1:
        return Metaclusters(mean, spread, np.zeros((1, values.shape[1])), np.zeros(1, np.intp))
    rows = np.sort(draw.choice(len(values), min(TRAINING, len(values)), replace=False))
    data = (np.asarray(values[rows], dtype=np.float64) - mean) / spread
    k = min(NODES, max(n, len(data) // 20))
    nodes = [data[draw.integers(len(data))]]
    nearest = np.full(len(data), np.inf)
    while len(nodes) < k:
        nearest = np.minimum(nearest, ((data - nodes[-1]) ** 2).sum(axis=1))
        if nearest.sum() == 0:
            break  # fewer distinct cells than nodes
        nodes.append(data[draw.choice(len(data), p=nearest / nearest.sum())])
    centre = np.array(nodes)
    for _ in range(ROUNDS):
        own = cdist(data, centre, "sqeuclidean").argmin(axis=1)
        count = np.bincount(own, minlength=len(centre))
        total = np.column_stack([np.bincount(own, data[:, j], len(centre)) for j in range(data.shape[1])])
        moved = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centre)
        if np.allclose(moved, centre, rtol=0, atol=1e-4):
            break
        centre = moved
    label = fcluster(linkage(centre, "ward"), min(n, len(centre)), "maxclust") if len(centre) > 1 else np.ones(1)
    return Metaclusters(mean, spread, centre, np.unique(label, return_inverse=True)[1].astype(np.intp))
