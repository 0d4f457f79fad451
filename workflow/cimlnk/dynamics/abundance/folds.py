"""FOLDS: cells per microlitre of every day over the patient's own pre-infusion blood."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.baseline import baseline_row
from cimlnk.dynamics.tables import PER_UL
from cimlnk.stats.intervals import product_limits

from .tables import FOLDS

SERIES = ["modality", "patient", "arm", "population"]
MIN_BASELINE = 5  # as the default of dynamics.few_cells.min_baseline


def daily(abundance: pd.DataFrame) -> pd.DataFrame:
    """One row per series and blood day.

    Columns are SERIES, day, timepoint, whether a file was sampled, cells_per_ul and limits, n_cells, n_counted, reason.

    Replicate files of a day are averaged, their limits too: the error of the common blood count does not average out.
    """
    blood = abundance[abundance["tissue_or_product"] == "blood"]
    grouped = blood.groupby([*SERIES, "day"], sort=True)
    table = grouped[PER_UL].mean()
    table["n_cells"] = grouped["n_cells"].sum(min_count=1)
    # the cells that cells/uL rest on: an NK count of the sheet rests on none of the file's
    resting = blood["n_cells"].where((blood["population"] != NK) | (blood["nk_per_ul_source"] != "counts"))
    table["n_counted"] = resting.groupby([blood[c] for c in (*SERIES, "day")], sort=True).sum(min_count=1)
    table["timepoint"] = grouped["timepoint"].first()
    table["reason"] = grouped["reason"].first()
    table["sampled"] = grouped["sample"].count() > 0
    return table.reset_index()


def make_folds(abundance: pd.DataFrame, baseline_timepoint: str, *, min_baseline: int = MIN_BASELINE) -> pd.DataFrame:
    """Fold change of every population's cells/µL against the baseline, blood only.

    Parameters
    ----------
    abundance
        ABUNDANCE.
    baseline_timepoint
        Name of the pre-infusion time point. Product and donor samples are never a denominator.
    min_baseline
        Fewest cells at the baseline that a fold is taken over (config `dynamics.few_cells`). They are the population's
        cells in the file; NK cells for NK/µL from their share of the lymphocytes; an NK count of the sheet has none to
        be counted.

    Returns
    -------
    DataFrame
        FOLDS: every series × blood day; on the baseline day the fold is 1 without an interval of its own. Limits
        combine those of both days (MOVER on the log scale). Too few cells at baseline, or none: fold and `fold_high`
        NaN with the reason, `fold_low` still stated.
    """
    parts = []
    days = daily(abundance)
    known = set(days["timepoint"])
    for _, series in days.groupby(SERIES, sort=True):
        base, reason = baseline_row(series, baseline_timepoint, known)
        parts.append(_unknown(series, reason or "") if base is None else _over(series, base, min_baseline))
    if not parts:
        return FOLDS.empty()
    return FOLDS.check(pd.concat(parts, ignore_index=True))


def _unknown(series: pd.DataFrame, reason: str) -> pd.DataFrame:
    table = series[[*SERIES, "day"]].copy()
    table[["baseline_day", "fold_change", "fold_low", "fold_high"]] = np.nan
    table["reason"] = reason
    return table


def _over(series: pd.DataFrame, base: pd.Series, min_baseline: int) -> pd.DataFrame:
    table = series[[*SERIES, "day"]].copy()
    table["baseline_day"] = float(base["day"])
    value, low, high = (series[c].to_numpy(float) for c in PER_UL)
    denominator = tuple(np.full(len(series), float(base[c])) for c in PER_UL)
    with np.errstate(divide="ignore", invalid="ignore"):
        fold = value / denominator[0]
    fold_low, fold_high = product_limits((value, low, high), denominator, sign=-1)
    reason = series["reason"].to_numpy(object).copy()
    if denominator[0][0] <= 0:
        fold[:], fold_high = np.nan, np.full(len(series), np.nan)
        measured = np.isfinite(value)
        reason[measured] = "no cells of the population at baseline"
        with np.errstate(divide="ignore", invalid="ignore"):
            fold_low = np.where(value > 0, low / denominator[2], 0.0)
        fold_low[~measured] = np.nan
    elif base["n_counted"] < min_baseline:
        measured = np.isfinite(value)
        fold[:], fold_high = np.nan, np.full(len(series), np.nan)
        reason[measured] = (
            f"too few cells of the population at baseline for a fold: {base['n_counted']:.0f}, "
            f"fewer than dynamics.few_cells.min_baseline = {min_baseline}"
        )
    else:
        same = series["day"].to_numpy() == base["day"]
        fold[same] = fold_low[same] = fold_high[same] = 1.0
    table["fold_change"], table["fold_low"], table["fold_high"] = fold, fold_low, fold_high
    table["reason"] = reason
    return table
