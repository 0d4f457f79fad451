"""What repertoires and compositions say about time and donor: PERMANOVA and donor identity as rows of TESTS."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.results import blank_rows
from cimlnk.stats.intervals import wilson
from cimlnk.stats.permutation import NOTHING_TO_EXCHANGE, Permuted, donor_identity, permanova

Floats = NDArray[np.float64]


def thinned(counts: pd.DataFrame, min_cells: int, seed: int) -> pd.DataFrame:
    """Every sample with at least `min_cells` cells, reduced to the size of the smallest of them.

    A distance between frequencies is inflated by sampling noise; at one depth it is inflated alike for all.
    """
    totals = counts.to_numpy().sum(axis=1)
    kept = counts[totals >= min_cells].sort_index()
    if kept.empty:
        return kept
    cells = kept.to_numpy()
    depth = int(cells.sum(axis=1).min())
    rows = [
        rng(seed, "thin", sample).multivariate_hypergeometric(own, depth)
        for sample, own in zip(kept.index, cells, strict=True)
    ]
    return pd.DataFrame(np.array(rows), index=kept.index, columns=kept.columns)


def distance_tests(
    distance: Floats, samples: pd.DataFrame, *, modality: str, what: str, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Ask a distance matrix for a time effect (per arm), a donor effect and donor identity.

    Samples are exchanged only with samples that differ in nothing but what is asked for: time points within a patient
    and batch; patients within an arm, time point and batch. So neither an effect of the arm nor one of the batch can
    pass for one of the patient, and where a design leaves nothing to exchange (one patient a batch, time points in
    batches of their own) the row has no p and says so. If patients are nested in batches, a sample's nearest neighbour
    is looked for in its own batch.

    Parameters
    ----------
    distance
        Samples x samples.
    samples
        SAMPLES rows in the order of `distance`; without a column ``batch`` all are of one.
    what
        Written in the column ``feature``: ``receptors``, ``donor_receptors`` or ``composition``.

    Returns
    -------
    DataFrame
        TESTS: ``permanova_time`` (one row per arm), ``permanova_patient`` and ``donor_identity`` (all arms together).
    """
    asked: dict[str, Any] = {"modality": modality, "what": what, "permutations": permutations, "seed": seed}
    return pd.concat(
        [time_tests(distance, samples, **asked), patient_tests(distance, samples, **asked)], ignore_index=True
    )


def time_tests(
    distance: Floats, samples: pd.DataFrame, *, modality: str, what: str, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """The rows ``permanova_time`` of :func:`distance_tests`, which has the parameters."""
    rows = []
    batch = _batch_of(samples)
    for arm in sorted(set(samples["arm"])):
        own = np.flatnonzero((samples["arm"] == arm).to_numpy())
        part, of_batch = samples.iloc[own], batch.iloc[own]
        test = permanova(
            distance[np.ix_(own, own)],
            part["timepoint"].to_numpy(),
            _joint(part["patient"], of_batch),
            unequal=True,
            permutations=permutations,
            seed=seed,
            name=f"time/{modality}/{what}/{arm}",
        )
        mixed = (part.groupby(["patient", of_batch.rename("_batch")])["timepoint"].nunique() > 1).any()
        if not np.isfinite(test.p) and not mixed and (part.groupby("patient")["timepoint"].nunique() > 1).any():
            test = test._replace(reason="not estimable: a patient's time points lie in batches of their own")
        elif test.reason == NOTHING_TO_EXCHANGE:
            test = test._replace(reason="not estimable: no patient has two time points")
        n = int((part["patient"].value_counts() > 1).sum())
        rows.append(
            _row("permanova_time", modality, what, contrast=f"{arm}: time", n=n, result=test, unit="R2 within patients")
        )
    return pd.concat(rows, ignore_index=True)


def patient_tests(
    distance: Floats, samples: pd.DataFrame, *, modality: str, what: str, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """The rows ``permanova_patient`` and ``donor_identity`` of :func:`distance_tests`, which has the parameters."""
    rows, batch = [], _batch_of(samples)
    patient = samples["patient"]
    design = _exchangeable(samples)
    test = permanova(
        distance,
        patient.to_numpy(),
        design.blocks,
        name=f"patient/{modality}/{what}",
        permutations=permutations,
        seed=seed,
    )
    test = test._replace(reason=design.reason) if design.reason else test
    unit = "R2 within arms, time points and batches" if batch.nunique() > 1 else "R2 within arms and time points"
    n = int((patient.value_counts() > 1).sum())
    rows.append(_row("permanova_patient", modality, what, contrast="all arms: patient", n=n, result=test, unit=unit))
    rows.append(identity_test(distance, samples, modality=modality, what=what, permutations=permutations, seed=seed))
    return pd.concat(rows, ignore_index=True)


def identity_test(
    distance: Floats, samples: pd.DataFrame, *, modality: str, what: str, permutations: int = 999, seed: int = 0
) -> pd.DataFrame:
    """The row ``donor_identity`` of :func:`distance_tests`, which has the parameters."""
    patient, design = samples["patient"], _exchangeable(samples)
    among = design.batch if design.nested else None
    test = donor_identity(
        distance, patient.to_numpy(), design.blocks, among=among, permutations=permutations, seed=seed
    )
    test = test._replace(reason=design.reason) if design.reason else test
    unit = "1-NN accuracy within batches" if design.nested else "1-NN accuracy"
    n = int((patient.value_counts() > 1).sum())
    row = _row("donor_identity", modality, what, contrast="all arms: patient", n=n, result=test, unit=unit)
    row["effect"] = test.statistic
    if np.isfinite(test.statistic):  # samples of a patient are no units: as many trials as patients
        row["effect_low"], row["effect_high"] = wilson(test.statistic, n)
    return row


class _Exchangeable(NamedTuple):
    """Which samples patients may be exchanged among: of one arm, time point and batch; why none (else None)."""

    blocks: NDArray[np.object_]
    batch: NDArray[np.object_]
    nested: bool  # every patient lies in one batch
    reason: str | None


def _exchangeable(samples: pd.DataFrame) -> _Exchangeable:
    batch = _batch_of(samples)
    blocks = _joint(samples["arm"], samples["timepoint"], batch)
    alone = samples["patient"].reset_index(drop=True).groupby(blocks).nunique().max() < 2
    nested = batch.nunique() > 1 and bool((batch.groupby(samples["patient"].to_numpy()).nunique() == 1).all())
    said = "not estimable: no two patients of an arm share a time point" + (" and a batch" if nested else "")
    return _Exchangeable(blocks, batch.to_numpy(), nested, said if alone else None)


def _batch_of(samples: pd.DataFrame) -> pd.Series:
    return samples["batch"].astype(str) if "batch" in samples else pd.Series("one", index=samples.index)


def _joint(*columns: pd.Series) -> np.ndarray:
    """One label a row from several columns."""
    return np.array(["\t".join(map(str, row)) for row in zip(*columns, strict=True)], dtype=object)


def _row(test: str, modality: str, what: str, *, contrast: str, n: int, result: Permuted, unit: str) -> pd.DataFrame:
    row = blank_rows(
        test, unit, [NK], contrast=contrast, method="block_permutation",
        features=[what], modality=modality, n_patients=n, reason=result.reason,
    )  # fmt: skip
    return row.assign(effect=result.effect, p=result.p, p_floor=result.p_floor, converged=bool(np.isfinite(result.p)))
