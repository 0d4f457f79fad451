"""How many populations share a sample: inverse Simpson and Shannon on subsamples of one size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.tables import DIVERSITY
from cimlnk.stats.diversity import rarefied


def make_diversity(abundance: pd.DataFrame, min_cells: int, draws: int, *, seed: int) -> pd.DataFrame:
    """Diversity of the named populations of every sample.

    Both indices grow with the number of cells, so all samples of a modality are cut to the size of the smallest one
    that has at least `min_cells` cells with a name (rarefaction). The point is the mean over subsamples without
    replacement, the interval comes from draws of the same size with replacement: it also carries the sampling of cells.

    Parameters
    ----------
    abundance
        ABUNDANCE; `unassigned` cells do not count.
    min_cells
        Samples with fewer named cells get NaN with the reason, and do not set the depth.
    draws
        Subsamples and resamples.
    seed
        Every sample has its own stream, so adding one changes no other (unless it is the smallest).

    Returns
    -------
    DataFrame
        DIVERSITY, sorted by modality, patient, day and sample.
    """
    used = abundance[abundance["sample"].notna() & ~abundance["population"].isin([NK, UNASSIGNED])]
    rows = []
    for modality, part in used.groupby("modality", sort=True):
        facts = part.drop_duplicates("sample").set_index("sample")
        cells = part.pivot(index="sample", columns="population", values="n_cells").sort_index().fillna(0.0)
        total = cells.sum(axis=1).astype(int)
        enough = total[total >= min_cells]
        depth = int(enough.min()) if len(enough) else 0
        for sample, counts in zip(cells.index, cells.to_numpy(int), strict=True):
            row = {"modality": modality, "sample": sample, "n_cells": int(total[sample]), "depth": float(depth)}
            row |= {c: facts.at[sample, c] for c in ("patient", "day", "arm", "tissue_or_product")}
            if total[sample] < min_cells:
                row["depth"], row["reason"] = np.nan, f"{total[sample]} named cells, at least {min_cells} are needed"
            else:
                random = rng(seed, "dynamics_diversity", modality, sample)
                row |= rarefied(counts, depth, draws, random=random)._asdict()
            rows.append(row)
    if not rows:
        return DIVERSITY.empty()
    table = pd.DataFrame(rows).reindex(columns=list(DIVERSITY.columns))
    return DIVERSITY.check(table).sort_values(["modality", "patient", "day", "sample"], ignore_index=True)
