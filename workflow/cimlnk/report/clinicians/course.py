"""What happened to each patient's NK cells, in one row a patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.kinetics.summary import peak_from
from cimlnk.dynamics.tables import PER_UL
from cimlnk.report.reading import first_modality
from cimlnk.report.run import Run

FOLD = 10.0  # an expansion, unless the claim on it has another bound
READ = ("peak_day", "peak_from", "peak_fold", "peak_fold_low", "peak_fold_high", "last_fold", "last_day")
KEPT = 2.0  # a count is gone from the day on which this fold is no longer reached again


def expansion_bound(run: Run) -> float:
    """Fold that counts as an expansion: that of the study's first claim."""
    return float(run.config["claims"]["bounds"].get("C01", {}).get("low", FOLD))


def patient_rows(run: Run) -> pd.DataFrame:
    """One row per patient, by arm and patient.

    Returns
    -------
    pandas.DataFrame
        patient, arm, counts (blood counts), first_day, last_counted; baseline (NK/µL), peak, peak_day, peak_from (first
        day whose count is not told from the highest), peak_fold with limits, reached (first day at
        :func:`expansion_bound` or more), last_fold, last_day, lost_day (first day of :data:`KEPT`-fold or less that no
        later count exceeds; NaN if the last count exceeds it or none did),
        event and event_day (what makes later counts not the infusion's alone, such as a stem-cell boost; the folds are
        then those up to that day), and `reason` where there is no fold.
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
        row |= {c: float(own[c]) if own is not None else np.nan for c in ("baseline_per_ul", *READ)}
        course = folds[(folds["patient"] == patient) & folds["fold_change"].notna()] if len(folds) else folds
        course = course[course["day"] > 0].sort_values("day") if len(course) else course
        row |= _event(run, str(patient), own)
        if row["event"] is not None and len(course):
            course = course[course["day"] <= row["event_day"]]
            row |= _up_to_event(
                row, course, first_modality(nk[nk["patient"] == patient]).groupby("day", as_index=False)[PER_UL].mean()
            )
        row |= {"reached": first_at(course, bound), "lost_day": lost(course)}
        if not np.isfinite(row["peak_fold"]):
            told = str(own["reason"]) if own is not None and own["reason"] else "no NK cells per microlitre"
            row["reason"] = row["reason"] or told
        rows.append(row)
    return pd.DataFrame(rows)


def _event(run: Run, patient: str, kinetics: pd.Series | None) -> dict[str, Any]:
    """What the kinetics are censored by, in words, and its day; None and NaN where nothing censors them."""
    day = float(kinetics["censored_day"]) if kinetics is not None and "censored_day" in kinetics else np.nan
    if not np.isfinite(day):
        return {"event": None, "event_day": np.nan}
    counts = run.table("cohort/counts.parquet")
    told = (
        counts.loc[(counts["patient"] == patient) & (counts["day"] == day) & counts["event"].notna(), "event"]
        if len(counts)
        else pd.Series(dtype=object)
    )
    return {"event": event_words(str(told.iloc[0])) if len(told) else "event", "event_day": day}


def event_words(event: str) -> str:
    """An event of the counts sheet as it is read.

    Examples
    --------
    >>> event_words("stem_cell_boost")
    'stem-cell boost'
    """
    return event.replace("stem_cell", "stem-cell").replace("_", " ")


def _up_to_event(row: Mapping[str, Any], course: pd.DataFrame, days: pd.DataFrame) -> dict[str, Any]:
    """Peak and last fold of the counts up to the event; what the kinetics hold may be the event's doing."""
    if not len(course):
        why = f"no count after infusion up to the {row['event']} on day {row['event_day']:.0f}"
        return {**dict.fromkeys(READ, np.nan), "reason": why}
    last = course.iloc[-1]
    found = {"last_fold": float(last["fold_change"]), "last_day": float(last["day"])}
    if row["peak_day"] > row["event_day"]:
        top = course.loc[course["fold_change"].idxmax()]
        found |= {"peak_day": float(top["day"]), "peak_fold": float(top["fold_change"])}
        found["peak_from"] = peak_from(days[days["day"].isin(course["day"])])
        found |= {f"peak_{c}": float(top.get(c, np.nan)) for c in ("fold_low", "fold_high")}
    return found


def boosts(rows: pd.DataFrame) -> str:
    """Who had which censoring event on which day, in words."""
    parts = []
    for event, part in rows.dropna(subset=["event"]).groupby("event", sort=True):
        days = [f"{d:.0f}" for d in part["event_day"]]
        days = days[:1] if len(set(days)) == 1 else days
        who = ", ".join(map(str, part["patient"]))
        parts.append(f"{who} had a{'n' if str(event)[0] in 'aeiou' else ''} {event} on day {', '.join(days)}")
    return "; ".join(parts)


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
