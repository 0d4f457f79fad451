"""Every method for a contrast of one matrix of things tested by samples: within patients, and between arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.stats.contrast_noise import ContrastNoise, contrast_noise, widened
from cimlnk.stats.exact import relabel, sign_flip
from cimlnk.stats.intervals import t_interval
from cimlnk.stats.linear_mixed import MixedFit, random_intercept
from cimlnk.stats.paired import Tested, few_pairs, moderated_paired, welch

from .contrasts import Contrast, differences
from .results import from_tested

Floats = NDArray[np.float64]


def tests_of(
    wide: pd.DataFrame,
    samples: pd.DataFrame,
    todo: Sequence[Contrast],
    *,
    test: str,
    unit: str,
    modality: str,
    min_patients: int = 3,
    level: float = 0.95,
    seed: int = 0,
) -> list[pd.DataFrame]:
    """All methods for the contrasts of one (population, feature) x sample matrix; one table per contrast and method
    (see :func:`.state.differential.state_tests`), without FDR."""
    fits = {arm: ArmFits(wide, samples, arm) for arm in {c.arm for c in todo}}
    return [
        table
        for contrast in todo
        for table in _contrast(
            wide,
            samples,
            contrast,
            fits=fits,
            test=test,
            unit=unit,
            modality=modality,
            min_patients=min_patients,
            level=level,
            seed=seed,
        )
    ]


def _contrast(
    wide: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    fits: Mapping[str, ArmFits],
    test: str,
    unit: str,
    modality: str,
    min_patients: int,
    level: float,
    seed: int,
) -> list[pd.DataFrame]:
    def told(result: Tested, method: str) -> pd.DataFrame:
        populations, features = (wide.index.get_level_values(level) for level in (0, 1))
        return from_tested(
            test, unit, populations, contrast=contrast.name, method=method, found=result,
            features=features, modality=modality, primary=method in ("paired_moderated_t", "welch_t"),
        )  # fmt: skip

    parts = [
        differences(wide, samples, arm, timepoint=contrast.timepoint, baseline=contrast.baseline).to_numpy(float)
        for arm in contrast.arms
    ]
    if contrast.reference_arm is not None:
        return [
            told(welch(parts[0], parts[1], level, least=min_patients), "welch_t"),
            told(relabel(parts[0], parts[1], seed, least=min_patients), "relabelling"),
        ]
    return [
        told(moderated_paired(parts[0], level, min_patients), "paired_moderated_t"),
        told(mixed_model(fits[contrast.arm], contrast, level, least=min_patients), "linear_mixed"),
        told(sign_flip(parts[0], level, seed, least=min_patients), "sign_flip"),
    ]


class ArmFits:
    """Random-intercept fits of every row of a matrix in one arm, made once and asked for every contrast."""

    def __init__(self, wide: pd.DataFrame, samples: pd.DataFrame, arm: str) -> None:
        rows = samples[(samples["arm"] == arm) & samples["sample"].isin(wide.columns)]
        rows = rows.sort_values("sample", kind="stable")
        self.values = wide[rows["sample"].tolist()].to_numpy(float)
        self.patient = np.asarray(rows["patient"], dtype=object).astype(str)
        self.timepoint = np.asarray(rows["timepoint"], dtype=object).astype(str)
        self._fits: dict[int, tuple[MixedFit, list[str]]] = {}

    def patients(self, row: int, contrast: Contrast) -> int:
        """Patients with a value at both time points."""
        known = np.isfinite(self.values[row])
        after, before = (
            set(self.patient[known & (self.timepoint == t)]) for t in (contrast.timepoint, contrast.baseline)
        )
        return len(after & before)

    def fit(self, row: int) -> tuple[MixedFit, list[str]]:
        """The fit and the time points of its coefficients (the first is the reference)."""
        if row not in self._fits:
            known = np.isfinite(self.values[row])
            times = sorted(set(self.timepoint[known]))
            design = np.column_stack(
                [np.ones(known.sum()), *[(self.timepoint[known] == t).astype(float) for t in times[1:]]]
            )
            _, codes = np.unique(self.patient[known], return_inverse=True)
            self._fits[row] = random_intercept(self.values[row][known], design, codes.ravel()), times
        return self._fits[row]


def mixed_model(fits: ArmFits, contrast: Contrast, level: float = 0.95, *, least: int = 3) -> Tested:
    """The contrast from a random-intercept model of all samples of the arm; one fit per row.

    Its error is the model's, scaled by how noisy this contrast is (:func:`noise_of`).
    """
    n = len(fits.values)
    counts = np.array([fits.patients(i, contrast) for i in range(n)], dtype=np.int64)
    effect, se, df = (np.full(n, np.nan) for _ in range(3))
    residual, variance = np.full(fits.values.shape, np.nan), np.full(fits.values.shape, np.nan)
    reason = np.full(n, None, dtype=object)
    for i in range(n):
        if counts[i] < least:
            reason[i] = few_pairs(counts[i], least)
            continue
        fit, times = fits.fit(i)
        if not fit.converged:
            reason[i] = fit.reason
            continue
        weight = np.array([0.0, *[float(t == contrast.timepoint) - float(t == contrast.baseline) for t in times[1:]]])
        effect[i], se[i], df[i] = weight @ fit.beta, np.sqrt(weight @ fit.cov @ weight), fit.df
        known = np.isfinite(fits.values[i])
        of_time = {t: fit.beta[0] + (fit.beta[k] if k else 0.0) for k, t in enumerate(times)}
        residual[i, known] = fits.values[i, known] - [of_time[t] for t in fits.timepoint[known]]
        variance[i, known] = fit.sigma2
    arms = np.full(len(fits.patient), contrast.arm)
    noise = noise_of(residual, variance, contrast, patient=fits.patient, arm=arms, timepoint=fits.timepoint)
    se, df = widened(se, df, *noise)
    low, high, p = t_interval(effect, se, df, level=level)
    return Tested(counts, effect, se, df, low, high, p, np.where(np.isfinite(p), 0.0, np.nan), reason)


def noise_of(
    residual: Floats,
    variance: Floats,
    contrast: Contrast,
    *,
    patient: NDArray[np.str_],
    arm: NDArray[np.str_],
    timepoint: NDArray[np.str_],
) -> list[ContrastNoise]:
    """How many times noisier a contrast is, in each of its arms, than the model of all days takes it for.

    Parameters
    ----------
    residual, variance : (rows, samples)
        What fixed effects leave, patients' own levels in it, and the variance of each sample by the model; NaN where
        a sample has no value.
    patient, arm, timepoint : (samples,)
    """
    found = []
    for own in contrast.arms:
        mine = arm == own
        patients, days = sorted(set(patient[mine])), sorted(set(timepoint[mine]))
        shape = (len(residual), len(patients), len(days))
        left, expected = np.full(shape, np.nan), np.full(shape, np.nan)
        for j, name in enumerate(patients):
            for k, day in enumerate(days):
                of = mine & (patient == name) & (timepoint == day)
                if of.any():  # several samples of a day are one value, their mean
                    left[:, j, k] = residual[:, of].mean(axis=1)
                    expected[:, j, k] = variance[:, of].sum(axis=1) / of.sum() ** 2
        after, before = (days.index(t) for t in (contrast.timepoint, contrast.baseline))
        found.append(contrast_noise(left, expected, after=after, before=before))
    return found
