"""From a formula to a design matrix, and from questions to contrast vectors with their degrees of freedom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.errors import UserError
from cimlnk.stats.paired import few_pairs

from .contrasts import Contrast, contrasts

Floats = NDArray[np.float64]
AUTO = "auto"


@dataclass(frozen=True)
class Question:
    """A contrast and its weights on the coefficients (None with the reason if the samples cannot answer it)."""

    contrast: Contrast
    weights: Floats | None
    n_patients: int
    reason: str | None


@dataclass(frozen=True)
class Design:
    """Full-rank design matrix N × p, patient codes, degrees of freedom within patients, and the questions."""

    matrix: Floats
    columns: list[str]
    group: NDArray[np.int64]
    df: int
    questions: list[Question]


def make_design(
    samples: pd.DataFrame, formula: str, baseline: str, *, reference_arm: str | None, min_patients: int
) -> Design:
    """Design matrix of the samples and the contrasts of every time point against the baseline.

    Contrasts are those of :func:`.contrasts.contrasts`: each later time point against the baseline in each arm,
    and (with `reference_arm`) the difference of that between arms: the arm × time interaction. Columns that the
    samples cannot distinguish are dropped in order; a contrast that depended on them is answered with a reason.

    Parameters
    ----------
    samples
        One row per observation: patient, arm, timepoint, day, and any covariates of the formula.
    formula
        Right-hand side in Wilkinson notation, for example ``arm * timepoint + cmv_viremia``; ``auto`` is
        ``arm * timepoint``, or ``timepoint`` if there is one arm. The patient is always a random intercept on top.
    baseline
        Reference level of `timepoint`.
    reference_arm
        Reference level of `arm`; None: the first in alphabetical order, and no comparison of arms.
    min_patients
        Fewest patients with both time points, in each arm of a contrast.

    Returns
    -------
    Design
        Degrees of freedom follow the within/between rule: observations − patients − columns that vary within patients.
        All contrasts asked here are within patients.

    Raises
    ------
    UserError
        If the formula cannot be read, or names a column that the sheets do not have.
    """
    data = samples.reset_index(drop=True)
    order = data.groupby("timepoint", sort=True)["day"].min().sort_values(kind="stable").index.tolist()
    levels = [baseline, *(t for t in order if t != baseline)] if baseline in order else order
    arms = sorted(set(data["arm"]))
    if reference_arm in arms:
        arms = [str(reference_arm), *(a for a in arms if a != reference_arm)]
    data["timepoint"] = pd.Categorical(data["timepoint"], categories=levels)
    data["arm"] = pd.Categorical(data["arm"], categories=arms)
    if formula == AUTO:
        formula = "arm * timepoint" if len(arms) > 1 else "timepoint"
        if len(levels) == 1:
            formula = "1"
    full, spec = _matrix(formula, data)
    keep = _independent(full)
    group = pd.factorize(data["patient"], sort=True)[0].astype(np.int64)
    centred = full[:, keep] - pd.DataFrame(full[:, keep]).groupby(group).transform("mean").to_numpy()
    df = len(data) - (int(group.max()) + 1) - int(np.linalg.matrix_rank(centred)) if len(data) else 0
    typical = _typical(data)
    questions = []
    for contrast in contrasts(data.astype({"arm": str, "timepoint": str}), [baseline], reference_arm):
        questions.append(
            _question(contrast, data, spec, typical=typical, full=full, keep=keep, df=df, min_patients=min_patients)
        )
    names = [str(c) for c in spec.column_names]
    return Design(full[:, keep], [names[k] for k in keep], group, df, questions)


def _matrix(formula: str, data: pd.DataFrame) -> tuple[Floats, Any]:
    from formulaic import Formula
    from formulaic.errors import FormulaicError, FormulaSyntaxError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # formulaic asks pandas about dtypes in an old way
            matrix = Formula(formula).get_model_matrix(data, na_action="raise")
    except (FormulaicError, FormulaSyntaxError, ValueError) as error:
        raise UserError(
            "config",
            "dynamics.tests.formula",
            formula,
            f"a formula over {_columns(data)} without missing values ({error})",
        ) from error
    return np.asarray(matrix, dtype=float), matrix.model_spec


def _columns(data: pd.DataFrame) -> str:
    return ", ".join(sorted(map(str, data.columns)))


def _independent(matrix: Floats) -> list[int]:
    """Columns that raise the rank, first come first kept."""
    keep: list[int] = []
    for column in range(matrix.shape[1]):
        trial = [*keep, column]
        if np.linalg.matrix_rank(matrix[:, trial]) == len(trial):
            keep = trial
    return keep


def _typical(data: pd.DataFrame) -> pd.Series:
    """A sample to vary arm and time point on: means of numbers, first values of words; they cancel in a contrast."""
    return pd.Series(
        {c: data[c].mean() if pd.api.types.is_numeric_dtype(data[c]) else data[c].iloc[0] for c in data.columns},
        dtype=object,
    )


def _question(
    contrast: Contrast,
    data: pd.DataFrame,
    spec: Any,
    *,
    typical: pd.Series,
    full: Floats,
    keep: list[int],
    df: int,
    min_patients: int,
) -> Question:
    rows, signs, paired = [], [], []
    for arm, sign in zip(contrast.arms, (1.0, -1.0), strict=False):
        here = data[data["arm"] == arm]
        have = [set(here.loc[here["timepoint"] == t, "patient"]) for t in (contrast.timepoint, contrast.baseline)]
        paired.append(len(have[0] & have[1]))
        for timepoint, side in ((contrast.timepoint, 1.0), (contrast.baseline, -1.0)):
            row = typical.copy()
            row["arm"], row["timepoint"] = arm, timepoint
            rows.append(row)
            signs.append(sign * side)
    n = sum(paired)
    if min(paired) < min_patients:
        return Question(contrast, None, n, few_pairs(min(paired), min_patients))
    if df < 1:
        return Question(contrast, None, n, "no degrees of freedom within patients")
    new = pd.DataFrame(rows).astype({c: data[c].dtype for c in data.columns if c != "day"}, errors="ignore")
    weights = np.asarray(signs) @ np.asarray(spec.get_model_matrix(new), dtype=float)
    if not np.abs(weights).max() > 0:
        return Question(contrast, None, n, "the formula has no term for this contrast")
    combination, *_ = np.linalg.lstsq(full.T, weights, rcond=None)
    if np.abs(full.T @ combination - weights).max() > 1e-8:
        return Question(contrast, None, n, "aliased: the samples cannot tell this contrast from another column")
    return Question(contrast, combination @ full[:, keep], n, None)


def covariates(samples: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Samples with the columns of the patients sheet beside them (those that samples do not have themselves)."""
    extra: Sequence[str] = [c for c in patients.columns if c not in samples.columns]
    return samples.merge(patients[["patient", *extra]], on="patient", how="left", validate="many_to_one")


def contrast_design(
    samples: pd.DataFrame, contrast: Contrast, totals: NDArray[np.integer]
) -> tuple[NDArray[np.int64], int, Floats, int]:
    """Columns used, number of patients (of the smaller arm), design and the design's column under test."""
    usable = (
        samples["arm"].isin(contrast.arms)
        & samples["timepoint"].isin([contrast.timepoint, contrast.baseline])
        & (totals > 0)
    )
    rows = samples[usable.to_numpy()].assign(column=np.flatnonzero(usable.to_numpy()))
    both = rows.groupby("patient")["timepoint"].nunique()
    rows = rows[rows["patient"].isin(both.index[both == 2])]
    per_arm = rows.groupby("arm")["patient"].nunique().reindex(list(contrast.arms)).fillna(0)
    patient = np.asarray(rows["patient"], dtype=object).astype(str)
    after = (rows["timepoint"] == contrast.timepoint).to_numpy(float)
    blocks = [(patient[:, None] == np.unique(patient)[None]).astype(float), after[:, None]]
    if contrast.reference_arm is not None:
        blocks.append((after * (rows["arm"] == contrast.arm).to_numpy())[:, None])
    design = np.hstack(blocks) if len(rows) else np.zeros((0, 1))
    return rows["column"].to_numpy(np.int64), int(per_arm.min()), design, design.shape[1] - 1
