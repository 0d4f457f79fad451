"""The table of added samples: populations, and what is strange about each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.tables import Schema

from .far import far_of
from .shift import Shift

ADDED = Schema(
    "added",
    {
        "sample": ("str", "new sample"),
        "population": ("str", "named subset"),
        "n_cells": ("int", "cells placed in it"),
        "n_nk": ("int", "NK cells of the sample"),
        "fraction": ("float", "n_cells / n_nk"),
        "nearest": ("float", "the same fraction by the names of the nearest earlier cells alone"),
        "confidence": ("float", "mean confidence of the cells placed in it; NaN without one"),
        "strange": ("float", "share of the sample's cells unusually far from every known cell"),
        "least": ("float", "lower limit of that share by the sample's count of cells (one-sided 95 %)"),
        "chance": ("float", "upper limit of the share that lies so far with nothing new, by the earlier cells' counts"),
        "signal": ("float", "signal of the sample's lineages, as a multiple of the earlier samples'"),
        "swapped": ("str?", "two markers that fit the earlier samples if read as each other"),
        "unlike": ("float", "distance of its lineages from the earlier samples', in that of the farthest of those"),
        "reason": ("str?", "why signal and exchanged markers cannot be determined"),
    },
)


def added(new: pd.DataFrame, measured: Mapping[str, Shift], *, chance: NDArray[np.float64]) -> pd.DataFrame:
    """ADDED from the placed cells, how each sample was measured, and :func:`.far.by_chance` of the clusters."""
    counts = new.groupby(["sample", "population"], observed=True).agg(
        n_cells=("cell", "size"), confidence=("confidence", "mean")
    )
    nearest = new.groupby(["sample", "nearest"], observed=True).size().rename("nearest")
    nearest.index = nearest.index.set_names(["sample", "population"])
    table = counts.join(nearest, how="outer").sort_index().reset_index()
    table["n_nk"] = table["sample"].map(new.groupby("sample").size())
    table["n_cells"] = table["n_cells"].fillna(0).astype(int)
    table["fraction"], table["nearest"] = table["n_cells"] / table["n_nk"], table["nearest"].fillna(0) / table["n_nk"]
    far = {s: far_of(own["strangeness"].to_numpy(), own["cluster"].to_numpy(np.int32), chance)
           for s, own in new.groupby("sample")}  # fmt: skip
    table["strange"] = table["sample"].map({s: f.share for s, f in far.items()})
    table["least"] = table["sample"].map({s: f.least for s, f in far.items()})
    table["chance"] = table["sample"].map({s: f.chance for s, f in far.items()})
    table["signal"] = table["sample"].map({s: m.signal for s, m in measured.items()}).astype(float)
    table["unlike"] = table["sample"].map({s: m.unlike for s, m in measured.items()}).astype(float)
    pairs = {s: " and ".join(m.swapped) if m.swapped else None for s, m in measured.items()}
    table["swapped"] = table["sample"].map(pairs).astype(object)
    table["reason"] = table["sample"].map({s: m.reason for s, m in measured.items()}).astype(object)
    return ADDED.check(table)
