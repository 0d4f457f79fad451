"""What repertoires and compositions say about time and donor: PERMANOVA and donor identity as rows of TESTS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.stats.intervals import wilson
from cimlnk.stats.permutation import Permuted, donor_identity, permanova

Floats = NDArray[np.float64]


def thinned(counts: pd.DataFrame, min_cells: int, seed: int) -> pd.DataFrame:
    """Every sample with at least `min_cells` cells, reduced to the size of the smallest of them.

    A distance between frequencies is inflated by sampling noise; at one depth it is inflated alike for all.
    """
    totals = counts.sum(axis=1)
    kept = counts[totals >= min_cells].sort_index()
    if kept.empty:
        return kept
    depth = int(kept.sum(axis=1).min())
    rows = [
        rng(seed, "thin", sample).multivariate_hypergeometric(kept.loc[sample].to_numpy(), depth)
        for sample in kept.index
    ]
    return pd.DataFrame(np.array(rows), index=kept.index, columns=kept.columns)


def distance_tests(
    distance: Floats, samples: pd.DataFrame, *, modality: str, what: str, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Ask a distance matrix for a time effect (per arm), a donor effect and donor identity.

    Parameters
    ----------
    distance
        Samples x samples.
    samples
        SAMPLES rows in the order of `distance`.
    what
        Written in the column ``feature``: ``receptors``, ``donor_receptors`` or ``composition``.

    Returns
    -------
    DataFrame
        TESTS. ``permanova_time`` exchanges time points within patients (one row per arm), ``permanova_patient`` and
        ``donor_identity`` exchange patients within time points (all arms together).
    """
    rows = []
    for arm in sorted(set(samples["arm"])):
        own = np.flatnonzero((samples["arm"] == arm).to_numpy())
        part = samples.iloc[own]
        test = permanova(
            distance[np.ix_(own, own)],
            part["timepoint"].to_numpy(),
            part["patient"].to_numpy(),
            permutations=permutations,
            seed=seed,
            name=f"time/{modality}/{what}/{arm}",
        )
        patients = part["patient"].value_counts()
        rows.append(
            _row(
                "permanova_time", modality, what, f"{arm}: time", int((patients > 1).sum()), test, "R2 within patients"
            )
        )
    common = {"permutations": permutations, "seed": seed}
    patient, timepoint = samples["patient"].to_numpy(), samples["timepoint"].to_numpy()
    repeated = int((samples["patient"].value_counts() > 1).sum())
    test = permanova(distance, patient, timepoint, name=f"patient/{modality}/{what}", **common)
    rows.append(_row("permanova_patient", modality, what, "all arms: patient", repeated, test, "R2 within time points"))
    test = donor_identity(distance, patient, timepoint, **common)
    row = _row("donor_identity", modality, what, "all arms: patient", repeated, test, "1-NN accuracy")
    if np.isfinite(test.statistic):
        n = int(samples["patient"].isin(samples["patient"].value_counts().loc[lambda c: c > 1].index).sum())
        row["effect"] = test.statistic
        row["effect_low"], row["effect_high"] = wilson(test.statistic, n)
    rows.append(row)
    return pd.DataFrame(rows)


def _row(test: str, modality: str, what: str, contrast: str, n: int, result: Permuted, unit: str) -> dict[str, Any]:
    return {
        "test": test,
        "modality": modality,
        "population": "NK",
        "feature": what,
        "contrast": contrast,
        "n_patients": n,
        "effect": result.effect,
        "effect_low": np.nan,
        "effect_high": np.nan,
        "effect_unit": unit,
        "se": np.nan,
        "df": np.nan,
        "p": result.p,
        "p_floor": result.p_floor,
        "fdr": np.nan,
        "converged": np.isfinite(result.p),
        "separated": False,
        "method": f"permutation within blocks ({result.permutations})",
        "reason": result.reason,
    }
