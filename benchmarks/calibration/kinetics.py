"""Calibration of the kinetic model: planted curves, two sampling plans, the error of a clinical count."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.dynamics.kinetics.fit import fit_series
from cimlnk.dynamics.kinetics.model import Series, curve, pool, start_of

Floats = NDArray[np.float64]

#: Days of blood counts, and of blood samples for cytometry, in the study's plan.
COUNT_DAYS = np.array([-7.0, 3, 7, 10, 14, 21, 28, 60, 100, 180])
SAMPLE_DAYS = np.array([-7.0, 7, 14, 28, 60, 100])
#: name, days, coefficient of variation of the count, extra noise of the composition (log scale)
PLANS = (
    ("NK counts, CV 15 %", COUNT_DAYS, 0.15, 0.0),
    ("NK counts, CV 5 %", COUNT_DAYS, 0.05, 0.0),
    ("subset on sample days, CV 15 %", SAMPLE_DAYS, 0.15, 0.1),
)


def plant(patients: int, random: np.random.Generator) -> Floats:
    """Log parameters of an infused arm: peak 10–50-fold at day 7–14, half-life 5–10 d, plateau 2–8-fold."""
    peak = random.uniform(np.log(10), np.log(50), patients)
    columns = [
        random.normal(np.log(25), 0.45, patients),
        peak,
        random.uniform(np.log(0.25), np.log(0.8), patients),
        np.log(random.uniform(7, 14, patients)),
        np.log(random.uniform(5, 10, patients)),
        np.log(random.uniform(2, 8, patients)) - peak,
    ]
    return np.column_stack(columns)


def kinetics_study(cohorts: int, seed: int, patients: int = 6, *, draws: int = 1000) -> pd.DataFrame:
    """Coverage and accuracy of the fit on `cohorts` simulated arms of `patients`.

    Returns
    -------
    DataFrame
        One row per plan: coverage of the 95 % intervals of doubling time, half-life, peak fold and peak day (of those
        that are stated), the share of patients whose peak fold is within 15 % and whose peak day is within one
        sampling interval, the same for the naive reading of the highest value, and the share of stated intervals.
    """
    rows = []
    for name, days, cv, wander in PLANS:
        random = rng(seed, "calibration kinetics", name)
        sigma = float(np.sqrt(np.log1p(cv**2)))
        seen: dict[str, list[float]] = {}

        def note(key: str, value: float, seen: dict[str, list[float]] = seen) -> None:
            seen.setdefault(key, []).append(value)

        for cohort in range(cohorts):
            truth = plant(patients, random)
            series = [_measure(t, days, sigma, wander=wander, random=random) for t in truth]
            if wander:
                counts = [_measure(t, COUNT_DAYS, sigma, wander=0.0, random=random) for t in truth]
                prior = pool(series, start_of(pool(counts)))
            else:
                prior = pool(series)
            for k, (planted, measured) in enumerate(zip(truth, series, strict=True)):
                fit, _ = fit_series(measured, prior, draws, seed=seed, key=(name, str(cohort), str(k)))
                _score(planted, measured, fit, note=note)
        rows.append({"plan": name, **{key: float(np.nanmean(values)) for key, values in seen.items()}})
    return pd.DataFrame(rows)


def _measure(truth: Floats, days: Floats, sigma: float, *, wander: float, random: np.random.Generator) -> Series:
    noise = random.normal(0.0, sigma, len(days)) + random.normal(0.0, wander, len(days))
    return Series(days, curve(truth, days)[0] + noise, np.full(len(days), sigma))


def _score(truth, measured, fit, *, note) -> None:  # type: ignore[no-untyped-def]
    peak_day, peak_fold = np.exp(truth[3]), np.exp(truth[1])
    true = {
        "doubling": np.log(2) * peak_day / (truth[1] - truth[2]),
        "half_life": np.exp(truth[4]),
        "model_peak_fold": peak_fold,
        "model_peak_day": peak_day,
    }
    for key, value in true.items():
        stated = np.isfinite(fit[f"{key}_high"])
        note(f"{key}_coverage", float(fit[f"{key}_low"] <= value <= fit[f"{key}_high"]) if stated else np.nan)
        note(f"{key}_stated", float(stated))
    note("peak_fold_within_15", float(abs(fit["model_peak_fold"] / peak_fold - 1) < 0.15))
    after = measured.day > 0
    top = int(np.argmax(np.where(after, measured.log_value, -np.inf)))
    naive = np.exp(measured.log_value[top] - measured.log_value[0])
    note("naive_fold_within_15", float(abs(naive / peak_fold - 1) < 0.15))
    interval = float(np.diff(measured.day)[max(int(np.searchsorted(measured.day, peak_day)) - 1, 0)])
    note("peak_day_within_interval", float(abs(fit["model_peak_day"] - peak_day) <= interval))
    note("naive_day_within_interval", float(abs(measured.day[top] - peak_day) <= interval))
