"""What is read off a patient's curve, and the curve."""

from __future__ import annotations

from cimlnk.common.tables import Schema
from cimlnk.dynamics.tables import SERIES

KINETICS = Schema(
    "KINETICS",
    {
        **SERIES,
        "baseline_per_ul": ("float", "cells/uL before infusion"),
        "peak_day": ("float", "day of the highest measured value after infusion"),
        "peak_from": (
            "float",
            "first measured day after infusion whose value its error does not tell from the highest",
        ),
        "peak_fold": ("float", "the highest value over baseline"),
        "peak_fold_low": ("float", "lower 95 % limit"),
        "peak_fold_high": ("float", "upper 95 % limit"),
        "first_day_10fold": ("float", "first measured day with a fold of at least 10"),
        "days_above_2fold": ("float", "days from infusion to the last day with a fold above 2, gaps left out"),
        "last_day": ("float", "last measured day"),
        "last_fold": ("float", "fold on that day"),
        "auc_log2": ("float", "area under log2 fold from day 0 to the last day (log2 x days)"),
        "doubling_time_days": ("float", "of the expansion, posterior median"),
        "doubling_low": ("float", "lower 95 % limit"),
        "doubling_high": ("float", "upper 95 % limit"),
        "half_life_days": ("float", "of the excess over the plateau after the peak, posterior median"),
        "half_life_low": ("float", "lower 95 % limit"),
        "half_life_high": ("float", "upper 95 % limit"),
        "model_peak_day": ("float", "day of the peak of the fitted curve"),
        "model_peak_day_low": ("float", "lower 95 % limit"),
        "model_peak_day_high": ("float", "upper 95 % limit"),
        "model_peak_fold": ("float", "peak of the fitted curve over the fitted baseline"),
        "model_peak_fold_low": ("float", "lower 95 % limit"),
        "model_peak_fold_high": ("float", "upper 95 % limit"),
        "plateau_fold": ("float", "level after contraction over the fitted baseline"),
        "plateau_low": ("float", "lower 95 % limit"),
        "plateau_high": ("float", "upper 95 % limit"),
        "n_days": ("int", "days that entered the fit"),
        "censored_day": ("float", "day of the first censoring event; the fit uses no later day"),
        "reason": ("str?", "why a measured number is NaN"),
        "model_reason": ("str?", "why a fitted number is NaN"),
    },
)

CURVES = Schema(
    "CURVES",
    {
        **SERIES,
        "day": ("float", "day after infusion"),
        "fitted": ("float", "cells/uL of the fitted curve, posterior median"),
        "low": ("float", "lower 95 % limit of the curve"),
        "high": ("float", "upper 95 % limit of the curve"),
    },
)
