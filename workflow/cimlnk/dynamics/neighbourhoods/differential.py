"""Differential abundance of neighbourhoods: within patients, moderated over neighbourhoods, spatial FDR."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.dynamics.contrasts import Contrast, contrasts
from cimlnk.dynamics.designs import contrast_design
from cimlnk.dynamics.results import blank_confounded
from cimlnk.stats.count_glm import common_dispersion, ql_test
from cimlnk.stats.fdr import spatial_fdr
from cimlnk.stats.paired import few_pairs

Floats = NDArray[np.float64]
COLUMNS = ["effect", "effect_low", "effect_high", "df", "p", "fdr", "separated", "converged", "reason"]


def neighbourhood_tests(
    counts: NDArray[np.integer],
    totals: NDArray[np.integer],
    radius: Floats,
    *,
    samples: pd.DataFrame,
    baselines: Sequence[str],
    reference_arm: str | None = None,
    min_patients: int = 3,
    min_count: int = 10,
) -> pd.DataFrame:
    """Test every neighbourhood for every contrast the samples allow.

    Each contrast uses the two time points it compares, in the patients that have both, with the patient as a fixed
    effect. So it works from a handful of pairs on, other time points cannot disturb its error, and there is no
    random-effect variance to be estimated from six patients. The error of a neighbourhood is steadied by the others
    (:func:`~cimlnk.stats.count_glm.ql_test`).

    Parameters
    ----------
    counts : (neighbourhoods, samples)
    totals : (samples,)
        All cells of every sample in the graph: effects are ratios of shares of these.
    radius : (neighbourhoods,)
        For the spatial FDR.
    samples
        SAMPLES in the order of the columns of `counts`.
    min_patients
        Fewest patients (of each arm) with both time points; below it every row says so.
    min_count
        Fewest cells of a neighbourhood in the samples of a contrast.

    Returns
    -------
    DataFrame
        One row per contrast x neighbourhood: contrast, neighbourhood, n_patients and the columns of NEIGHBOURHOODS
        from effect to reason. No row is ever missing.
    """
    parts = []
    todo = contrasts(samples, baselines, reference_arm)
    for contrast in todo:
        columns, patients, design, tested = contrast_design(samples, contrast, totals)
        table = _blank(len(counts), contrast, patients)
        if patients < min_patients:
            table["reason"] = few_pairs(patients, min_patients)
        else:
            _fill(
                table,
                counts[:, columns].astype(float),
                design,
                offset=np.log(totals[columns]),
                tested=tested,
                radius=radius,
                min_count=min_count,
            )
        parts.append(table)
    if not parts:
        return pd.DataFrame(columns=["contrast", "neighbourhood", "n_patients", *COLUMNS])
    return blank_confounded(pd.concat(parts, ignore_index=True), samples, todo)


def _blank(n: int, contrast: Contrast, patients: int) -> pd.DataFrame:
    table = pd.DataFrame({"contrast": contrast.name, "neighbourhood": np.arange(n), "n_patients": patients})
    for column in ("effect", "effect_low", "effect_high", "df", "p", "fdr"):
        table[column] = np.nan
    table["separated"], table["converged"], table["reason"] = False, False, None
    return table


def _fill(
    table: pd.DataFrame, y: Floats, design: Floats, *, offset: Floats, tested: int, radius: Floats, min_count: int
) -> None:
    enough = y.sum(axis=1) >= min_count
    few = y.sum(axis=1)[~enough].astype(int)
    table.loc[~enough, "reason"] = [f"{c} cells in the samples compared, {min_count} are needed" for c in few]
    if not enough.any():
        return
    phi = common_dispersion(y[enough], design, offset)
    result = ql_test(y[enough], design, offset, column=tested, dispersion=phi)
    values = {
        "effect": result.effect,
        "effect_low": result.low,
        "effect_high": result.high,
        "df": result.df,
        "p": result.p,
        "separated": result.separated,
        "converged": result.converged,
    }
    for name, column in values.items():
        table.loc[enough, name] = column
    failed = enough & ~table["converged"].to_numpy(bool)
    table.loc[failed, "reason"] = "the counts leave no degree of freedom, or the fit did not converge"
    table["fdr"] = spatial_fdr(table["p"].to_numpy(float), radius)
