"""Which kinds of NK cells there were about the peak, day by day."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.palette import label
from cimlnk.common.vocabulary import MODALITY_WORDS, NK, UNASSIGNED
from cimlnk.dynamics.kinetics.summary import days_at_peak
from cimlnk.dynamics.tables import PER_UL
from cimlnk.report.reading import first_modality
from cimlnk.report.run import Run

from .words import named

LEAST = 0.05  # median share from which a kind is listed
MOST_DAYS = 3
MEMORY = "memory_like"  # what the infusion is given for: listed however few


def kinds(run: Run, rows: pd.DataFrame, whose: str) -> str:
    """The seventh answer: patients whose files are of one day together, no day mixed with another."""
    table = subsets_at_peak(run, rows)
    if not len(table):
        return "This cannot be said: there is no blood file after infusion of a patient with a known peak."
    by = MODALITY_WORDS[str(table["modality"].iloc[0])]
    text = f"In the blood file at each patient's peak, or nearest to it (median share among NK cells of the {whose}, "
    text += f"{by}; all kinds from {LEAST:.0%})"
    groups = sorted(table.groupby("day"), key=lambda g: (-g[1]["patient"].nunique(), g[0]))
    for day, part in groups[:MOST_DAYS]:
        who = list(dict.fromkeys(part["patient"]))
        text += f". Day {day} ({named(who)}): {shares(part)}"
    if len(groups) > MOST_DAYS:
        text += f". {count(len(groups) - MOST_DAYS, 'further day')} on the patients' own pages"
    return f"{text}.{days_by_batch(run, str(table['modality'].iloc[0]))}"


def days_by_batch(run: Run, modality: str) -> str:
    """What must be known of shares before and after infusion where days were measured in batches of their own."""
    factors = run.json("cohort/design.json").get("modalities", {}).get(modality, {}).get("factors", {})
    aliased = factors.get("timepoint", {}).get("aliased", 0)
    if not aliased:
        return ""
    which = "Time points" if not factors["timepoint"].get("free", 0) else "Some time points"
    return f" {which} were measured in batches of their own: a change of shares between them may be one of batches."


def shares(part: pd.DataFrame) -> str:
    """Median share of every kind that is worth listing, before infusion beside it, and what is left.

    Parameters
    ----------
    part
        Rows of :func:`subsets_at_peak`, or of another table with patient, population, share and before.
    """
    wide = part.pivot_table(index="patient", columns="population", values="share", fill_value=0.0)
    median = wide.median().sort_values(ascending=False, kind="stable")
    earlier = part.dropna(subset=["before"])
    early = earlier.pivot_table(index="patient", columns="population", values="before", fill_value=0.0).median()
    listed = [p for p in median.index if p != UNASSIGNED and (median[p] >= LEAST or p == MEMORY)]
    words = [
        f"{label(str(p))} {100 * median[p]:.0f} %"
        + (f" ({100 * early.get(p, 0.0):.0f} % before)" if len(early) else "")
        for p in listed
    ]
    if median.get(UNASSIGNED, 0.0) >= 0.005:
        words.append(f"without a name {100 * median[UNASSIGNED]:.0f} %")
    return "; ".join(words) or "none could be named"


def file_at_peak(days: Iterable[int], high: Collection[float]) -> int:
    """The day of the files that stands for the peak: the first at a count like the highest, else the nearest to one.

    Parameters
    ----------
    days
        Days after infusion with a file.
    high
        Days whose counts their error does not tell from the highest.

    Examples
    --------
    >>> file_at_peak([7, 14, 28, 100], [10, 14, 100]), file_at_peak([28, 100], [10, 100]), file_at_peak([7, 28], [10])
    (14, 100, 7)
    """
    return min(days, key=lambda d: (min(abs(d - h) for h in high), d))


def subsets_at_peak(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Named subsets in the blood file of each patient's peak (:func:`file_at_peak`), and in the one before infusion.

    Returns
    -------
    pandas.DataFrame
        modality, patient, population, day, share, before (shares of the patient's NK cells; `before` NaN without a file
        from before infusion). Only files after infusion, and up to a censoring
        event, stand for the peak.
    """
    table = run.table("dynamics/abundance.parquet")
    parts = []
    if not len(table):
        return pd.DataFrame(columns=["modality", "patient", "population", "day", "share", "before"])
    blood = table[table["tissue_or_product"] == "blood"]
    counts = first_modality(blood[blood["population"] == NK])
    blood = first_modality(blood[blood["fraction"].notna() & (blood["population"] != NK)])
    for row in rows.dropna(subset=["peak_day"]).itertuples():
        mine = blood[blood["patient"] == row.patient]
        limit = row.event_day if np.isfinite(row.event_day) else np.inf
        after = mine.loc[(mine["day"] > 0) & (mine["day"] <= limit), "day"].unique()
        if not len(after):
            continue
        own = counts[(counts["patient"] == row.patient) & (counts["day"] <= limit)]
        high = days_at_peak(own.groupby("day", as_index=False)[PER_UL].mean())
        day = file_at_peak(after, high if len(high) else [row.peak_day])
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
