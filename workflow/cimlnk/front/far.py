"""Whether more of a new sample's cells lie far from every known one than chance, and the counts, allow for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

# Of a sample's cells beyond the 99th percentile of the known ones' distances; 1 % by construction where nothing is new.
STRANGE_SHARE = 0.10
LEVEL = 0.95  # one-sided, of both limits


class Far(NamedTuple):
    """Cells of a sample that lie far from every known one.

    Attributes
    ----------
    share
        Of the sample's cells.
    least
        Lower limit of that share: what so few cells can tell.
    chance
        Upper limit of the share that lies as far with nothing new: the earlier cells of a small cluster tell their own
        99th percentile badly.
    """

    share: float
    least: float
    chance: float

    @property
    def strange(self) -> bool:
        """Whether the counts bear out that more than `STRANGE_SHARE`, and more than by chance, lie far."""
        return self.least > max(STRANGE_SHARE, self.chance)

    @property
    def untold(self) -> bool:
        """Whether many lie far, but too few cells are there to tell."""
        return self.share > STRANGE_SHARE and not self.strange

    @property
    def bordering(self) -> bool:
        """Whether the cells are enough to tell that more lie far than by chance, but hardly more than strange takes."""
        return self.untold and self.least > max(STRANGE_SHARE / 2, self.chance)


def limits(hits: NDArray[np.int_], n: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper limit of a share (Clopper & Pearson 1934, Biometrika 26:404), each one-sided at `LEVEL`.

    Examples
    --------
    >>> low, high = limits(np.array([6, 0]), np.array([45, 20]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.06, 0.0], [0.247, 0.139])
    """
    hits, n = np.asarray(hits), np.asarray(n)
    low = np.where(hits == 0, 0.0, special.betaincinv(np.maximum(hits, 1), n - hits + 1.0, 1 - LEVEL))
    high = np.where(hits >= n, 1.0, special.betaincinv(hits + 1.0, np.maximum(n - hits, 1), LEVEL))
    return low, high


def by_chance(
    reach: NDArray[np.floating], labels: NDArray[np.integer], *, quantile: float = 0.99
) -> NDArray[np.float64]:
    """Per cluster, the largest share of like cells that may lie beyond a quantile taken from its n cells.

    Parameters
    ----------
    reach, labels
        Of the known cells: distance to the k-th neighbour, and cluster from 0.
    quantile
        The one beyond which a new cell is strange.
    """
    n = np.bincount(labels)
    beyond = np.array([
        (reach[labels == c] > np.quantile(reach[labels == c], quantile)).sum() if n[c] else 0 for c in range(len(n))
    ])  # fmt: skip
    return np.where(n > 0, limits(beyond, np.maximum(n, 1))[1], 1.0)


def far_of(strangeness: NDArray[np.floating], labels: NDArray[np.integer], chance: NDArray[np.float64]) -> Far:
    """A sample's cells: strangeness (above 1 is far) and cluster of each; `chance` is that of the clusters."""
    far = strangeness > 1
    low, _ = limits(np.array([far.sum()]), np.array([len(far)]))
    return Far(float(far.mean()), float(low[0]), float(chance[labels].mean()))
