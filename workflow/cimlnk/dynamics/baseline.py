"""What a baseline is: the one place that says which blood was drawn before infusion.

Day 0 is the day of infusion, and blood of that day may be drawn before or after it. The name of its time point decides:
blood at the cohort's baseline time point was drawn before, on day 0 too; other blood of day 0 was not.
"""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

#: Where a curve over time places a baseline of day 0: before infusion, by less than a day.
DAY_BEFORE_INFUSION = -0.5


def before_infusion(blood: pd.DataFrame, baseline_timepoint: str) -> pd.Series:
    """Which rows were drawn before infusion.

    Parameters
    ----------
    blood
        Rows of blood with `day` and `timepoint`.
    baseline_timepoint
        Config `dynamics.baseline_timepoint`.

    Returns
    -------
    Series of bool
        Days below 0, and day 0 at the baseline time point.

    Examples
    --------
    >>> rows = pd.DataFrame({"day": [-7, 0, 0, 7], "timepoint": ["screening", "pre", "D0", "D7"]})
    >>> before_infusion(rows, "pre").tolist()
    [True, True, False, False]
    """
    return (blood["day"] < 0) | ((blood["day"] == 0) & (blood["timepoint"] == baseline_timepoint))


def at_baseline(blood: pd.DataFrame, baseline_timepoint: str) -> pd.Series:
    """Which rows are their patient's baseline: the named time point; without it, the latest day before infusion.

    Parameters
    ----------
    blood
        Rows of blood with `patient`, `day` and `timepoint`.
    baseline_timepoint
        Config `dynamics.baseline_timepoint`.

    Returns
    -------
    Series of bool
        Several rows of a patient where a day has replicates.
    """
    named = blood["timepoint"] == baseline_timepoint
    early = before_infusion(blood, baseline_timepoint)
    has_name = named.groupby(blood["patient"]).transform("any") if len(blood) else named
    latest = blood["day"].where(early).groupby(blood["patient"]).transform("max")
    return named | (~has_name & early & (blood["day"] == latest))


def baseline_row(
    series: pd.DataFrame, baseline_timepoint: str, known: Collection[str]
) -> tuple[pd.Series | None, str | None]:
    """The row of a series' baseline, or None and the reason.

    It is the latest measured blood value at `baseline_timepoint`; a patient without that time point gets the latest
    value before infusion. A time point that no blood of the cohort has (`known` lists those it has) is nobody's
    baseline: no file of another name stands in for it, only a count of a day without a file (not `sampled`).
    """
    named = series[series["timepoint"] == baseline_timepoint]
    candidates = named if len(named) else series[before_infusion(series, baseline_timepoint)]
    if baseline_timepoint not in known:
        candidates = candidates[~candidates["sampled"]]
        if len(candidates) == 0:
            return None, f"no blood of this cohort at time point {baseline_timepoint!r}"
    if len(candidates) == 0:
        return None, f"no blood value at time point {baseline_timepoint!r}"
    measured = candidates[candidates["cells_per_ul"].notna()]
    if len(measured) == 0:
        why = candidates.sort_values("day")["reason"].iloc[-1]
        return None, f"baseline not measured: {why}"
    return measured.sort_values("day").iloc[-1], None
