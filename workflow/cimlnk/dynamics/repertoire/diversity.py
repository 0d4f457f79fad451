"""Diversity of samples of unequal size, compared at equal size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.stats.diversity import rarefied


def diversity(
    counts: pd.DataFrame, *, min_cells: int = 200, repeats: int = 200, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Rarefied diversity of every sample.

    Every sample with at least `min_cells` cells is reduced to the size of the smallest such sample
    (:func:`cimlnk.stats.diversity.rarefied`, `repeats` times).

    Parameters
    ----------
    counts
        Samples x kinds.
    min_cells
        Smaller samples get NaN and a reason, and do not set the depth.
    level
        Coverage of the interval of the inverse Simpson index.

    Returns
    -------
    DataFrame
        sample, n_cells, depth, inverse_simpson, shannon, low, high, reason.
    """
    totals = counts.sum(axis=1)
    enough = totals[totals >= min_cells]
    depth = int(enough.min()) if len(enough) else 0
    rows = []
    for sample, total in totals.items():
        row = {
            "sample": sample,
            "n_cells": int(total),
            "depth": float(depth) if depth else np.nan,
            "inverse_simpson": np.nan,
            "shannon": np.nan,
            "low": np.nan,
            "high": np.nan,
            "reason": None,
        }
        if total < min_cells:
            row["reason"] = f"{int(total)} cells, at least {min_cells} are needed"
        else:
            seen = counts.loc[sample].to_numpy()
            generator = rng(seed, "diversity", sample)
            row |= rarefied(seen[seen > 0], depth, repeats, random=generator, level=level)._asdict()
        rows.append(row)
    return pd.DataFrame(rows)
