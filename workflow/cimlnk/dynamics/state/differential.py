"""Differential state: do markers (or gene-set scores) of a population change within patients, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cimlnk.dynamics.contrasts import Contrast, contrasts, differences
from cimlnk.dynamics.tables import TESTS
from cimlnk.stats.fdr import fdr
from cimlnk.stats.linear_mixed import MixedFit, random_intercept
from cimlnk.stats.paired import Tested, moderated_paired, relabel, sign_flip, welch

MEASURES = {
    "median": ("state_median", "analysis scale"),
    "mean": ("state_mean", "analysis scale"),
    "fraction_positive": ("state_positive", "percentage points"),
}


def state_tests(
    state: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    modality: str,
    baselines: Sequence[str],
    reference_arm: str | None = None,
    measures: Sequence[str] = ("median", "fraction_positive"),
    min_cells: int = 20,
    min_patients: int = 3,
    level: float = 0.95,
    seed: int = 0,
    effect_unit: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Test every population x feature for every contrast the samples allow.

    Each is told by up to three methods, one row each, never mixed in one p value:

    - ``paired_moderated_t`` (the default to read): per-patient differences, variance moderated across features;
    - ``mixed_model``: all time points of the arm in one linear model with a random intercept per patient (more
      degrees of freedom, but assumes that all time points vary alike);
    - ``sign_flip``: exact, with the least p reachable in ``p_floor``.

    Comparisons of arms are differences of the per-patient differences: ``welch_t`` and ``relabelling`` (exact).

    Parameters
    ----------
    state
        STATE: sample, population, feature, n_cells, median, mean, fraction_positive.
    samples
        SAMPLES: sample, patient, day, timepoint, arm (one modality or more).
    modality
        Written in the column ``modality`` and used to choose the samples.
    baselines
        Time points to compare with.
    measures
        Columns of `state` to test; ``fraction_positive`` is tested in percentage points.
    min_cells
        A median of fewer cells than this is not used (the sample counts as missing).
    min_patients
        Fewest patients with both time points.

    Returns
    -------
    DataFrame
        TESTS, FDR within each test x method x contrast.
    """
    samples = samples[samples["modality"] == modality]
    todo = contrasts(samples, baselines, reference_arm)
    tables = []
    for measure in measures:
        test, unit = MEASURES[measure]
        unit = (effect_unit or {}).get(measure, unit)
        scale = 100.0 if measure == "fraction_positive" else 1.0
        wide = wide_state(state, samples, measure, min_cells) * scale
        tables += tests_of(wide, samples, todo, test, unit, modality, min_patients, level, seed)
    return with_fdr(tables)


def wide_state(state: pd.DataFrame, samples: pd.DataFrame, measure: str, min_cells: int) -> pd.DataFrame:
    """(population, feature) x sample matrix of one measure; NaN where a sample has fewer than `min_cells` cells."""
    used = state[state["sample"].isin(samples["sample"])]
    values = used[measure].where(used["n_cells"] >= min_cells)
    frame = used.assign(value=values)[["population", "feature", "sample", "value"]]
    wide = frame.pivot(index=["population", "feature"], columns="sample", values="value")
    return wide.reindex(columns=sorted(samples["sample"])).sort_index().astype(float)


def tests_of(
    wide: pd.DataFrame,
    samples: pd.DataFrame,
    todo: Sequence[Contrast],
    test: str,
    unit: str,
    modality: str,
    min_patients: int = 3,
    level: float = 0.95,
    seed: int = 0,
) -> list[pd.DataFrame]:
    """All methods for the contrasts of one (population, feature) x sample matrix; one table per contrast and method
    (see :func:`state_tests`), without FDR."""
    fits = {arm: ArmFits(wide, samples, arm) for arm in {c.arm for c in todo}}
    return [
        table
        for contrast in todo
        for table in _contrast(wide, samples, contrast, fits, test, unit, modality, min_patients, level, seed)
    ]


def _contrast(
    wide: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    fits: Mapping[str, ArmFits],
    test: str,
    unit: str,
    modality: str,
    min_patients: int,
    level: float,
    seed: int,
) -> list[pd.DataFrame]:
    def told(result: Tested, method: str) -> pd.DataFrame:
        return _table(wide.index, contrast, test, unit, modality, method, result)

    parts = [
        differences(wide, samples, arm, contrast.timepoint, contrast.baseline).to_numpy(float) for arm in contrast.arms
    ]
    if contrast.reference_arm is not None:
        return [
            told(welch(parts[0], parts[1], level, min_patients), "welch_t"),
            told(relabel(parts[0], parts[1], seed, min_patients), "relabelling"),
        ]
    return [
        told(moderated_paired(parts[0], level, min_patients), "paired_moderated_t"),
        told(mixed_model(fits[contrast.arm], contrast, level, min_patients), "mixed_model"),
        told(sign_flip(parts[0], level, seed, min_patients), "sign_flip"),
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


def mixed_model(fits: ArmFits, contrast: Contrast, level: float = 0.95, least: int = 3) -> Tested:
    """The contrast from a random-intercept model of all samples of the arm; one fit per row."""
    n = len(fits.values)
    counts = np.array([fits.patients(i, contrast) for i in range(n)], dtype=np.int64)
    effect, se, df = (np.full(n, np.nan) for _ in range(3))
    reason = np.full(n, None, dtype=object)
    for i in range(n):
        if counts[i] < least:
            reason[i] = f"{counts[i]} patients have both time points, {least} are needed"
            continue
        fit, times = fits.fit(i)
        if not fit.converged:
            reason[i] = fit.reason
            continue
        weight = np.array([0.0, *[float(t == contrast.timepoint) - float(t == contrast.baseline) for t in times[1:]]])
        effect[i], se[i], df[i] = weight @ fit.beta, np.sqrt(weight @ fit.cov @ weight), fit.df
    half = stats.t.ppf(0.5 + level / 2, df) * se
    low, high = effect - half, effect + half
    p = 2 * stats.t.sf(np.abs(effect) / se, df)
    return Tested(counts, effect, se, df, low, high, p, np.where(np.isfinite(p), 0.0, np.nan), reason)


def _table(
    index: pd.MultiIndex | pd.Index,
    contrast: Contrast,
    test: str,
    unit: str,
    modality: str,
    method: str,
    result: Tested,
) -> pd.DataFrame:
    fixed: dict[str, Any] = {"test": test, "modality": modality, "contrast": contrast.name}
    return pd.DataFrame(
        {
            **fixed,
            "population": index.get_level_values(0),
            "feature": index.get_level_values(1),
            "n_patients": result.n,
            "effect": result.effect,
            "effect_low": result.low,
            "effect_high": result.high,
            "effect_unit": unit,
            "se": result.se,
            "df": result.df,
            "p": result.p,
            "p_floor": result.p_floor,
            "fdr": np.nan,
            "converged": np.isfinite(result.p),
            "separated": False,
            "method": method,
            "reason": result.reason,
        }
    )


def with_fdr(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of tests and adjust p within each test x method x contrast."""
    kept = [t for t in tables if len(t)]
    if not kept:
        return TESTS.empty()
    joined = pd.concat(kept, ignore_index=True)
    family = joined.groupby(["modality", "test", "method", "contrast"], sort=False)["p"]
    return TESTS.check(joined.assign(fdr=family.transform(lambda p: fdr(p.to_numpy()))))
