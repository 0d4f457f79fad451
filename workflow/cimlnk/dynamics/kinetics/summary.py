"""KINETICS: how far, how fast and how long every population rose, as measured and as fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.abundance.folds import SERIES, daily
from cimlnk.dynamics.baseline import DAY_BEFORE_INFUSION, baseline_row, before_infusion
from cimlnk.dynamics.tables import PER_UL
from cimlnk.stats.intervals import Z95

from .fit import fit_series
from .model import BASE, Prior, Series, pool, start_of
from .tables import CURVES, KINETICS

TINY = 1e-12  # cells/µL: a lower limit of none has no logarithm
MEASURED = [
    "baseline_per_ul", "peak_day", "peak_from", "peak_fold", "peak_fold_low", "peak_fold_high", "first_day_10fold",
    "days_above_2fold", "last_day", "last_fold", "auc_log2",
]  # fmt: skip


def censoring_days(counts: pd.DataFrame, events: list[str]) -> dict[str, float]:
    """Day of each patient's first event whose name contains one of `events` (case ignored)."""
    named = counts[counts["event"].notna()]
    text = named["event"].astype(str).str.lower()
    hit = named[text.map(lambda t: any(e.lower() in t for e in events)).astype(bool)]
    return {str(p): float(d) for p, d in hit.groupby("patient")["day"].min().items()}


def make_kinetics(
    abundance: pd.DataFrame,
    folds: pd.DataFrame,
    counts: pd.DataFrame,
    *,
    baseline_timepoint: str,
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measured summaries and fitted curves of every patient and population.

    Measured numbers use all days. The fit (:mod:`.model`) leaves out the days after a censoring event, such as
    a stem-cell boost, whose donor cells cannot be distinguished from the infused ones; it is pooled over the patients
    of an arm, within modality and population, and needs `min_days` days. Its numbers are posterior medians with 95 %
    intervals.

    Parameters
    ----------
    abundance, folds, counts
        ABUNDANCE, FOLDS and COUNTS.
    baseline_timepoint
        Name of the pre-infusion time point.
    settings
        Config `dynamics.kinetics`: `min_days`, `censor_events`, `pooling`, `draws`.
    seed
        Of the posterior draws.

    Returns
    -------
    tuple of DataFrame
        KINETICS and CURVES, sorted by modality, patient, arm and population.
    """
    censored = censoring_days(counts, list(settings["censor_events"]))
    days = daily(abundance)
    known = set(days["timepoint"])
    measured: dict[tuple[str, ...], dict[str, Any]] = {}
    series: dict[tuple[str, ...], Series] = {}
    fold_of = dict(iter(folds.groupby(SERIES, sort=True)))
    for key, group in days.groupby(SERIES, sort=True):
        row = _measured(fold_of[key], baseline_row(group, baseline_timepoint, known), group)
        row["censored_day"] = censored.get(key[1], np.nan)
        series[key] = _series(group, row["censored_day"], baseline_timepoint)
        row["n_days"] = len(series[key].day)
        row["model_reason"] = _unfit(series[key], int(settings["min_days"]))
        measured[key] = row
    priors = _priors(
        {k: s for k, s in series.items() if measured[k]["model_reason"] is None}, bool(settings["pooling"])
    )
    curves = []
    for key, row in measured.items():
        if row["model_reason"] is None:
            fitted, line = fit_series(series[key], priors[key], int(settings["draws"]), seed=seed, key=key)
            row.update(fitted)
            curves.append(line.assign(**dict(zip(SERIES, key, strict=True))))
    table = pd.DataFrame([{**dict(zip(SERIES, k, strict=True)), **row} for k, row in measured.items()])
    table = table.reindex(columns=list(KINETICS.columns))
    drawn = CURVES.check(pd.concat(curves, ignore_index=True)) if curves else CURVES.empty()
    return (KINETICS.check(table) if len(table) else KINETICS.empty()), drawn


def days_at_peak(days: pd.DataFrame) -> NDArray[np.float64]:
    """Days after infusion whose cells/µL their error does not tell from the highest; none without a value.

    Told apart are two days whose logarithms differ by more than 1.96 standard deviations of the difference, each day's
    by its own 95 % limits. So a count that stays at its height for months has no peak on the day of its largest value.

    Parameters
    ----------
    days
        Blood days of one series: day, cells_per_ul and its limits (NaN where not measured).

    Examples
    --------
    >>> days = pd.DataFrame({"day": [-7, 7, 10, 100], "cells_per_ul": [20.0, 60.0, 215.0, 220.0]})
    >>> days_at_peak(days.assign(cells_per_ul_low=days.cells_per_ul / 1.3, cells_per_ul_high=days.cells_per_ul * 1.3))
    array([ 10., 100.])
    """
    after = days[(days["day"] > 0) & (days["cells_per_ul"] > 0)].sort_values("day")
    if len(after) == 0:
        return np.empty(0)
    value, low, high = (np.log(np.maximum(after[c].to_numpy(float), TINY)) for c in PER_UL)
    sd = (high - low) / (2.0 * Z95)
    top = int(np.argmax(value))
    like = value[top] - value <= Z95 * np.hypot(sd, sd[top])
    return after["day"].to_numpy(float)[like]


def peak_from(days: pd.DataFrame) -> float:
    """The first of :func:`days_at_peak`; NaN without any."""
    return float(next(iter(days_at_peak(days)), np.nan))


def _measured(folds: pd.DataFrame, baseline: tuple[pd.Series | None, str | None], days: pd.DataFrame) -> dict[str, Any]:
    base, why = baseline
    row: dict[str, Any] = dict.fromkeys(MEASURED, np.nan)
    row["reason"] = why
    if base is not None:
        row["baseline_per_ul"] = float(base["cells_per_ul"])
    after = folds[(folds["day"] > 0) & folds["fold_change"].notna()].sort_values("day")
    if len(after) == 0:
        if row["reason"] is None:
            told = folds.loc[(folds["day"] > 0) & folds["reason"].notna(), "reason"]
            row["reason"] = str(told.iloc[0]) if len(told) else "no blood value after infusion"
        return row
    day, fold = after["day"].to_numpy(float), after["fold_change"].to_numpy(float)
    top = int(np.argmax(fold))
    row.update(peak_from=peak_from(days[days["day"].isin(after["day"])]))
    row.update(peak_day=day[top], peak_fold=fold[top], last_day=day[-1], last_fold=fold[-1])
    row.update(peak_fold_low=after["fold_low"].iloc[top], peak_fold_high=after["fold_high"].iloc[top])
    reached = day[fold >= 10]
    row["first_day_10fold"] = reached[0] if len(reached) else np.nan
    # A day without a cell stands at a fifth of its upper limit, about the median of what the count allows.
    shown = np.where(fold > 0, fold, after["fold_high"].to_numpy(float) / 5.0)
    times, log2 = np.concatenate([[0.0], day]), np.concatenate([[0.0], np.log2(shown)])
    row["auc_log2"] = float(np.trapezoid(log2, times))
    row["days_above_2fold"] = _time_above(times, log2, 1.0)
    return row


def _time_above(times: np.ndarray, values: np.ndarray, threshold: float) -> float:
    """Total time above a threshold of the line through the points."""
    total = 0.0
    for t0, t1, v0, v1 in zip(times[:-1], times[1:], values[:-1] - threshold, values[1:] - threshold, strict=True):
        if v0 > 0 and v1 > 0:
            total += t1 - t0
        elif v0 > 0 or v1 > 0:
            total += (t1 - t0) * max(v0, v1) / (max(v0, v1) - min(v0, v1))
    return float(total)


def _series(group: pd.DataFrame, censored_day: float, baseline_timepoint: str) -> Series:
    """Measured days on the log scale; a day without a cell as the broad value that its upper limit allows.

    A baseline drawn on day 0 stands before it: on day 0 the curve has already left its level before infusion.
    """
    use = group[group["cells_per_ul"].notna() & (group["cells_per_ul_high"] > 0)]
    if np.isfinite(censored_day):
        use = use[use["day"] <= censored_day]
    value, low, high = (use[c].to_numpy(float) for c in PER_UL)
    none = (value <= 0) | (low <= 0)
    with np.errstate(divide="ignore"):
        log_value = np.where(none, np.log(high / 5.0), np.log(value))
        log_sd = np.where(none, 1.2, np.log(high / low) / (2.0 * Z95))
    early = before_infusion(use, baseline_timepoint) & (use["day"] == 0)
    day = use["day"].astype(float).where(~early, DAY_BEFORE_INFUSION)
    return Series(day.to_numpy(float), log_value, np.maximum(log_sd, 1e-3))


def _unfit(series: Series, min_days: int) -> str | None:
    if len(series.day) < min_days:
        return f"{len(series.day)} days that can be used, the fit needs {min_days}"
    if not (series.day < 0).any():
        return "no day before infusion"
    if not (series.day > 0).any():
        return "no day after infusion"
    return None


def _priors(series: Mapping[tuple[str, ...], Series], pooling: bool) -> dict[tuple[str, ...], Prior]:
    """The prior of every series; the subsets' knows how deep the arm's NK cells fell before infusion."""
    if not pooling:
        return dict.fromkeys(series, BASE)
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for key in series:
        modality, _, arm, population = key
        groups.setdefault((modality, arm, population), []).append(key)
    pooled: dict[tuple[str, ...], Prior] = {}
    for group in sorted(groups, key=lambda g: (g[2] != NK, g)):
        modality, arm, population = group
        whole = pooled.get((modality, arm, NK))
        base = BASE if population == NK or whole is None else start_of(whole)
        members = [series[k] for k in groups[group]]
        pooled[group] = pool(members, base) if population != UNASSIGNED else base
    return {key: pooled[group] for group, keys in groups.items() for key in keys}
