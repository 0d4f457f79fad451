"""How the arms of a cohort differ before or without an infusion: for the overview and the summary alike."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.report.reading import rank_sum
from cimlnk.stats.fdr import fdr

METHOD = "exact permutation of patients (rank sum)"


def compare_arms(abundance: pd.DataFrame) -> pd.DataFrame:
    """Share of every subset in the patients' first blood, arm against arm.

    Parameters
    ----------
    abundance
        ABUNDANCE.

    Returns
    -------
    pandas.DataFrame
        modality, population, arm, other, n, n_other, median, median_other (percent), p (exact permutation of the
        patients, two-sided), p_floor (the smallest these numbers allow), fdr (within modality), method, reason.
    """
    blood = abundance[
        (abundance["tissue_or_product"] == "blood")
        & abundance["fraction"].notna()
        & ~abundance["population"].isin([NK, UNASSIGNED])
    ]
    first = (
        blood.sort_values("day").groupby(["modality", "arm", "patient", "population"], sort=True)["fraction"].first()
    )
    rows = []
    for (modality, population), part in first.groupby(["modality", "population"], sort=True):
        groups = {a: g.to_numpy() for a, g in part.groupby("arm")}
        for arm, other in combinations(sorted(groups), 2):
            a, b = groups[arm], groups[other]
            p, floor, reason = rank_sum(a, b)
            rows.append(
                {
                    "modality": modality, "population": population, "arm": arm, "other": other, "n": len(a),
                    "n_other": len(b), "median": 100 * np.median(a), "median_other": 100 * np.median(b), "p": p,
                    "p_floor": floor, "method": METHOD, "reason": reason,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    if len(table):
        table["fdr"] = np.nan
        for _, part in table.dropna(subset=["p"]).groupby("modality"):
            table.loc[part.index, "fdr"] = fdr(part["p"])
    return table
