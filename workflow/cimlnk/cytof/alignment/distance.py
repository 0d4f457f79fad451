"""How far samples lie apart: what an alignment must shrink between batches and must not shrink between people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.floating]

GRID = np.linspace(0.005, 0.995, 100)


def sample_distances(samples: Sequence[Floats]) -> Floats:
    """Distance of all pairs of samples: the earth mover's distance per marker, averaged over markers.

    Parameters
    ----------
    samples
        One (cells, markers) array per sample, on one scale; numbers of cells may differ.

    Returns
    -------
    (samples, samples), symmetric, zero on the diagonal, in units of the analysis scale. The distance of a marker is
    the mean difference of 100 quantiles, which is the 1-Wasserstein distance without its extreme half per cents.
    """
    quantiles = np.array([np.quantile(s, GRID, axis=0) for s in samples])
    n = len(samples)
    out = np.zeros((n, n))
    for i in range(n):
        out[i, i + 1 :] = np.abs(quantiles[i] - quantiles[i + 1 :]).mean(axis=(1, 2))
    return out + out.T


def summarise_distances(distance: Floats, batch: Sequence[object], who: Sequence[object]) -> dict[str, float]:
    """Batch effect and biology in a matrix of distances.

    Parameters
    ----------
    distance
        From :func:`sample_distances`.
    batch, who
        Batch and identity (person, or person and condition) of each sample.

    Returns
    -------
    dict
        ``same_across`` mean distance of the same identity in different batches, ``different_within`` of different
        identities in one batch, ``different_across``; ``ratio`` same_across / different_within; ``told_apart`` share
        of samples whose nearest sample of other batches has the same identity (only identities seen in several
        batches). NaN where there is no such pair.
    """
    b, w = np.array([str(v) for v in batch]), np.array([str(v) for v in who])
    same_b, same_w = b[:, None] == b, w[:, None] == w
    upper = np.triu(np.ones_like(same_b), 1)

    def mean(mask: npt.NDArray[np.bool_]) -> float:
        return float(distance[mask & upper].mean()) if (mask & upper).any() else float("nan")

    hits = []
    for i in range(len(b)):
        others = np.flatnonzero(b != b[i])
        if len(others) and (w[others] == w[i]).any():
            hits.append(w[others[distance[i, others].argmin()]] == w[i])
    same, different = mean(~same_b & same_w), mean(same_b & ~same_w)
    return {
        "same_across": same,
        "different_within": different,
        "different_across": mean(~same_b & ~same_w),
        "ratio": same / different if different else float("nan"),
        "told_apart": float(np.mean(hits)) if hits else float("nan"),
    }


def marker_distances(
    before: Sequence[Floats], after: Sequence[Floats], markers: Sequence[str], *, pairs: Sequence[tuple[int, int]]
) -> pd.DataFrame:
    """Mean distance over `pairs` of samples by marker, before and after."""
    rows = {}
    for name, samples in (("before", before), ("after", after)):
        quantiles = np.array([np.quantile(s, GRID, axis=0) for s in samples])
        rows[name] = np.mean([np.abs(quantiles[i] - quantiles[j]).mean(axis=0) for i, j in pairs], axis=0)
    return pd.DataFrame({"marker": list(markers), **rows})
