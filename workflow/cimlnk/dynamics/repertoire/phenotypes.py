"""Receptor repertoires: which receptors each cell has, counted as Boolean phenotypes per sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def phenotype_codes(values: NDArray[np.floating], thresholds: NDArray[np.floating]) -> NDArray[np.int64]:
    """The Boolean phenotype of every cell as an integer: bit j is set if marker j is above its threshold.

    Strauss-Albee 2015 (Sci Transl Med 7:297ra115) describes the NK repertoire by such combinations.

    Parameters
    ----------
    values
        Cells x markers, analysis scale; at most 62 markers.
    thresholds
        One per marker.
    """
    if values.shape[1] > 62:
        raise ValueError(f"{values.shape[1]} markers do not fit into one integer code")
    bits = 1 << np.arange(values.shape[1], dtype=np.int64)
    return (values > np.asarray(thresholds)[None, :]).astype(np.int64) @ bits


def phenotype_name(code: int, markers: Sequence[str]) -> str:
    """``"NKG2A+ NKG2C- CD57-"`` for a code."""
    return " ".join(f"{marker}{'+' if code >> j & 1 else '-'}" for j, marker in enumerate(markers))


def count_phenotypes(
    arrays: Iterable[tuple[str, NDArray[np.floating]]], thresholds: NDArray[np.floating]
) -> pd.DataFrame:
    """Count phenotypes sample by sample; only one sample's cells are in memory at a time.

    Parameters
    ----------
    arrays
        (sample, cells x markers) pairs, for example a generator that reads files.
    thresholds
        One per marker.

    Returns
    -------
    DataFrame
        Samples x codes (sorted), int64 counts; only codes seen in some sample have a column.
    """
    counted = {}
    for sample, values in arrays:
        codes, counts = np.unique(phenotype_codes(values, thresholds), return_counts=True)
        counted[sample] = pd.Series(counts, index=codes, dtype="int64")
    if not counted:
        return pd.DataFrame(dtype="int64")
    table = pd.DataFrame(counted).T
    return table.reindex(columns=sorted(table.columns)).fillna(0).astype("int64")


def long_counts(counts: pd.DataFrame, markers: Sequence[str]) -> pd.DataFrame:
    """Counts as one row per sample and phenotype with cells: sample, phenotype, n_cells, fraction."""
    total = counts.sum(axis=1)
    long = counts.rename_axis(index="sample", columns="code").stack().rename("n_cells").reset_index()
    long = long[long["n_cells"] > 0]
    long["phenotype"] = [phenotype_name(int(c), markers) for c in long["code"]]
    long["fraction"] = long["n_cells"] / total.reindex(long["sample"]).to_numpy()
    return long.sort_values(["sample", "n_cells", "code"], ascending=[True, False, True], kind="stable")
