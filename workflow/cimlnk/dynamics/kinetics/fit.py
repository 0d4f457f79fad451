"""What the fitted curve of one patient says: times, folds and intervals, or why it cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

from .model import Prior, Series, curve, posterior

#: A rise or fall counts as shown when it is above this (log scale: a fifth) in 97.5 % of the draws.
SHOWN = np.log(1.2)


def fit_series(
    series: Series, prior: Prior, draws: int, *, seed: int, key: Sequence[str]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Posterior medians and 95 % limits of the kinetics of one series, and its curve.

    The doubling time is ln 2 × days from infusion to peak / (log peak − log level right after infusion); the half-life
    is that of the excess over the plateau. Where a rise (or fall) is not shown in 97.5 % of the draws, the time and its
    upper limit are NaN, the lower limit stays: the growth could be nil, but not faster than that.

    Parameters
    ----------
    series, prior
        Measurements and the prior pooled over the arm.
    draws
        Number of posterior draws.
    seed, key
        Name of the random stream.

    Returns
    -------
    dict, DataFrame
        Fitted columns of KINETICS with `model_reason`; day, fitted, low, high.
    """
    drawn = posterior(series, prior).draw(draws, rng(seed, "dynamics_kinetics", *key))
    _, peak, start, log_day, log_half, plateau = drawn.T
    row: dict[str, Any] = {}

    def put(name: str, low: str, high: str, *, values: NDArray[np.float64]) -> None:
        row[low], row[name], row[high] = np.quantile(values, [0.025, 0.5, 0.975])

    put("model_peak_day", "model_peak_day_low", "model_peak_day_high", values=np.exp(log_day))
    put("model_peak_fold", "model_peak_fold_low", "model_peak_fold_high", values=np.exp(peak))
    put("plateau_fold", "plateau_low", "plateau_high", values=np.exp(peak + plateau))
    rise = peak - start
    put(
        "doubling_time_days",
        "doubling_low",
        "doubling_high",
        values=np.log(2.0) * np.exp(log_day) / np.maximum(rise, 1e-6),
    )
    put("half_life_days", "half_life_low", "half_life_high", values=np.exp(log_half))
    reasons = []
    if np.mean(rise > SHOWN) < 0.975:
        row["doubling_time_days"] = row["doubling_high"] = np.nan
        reasons.append("no expansion shown")
    fall = peak + drawn[:, 0] - curve(drawn, np.array([series.day.max()]))[:, 0]
    if np.mean(fall > SHOWN) < 0.975:
        row["half_life_days"] = row["half_life_high"] = np.nan
        reasons.append("no contraction shown")
    elif np.std(log_half) > 0.9 * prior.sd[4]:
        reasons.append("half-life known from the other patients only")
    row["model_reason"] = "; ".join(reasons) or None
    return row, _curve(series, drawn)


def _curve(series: Series, drawn: NDArray[np.float64]) -> pd.DataFrame:
    first, last = series.day.min(), series.day.max()
    # Dense where it moves, sparse on the plateau; -0.001 shows the step at infusion.
    after = np.unique(np.concatenate([np.arange(0, min(last, 40) + 1), np.arange(45, last + 1, 5), [last]]))
    days = np.concatenate([[first, -0.001], after[after >= 0]])
    low, middle, high = np.exp(np.quantile(curve(drawn, days), [0.025, 0.5, 0.975], axis=0))
    return pd.DataFrame({"day": days, "fitted": middle, "low": low, "high": high})
