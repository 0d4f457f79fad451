"""Numbers, days and lists of patients as the sentences of the summary say them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cimlnk.report.style import plain

MOST_NAMES = 8  # patients or files named one by one


def named(patients: Iterable[object]) -> str:
    """Patients as a list for a sentence."""
    listed = [str(p) for p in patients]
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more


def fold(value: float) -> str:
    """A fold with the digits it deserves."""
    return f"{value:.0f}-fold" if value >= 9.95 else f"{value:.1f}-fold"


def digits(value: float) -> str:
    """A fold in a table: two digits that count.

    Examples
    --------
    >>> [digits(v) for v in (0.957, 1.0, 2.33, 14.2, 186.0, float("nan"))]
    ['0.96', '1.0', '2.3', '14', '186', '']
    """
    if not np.isfinite(value):
        return ""
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def span(values: pd.Series) -> str:
    """Median and range, or the one value that all have."""
    kept = values.dropna().astype(float)
    low, middle, high = (plain(float(v)) for v in (kept.min(), kept.median(), kept.max()))
    return low if low == high else f"{middle} (median; range {low}–{high})"


def small(p: float) -> str:
    """A p value with two digits; models of few patients are not trusted below 0.0001."""
    return f"p = {p:.2g}" if p >= 1e-4 else "p below 0.0001"


def on_days(days: pd.Series) -> str:
    """The day, or the days between which all lie; their median only where it is a day that somebody has.

    Examples
    --------
    >>> on_days(pd.Series([7, 10])), on_days(pd.Series([7, 7, 100])), on_days(pd.Series([28.0]))
    ('between day 7 and 10', 'on day 7 (median; range 7–100)', 'on day 28')
    """
    kept = days.dropna().astype(float)
    low, middle, high = (float(v) for v in (kept.min(), kept.median(), kept.max()))
    if low == high:
        return f"on day {plain(low)}"
    if middle not in set(kept):
        return f"between day {plain(low)} and {plain(high)}"
    return f"on day {plain(middle)} (median; range {plain(low)}–{plain(high)})"
