"""Diversity of samples of unequal size, compared at equal size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.stats.diversity import inverse_simpson, shannon


def diversity(
    counts: pd.DataFrame, *, min_cells: int = 200, repeats: int = 200, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Rarefied diversity of every sample.

    Every sample with at least `min_cells` cells is reduced `repeats` times, without replacement, to the size of the
    smallest such sample; so a bigger file is not more diverse for being bigger (Hurlbert 1971, Ecology 52:577). The
    interval is another thing: the cells of the file are resampled with replacement to the same depth, so it tells
    how far the value would move if the blood were drawn and measured again.

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
            generator = rng(seed, "diversity", sample)
            seen = counts.loc[sample].to_numpy()
            seen = seen[seen > 0]
            thinned = generator.multivariate_hypergeometric(seen, depth, size=repeats)
            row["inverse_simpson"] = float(inverse_simpson(thinned).mean())
            row["shannon"] = float(shannon(thinned).mean())
            # Resampling a resample counts its chance twice in sum p^2 (each adds about 1/depth); take that out once,
            # so that the interval is centred on the value it belongs to.
            drawn = generator.multinomial(depth, seen / seen.sum(), size=repeats)
            simpson = 1 / inverse_simpson(drawn)
            centred = simpson - simpson.mean() + 1 / row["inverse_simpson"]
            limits = np.quantile(1 / np.maximum(centred, 1e-12), [(1 - level) / 2, (1 + level) / 2])
            row["low"], row["high"] = float(limits[0]), float(limits[1])
        rows.append(row)
    return pd.DataFrame(rows)
