"""What happened to each patient's NK cells, in one row a patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.report.reading import first_modality
from cimlnk.report.run import Run

FOLD = 10.0  # an expansion, unless the claim on it has another bound
KEPT = 2.0  # a count is gone from the day on which this fold is no longer reached again


def expansion_bound(run: Run) -> float:
    """Fold that counts as an expansion: that of the study's first claim."""
    return float(run.config["claims"]["bounds"].get("C01", {}).get("low", FOLD))


def patient_rows(run: Run) -> pd.DataFrame:
    """One row per patient, by arm and patient.

    Returns
    -------
    pandas.DataFrame
        patient, arm, counts (blood counts), first_day, last_counted; baseline (NK/µL), peak, peak_day, peak_fold with
        limits, reached (first day at :func:`expansion_bound` or more), last_fold, last_day, lost_day (first day of
        :data:`KEPT`-fold or less that no later count exceeds; NaN if the last count exceeds it or none did), and
        `reason` where there is no fold.
    """
    kinetics = first_modality(run.table("dynamics/kinetics.parquet"))
    kinetics = kinetics[kinetics["population"] == NK].set_index("patient") if len(kinetics) else kinetics
    folds = run.table("dynamics/folds.parquet")
    folds = first_modality(folds[folds["population"] == NK]) if len(folds) else folds
    nk = run.table("dynamics/abundance.parquet")
    nk = nk[(nk["population"] == NK) & (nk["tissue_or_product"] == "blood")] if len(nk) else nk
    bound, rows = expansion_bound(run), []
    arms = run.samples.drop_duplicates("patient").set_index("patient")["arm"].astype(str)
    for patient, arm in sorted(arms.items(), key=lambda pair: (pair[1], str(pair[0]))):
        row = {"patient": str(patient), "arm": arm, "reason": None}
        days = (
            nk.loc[(nk["patient"] == patient) & nk["cells_per_ul"].notna(), "day"]
            if len(nk)
            else pd.Series([], dtype=int)
        )
        row |= {"counts": days.nunique(), "first_day": days.min(), "last_counted": days.max()}
        own = kinetics.loc[patient] if len(kinetics) and patient in kinetics.index else None
        blank = ("baseline_per_ul", "peak_day", "peak_fold", "peak_fold_low", "peak_fold_high", "last_fold", "last_day")
        row |= {c: float(own[c]) if own is not None else np.nan for c in blank}
        course = folds[(folds["patient"] == patient) & folds["fold_change"].notna()] if len(folds) else folds
        course = course[course["day"] > 0].sort_values("day") if len(course) else course
        row |= {"reached": first_at(course, bound), "lost_day": lost(course)}
        if not np.isfinite(row["peak_fold"]):
            row["reason"] = str(own["reason"]) if own is not None and own["reason"] else "no NK cells per microlitre"
        rows.append(row)
    return pd.DataFrame(rows)


def first_at(course: pd.DataFrame, bound: float) -> float:
    """First day with a fold of at least `bound`; NaN if there is none."""
    days = course.loc[course["fold_change"] >= bound, "day"] if len(course) else []
    return float(min(days)) if len(days) else np.nan


def lost(course: pd.DataFrame, kept: float = KEPT) -> float:
    """First day at or below `kept` after the last one above it; NaN if none was above or the last still is.

    Parameters
    ----------
    course
        Columns day (ascending, after infusion) and fold_change of one patient.

    Examples
    --------
    >>> lost(pd.DataFrame({"day": [7, 14, 28, 60], "fold_change": [12.0, 1.5, 4.0, 1.1]}))
    60.0
    """
    above = course.loc[course["fold_change"] > kept, "day"] if len(course) else []
    after = course.loc[course["day"] > max(above), "day"] if len(above) else []
    return float(min(after)) if len(after) else np.nan


def subsets_at_peak(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Named subsets in the blood file nearest to each patient's peak day, and in the one before infusion.

    Returns
    -------
    pandas.DataFrame
        modality, patient, population, day, share, before (shares of the patient's NK cells; `before` NaN without a file
        from before infusion). Only files after infusion stand for the peak.
    """
    table = run.table("dynamics/abundance.parquet")
    parts = []
    if not len(table):
        return pd.DataFrame(columns=["modality", "patient", "population", "day", "share", "before"])
    blood = table[(table["tissue_or_product"] == "blood") & table["fraction"].notna() & (table["population"] != NK)]
    blood = first_modality(blood)
    for row in rows.dropna(subset=["peak_day"]).itertuples():
        mine = blood[blood["patient"] == row.patient]
        after = mine.loc[mine["day"] > 0, "day"].unique()
        if not len(after):
            continue
        day = min(after, key=lambda d: (abs(d - row.peak_day), d))
        shares = mine[mine["day"] == day].groupby("population")["fraction"].mean()
        early = mine[mine["day"] < 0]
        before = early[early["day"] == early["day"].max()].groupby("population")["fraction"].mean()
        parts.append(
            pd.DataFrame(
                {
                    "modality": mine["modality"].iloc[0], "patient": row.patient, "population": shares.index,
                    "day": day, "share": shares.to_numpy(),
                    "before": before.reindex(shares.index, fill_value=0.0 if len(before) else np.nan).to_numpy(),
                }
            )
        )  # fmt: skip
    columns = ["modality", "patient", "population", "day", "share", "before"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
