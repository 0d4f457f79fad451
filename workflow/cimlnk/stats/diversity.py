"""Diversity of kinds in a sample, from counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


def inverse_simpson(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """1 / sum p² along the last axis (Simpson 1949, Nature 163:688): the number of equally common kinds as diverse.

    NaN where there is no cell.

    Examples
    --------
    >>> import numpy as np
    >>> inverse_simpson(np.array([[5, 5, 0], [9, 1, 0]])).round(2)
    array([2.  , 1.22])
    """
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 / ((counts / total) ** 2).sum(axis=-1), dtype=np.float64)


class Rarefied(NamedTuple):
    """Diversity of one sample at a given depth, with limits of the inverse Simpson index."""

    inverse_simpson: float
    shannon: float
    low: float
    high: float


def rarefied(
    counts: NDArray[np.integer], depth: int, draws: int, *, random: np.random.Generator, level: float = 0.95
) -> Rarefied:
    """Mean diversity of subsamples of `depth` cells, and an interval (Hurlbert 1971, Ecology 52:577).

    The subsamples are drawn without replacement, so that a bigger sample is not more diverse for being bigger. The
    interval is another thing: the cells are resampled with replacement to the same depth, so it tells how far the value
    would move if the blood were drawn and measured again. Resampling a resample counts its chance twice in sum p²
    (each adds about 1 / depth); that is taken out once, so that the interval is centred on the value it belongs to.

    Parameters
    ----------
    counts
        Cells of every kind.
    depth
        At most the sum of `counts`.
    draws
        Subsamples, and resamples.
    level
        Coverage of the interval.

    Examples
    --------
    >>> import numpy as np
    >>> found = rarefied(np.array([50, 50, 0]), 100, 200, random=np.random.default_rng(0))
    >>> round(found.inverse_simpson, 2), found.low < 2 <= found.high
    (2.0, True)
    """
    thinned = random.multivariate_hypergeometric(counts, depth, size=draws)
    drawn = random.multinomial(depth, counts / counts.sum(), size=draws)
    value = float(inverse_simpson(thinned).mean())
    simpson = 1 / inverse_simpson(drawn)
    centred = simpson - simpson.mean() + 1 / value
    low, high = np.quantile(1 / np.maximum(centred, 1e-12), [(1 - level) / 2, (1 + level) / 2])
    return Rarefied(value, float(shannon(thinned).mean()), float(low), float(high))


def shannon(counts: NDArray[np.number]) -> NDArray[np.float64]:
    """- sum p ln p along the last axis, in nats (Shannon 1948).

    Examples
    --------
    >>> import numpy as np
    >>> shannon(np.array([[1, 1, 1, 1], [4, 0, 0, 0]])).round(3) + 0.0
    array([1.386, 0.   ])
    """
    total = counts.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = counts / total
        return np.asarray(-np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=-1), dtype=np.float64)
