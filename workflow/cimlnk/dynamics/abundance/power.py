"""What this many patients can show: the smallest effect a test would find, from the noise it met."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import optimize, stats

from .tables import POWER

TESTED = ("abundance", "absolute", "clr")


def t_power(effect: float, se: float, df: float, *, alpha: float = 0.05) -> float:
    """Power of a two-sided t test at a true `effect` with standard error `se` and `df` degrees of freedom."""
    critical = stats.t.ppf(1 - alpha / 2, df)
    shift = effect / se
    wrong_side = stats.nct.cdf(-critical, df, shift) if shift < 5 else 0.0  # below 1e-6, and NaN in SciPy further out
    return float(stats.nct.sf(critical, df, shift) + wrong_side)


def detectable(se: float, df: float, power: float = 0.8, *, alpha: float = 0.05) -> float:
    """Smallest true effect found with probability `power`."""
    high = 1.0
    while t_power(high, 1.0, df, alpha=alpha) < power:
        high *= 2.0
    return se * float(optimize.brentq(lambda s: t_power(s, 1.0, df, alpha=alpha) - power, 0.0, high))


def power_table(tests: pd.DataFrame, power: float = 0.8, alpha: float = 0.05) -> pd.DataFrame:
    """The power statement of every model-based abundance test.

    It is about the design and the noise, never about the effect that was found ("observed power" is the p value over
    again; Hoenig & Heisey 2001, Am Stat 55:19). The standard error is itself estimated from few patients.

    Parameters
    ----------
    tests
        TESTS.
    power, alpha
        Asked power, and two-sided level of the single test (no correction for many populations).

    Returns
    -------
    DataFrame
        POWER: smallest detectable effect (log2 and as a ratio), and the power at 1 log2.
    """
    used = tests[tests["test"].isin(TESTED) & tests["feature"].isna()]
    rows = []
    for row in used.itertuples(index=False):
        known = np.isfinite(row.se) and np.isfinite(row.df) and row.se > 0
        least = detectable(row.se, row.df, power, alpha=alpha) if known else np.nan
        at_one = t_power(1.0, row.se, row.df, alpha=alpha) if known else np.nan
        reason = None if known else (row.reason or "no standard error")
        rows.append(
            (row.test, row.modality, row.population, row.contrast, row.n_patients, least, 2.0**least, at_one, reason)
        )
    return POWER.check(pd.DataFrame(rows, columns=list(POWER.columns))) if rows else POWER.empty()
