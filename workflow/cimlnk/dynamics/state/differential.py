"""Differential state: do markers (or gene-set scores) of a population change within patients, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cimlnk.dynamics.contrasts import contrasts
from cimlnk.dynamics.methods import tests_of
from cimlnk.dynamics.results import blank_confounded, with_fdr

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
    - ``linear_mixed``: all time points of the arm in one linear model with a random intercept per patient (more
      degrees of freedom, the noise of each contrast learnt from all rows: :mod:`cimlnk.stats.contrast_noise`);
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
        wide = wide_state(state, samples, measure, min_cells=min_cells) * scale
        tables += tests_of(
            wide,
            samples,
            todo,
            test=test,
            unit=unit,
            modality=modality,
            min_patients=min_patients,
            level=level,
            seed=seed,
        )
    return with_fdr([blank_confounded(table, samples, todo) for table in tables])


def wide_state(state: pd.DataFrame, samples: pd.DataFrame, measure: str, *, min_cells: int) -> pd.DataFrame:
    """(population, feature) x sample matrix of one measure; NaN where a sample has fewer than `min_cells` cells."""
    used = state[state["sample"].isin(samples["sample"])]
    values = used[measure].where(used["n_cells"] >= min_cells)
    frame = used.assign(value=values)[["population", "feature", "sample", "value"]]
    wide = frame.pivot(index=["population", "feature"], columns="sample", values="value")
    return wide.reindex(columns=sorted(samples["sample"])).sort_index().astype(float)
