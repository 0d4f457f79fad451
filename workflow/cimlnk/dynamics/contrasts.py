"""The questions asked of every marker, gene and neighbourhood: a time point against a baseline, within patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Contrast:
    """A time point against a baseline in one arm, or (with `reference_arm`) the difference of two arms in it."""

    arm: str
    timepoint: str
    baseline: str
    reference_arm: str | None = None

    @property
    def name(self) -> str:
        """The name in the column `contrast` of every table: ``"CIML: D7 vs pre"``, ``"CIML vs IL2: D7 vs pre"``."""
        arms = self.arm if self.reference_arm is None else f"{self.arm} vs {self.reference_arm}"
        return f"{arms}: {self.timepoint} vs {self.baseline}"

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm,) if self.reference_arm is None else (self.arm, self.reference_arm)


def contrasts(samples: pd.DataFrame, baselines: Sequence[str], reference_arm: str | None = None) -> list[Contrast]:
    """All contrasts the samples allow, in the order of arm, baseline and day.

    Parameters
    ----------
    samples
        SAMPLES of one modality: patient, day, timepoint, arm.
    baselines
        Time point labels to compare with; each is used in the arms that have it. Two baselines are compared with each
        other once, the later named against the earlier named.
    reference_arm
        The arm that the others are compared with (difference of differences, so patients stay their own control).
        None: no comparison of arms.

    Returns
    -------
    list of Contrast
        Only contrasts for which at least one patient of every arm has both time points.
    """
    order = samples.groupby("timepoint", sort=True)["day"].min().sort_values(kind="stable").index.tolist()
    have = {
        (arm, timepoint): set(group["patient"])
        for (arm, timepoint), group in samples.groupby(["arm", "timepoint"], sort=True)
    }

    def both(arm: str, timepoint: str, baseline: str) -> bool:
        return bool(have.get((arm, timepoint), set()) & have.get((arm, baseline), set()))

    found = []
    arms = sorted(set(samples["arm"]))
    for arm in arms:
        for number, baseline in enumerate(baselines):
            for timepoint in order:
                if timepoint not in baselines[: number + 1] and both(arm, timepoint, baseline):
                    found.append(Contrast(arm, timepoint, baseline))
    if reference_arm in arms:
        for arm in arms:
            for c in [c for c in found if c.arm == arm and c.reference_arm is None and arm != reference_arm]:
                if both(str(reference_arm), c.timepoint, c.baseline):
                    found.append(Contrast(arm, c.timepoint, c.baseline, reference_arm))
    return found


def confounded(samples: pd.DataFrame, contrast: Contrast) -> str | None:
    """Why a contrast could be one of batches: it cannot be estimated once patients and batches are in the model.

    Patients nested in batches do no harm (their time points share a batch), nor does one batch a time point to a
    comparison of arms that were measured in the same batches: there the batch cancels. Reference material measured in
    several batches (column ``anchor``) links them.

    Parameters
    ----------
    samples
        SAMPLES of one modality. Without a column ``batch`` all are of one.

    Returns
    -------
    str or None

    Examples
    --------
    >>> rows = [("A", "pre", "b1"), ("A", "D7", "b2"), ("B", "pre", "b1"), ("B", "D7", "b2")]
    >>> samples = pd.DataFrame(rows, columns=["patient", "timepoint", "batch"]).assign(arm="CIML")
    >>> confounded(samples, Contrast("CIML", "D7", "pre"))
    'confounded: D7 and pre lie in batches of their own, so that a difference may be one of batches'
    """
    if "batch" not in samples or samples["batch"].nunique() < 2:
        return None
    wanted = samples["arm"].isin(contrast.arms) & samples["timepoint"].isin([contrast.timepoint, contrast.baseline])
    rows = samples[wanted]
    patient, timepoint, arm = (rows[c].astype(str) for c in ("patient", "timepoint", "arm"))
    cell = arm + "\t" + timepoint
    batch = rows["batch"].astype(str)
    if "anchor" in samples:
        links = samples[samples["anchor"].notna()]
        patient = pd.concat([patient, "\t" + links["anchor"].astype(str)])
        cell = pd.concat([cell, pd.Series("", index=links.index)])
        batch = pd.concat([batch, links["batch"].astype(str)])
    if batch.nunique() < 2:
        return None
    names = [c for c in sorted(set(cell)) if c]
    blocks = [np.asarray(v)[:, None] == np.unique(v)[None] for v in (patient.to_numpy(), batch.to_numpy())]
    design = np.hstack([*blocks, cell.to_numpy()[:, None] == np.array(names)[None]]).astype(float)
    weights = np.zeros(design.shape[1])
    for own, sign in zip(contrast.arms, (1.0, -1.0), strict=False):
        for label, side in ((contrast.timepoint, 1.0), (contrast.baseline, -1.0)):
            if f"{own}\t{label}" not in names:
                return None
            weights[len(weights) - len(names) + names.index(f"{own}\t{label}")] += sign * side
    found, *_ = np.linalg.lstsq(design.T, weights, rcond=None)
    if np.abs(design.T @ found - weights).max() < 1e-8:
        return None
    return (
        f"confounded: {contrast.timepoint} and {contrast.baseline} lie in batches of their own, so that a difference "
        "may be one of batches"
    )


def differences(
    values: pd.DataFrame, samples: pd.DataFrame, arm: str, *, timepoint: str, baseline: str
) -> pd.DataFrame:
    """Per-patient differences `timepoint` minus `baseline`.

    Parameters
    ----------
    values
        Rows (things tested) x samples; NaN where a sample has no value.
    samples
        SAMPLES of one modality. Several samples of a patient at one time point are averaged first: the patient is
        the unit, not the tube.

    Returns
    -------
    DataFrame
        Rows of `values` x patients (sorted) that have both time points; NaN where one of the two is missing.
    """
    rows = samples[(samples["arm"] == arm) & samples["sample"].isin(values.columns)]

    def mean_at(label: str) -> pd.DataFrame:
        at = rows[rows["timepoint"] == label]
        block = values[at["sample"].tolist()].T
        return block.groupby(np.asarray(at["patient"], dtype=object), sort=True).mean().T

    after, before = mean_at(timepoint), mean_at(baseline)
    patients = sorted(set(after.columns) & set(before.columns))
    return after[patients] - before[patients]
