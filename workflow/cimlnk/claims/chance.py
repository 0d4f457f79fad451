"""Cohorts like this one in which nothing happened: the same patients, days and gaps, the same noise, no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimlnk.stats.moderation import squeeze_variances

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Measurements of patients at slots (days or tissues), on a scale on which noise is about normal.

    Parameters
    ----------
    values : (patients, slots) or (patients, slots, parts)
        NaN where there is none.
    patients, slots
        Their names; slots that are days are numbers.
    reference
        Slots that hold the level without effect; empty: all of them.
    """

    values: Floats
    patients: tuple[str, ...]
    slots: tuple[object, ...]
    reference: tuple[int, ...] = ()

    def only(self, patients: NDArray[np.bool_]) -> Grid:
        """The same slots for some of the patients."""
        kept = tuple(p for p, k in zip(self.patients, patients, strict=True) if k)
        return Grid(self.values[patients], kept, self.slots, self.reference)


@dataclass(frozen=True)
class Noise:
    """What is left of a grid without its slots' means: level, patients' own levels, residuals."""

    level: Floats  # parts
    own: Floats  # patients × parts
    residual: Floats  # patients × slots × parts, NaN where there is no value
    df: float


def noise_of(grid: Grid) -> Noise:
    """Split a grid into slots' means, patients' levels and residuals (additive model, least squares).

    Slots with a single patient share their mean with the nearest slot that has more, or nothing would be left over.
    """
    y = grid.values if grid.values.ndim == 3 else grid.values[..., None]
    known = np.asarray(np.isfinite(y).all(axis=2))
    slot_of = _merged(known, grid.slots)
    patient, slot = np.nonzero(known)
    _, column = np.unique(slot_of[slot], return_inverse=True)
    n_patients, n_slots = len(grid.patients), int(column.max()) + 1 if len(column) else 0
    design = np.zeros((len(patient), n_patients + n_slots))
    design[np.arange(len(patient)), patient] = 1.0
    design[np.arange(len(patient)), n_patients + column.ravel()] = 1.0
    beta, _, rank, _ = np.linalg.lstsq(design, y[known], rcond=None)
    residual = np.full(y.shape, np.nan)
    residual[known] = y[known] - design @ beta
    effect = np.full((len(grid.slots), y.shape[2]), np.nan)
    effect[slot] = beta[n_patients + column.ravel()]
    chosen = [s for s in (grid.reference or range(len(grid.slots))) if np.isfinite(effect[s]).all()]
    start = effect[chosen].mean(axis=0) if chosen else np.nanmean(effect, axis=0)
    own = beta[:n_patients]
    level = own.mean(axis=0) + start
    return Noise(level, own - own.mean(axis=0), residual, float(len(patient) - rank))


def _merged(known: NDArray[np.bool_], slots: Sequence[object]) -> NDArray[np.int64]:
    """For every slot the slot whose mean it takes part in."""
    counts = known.sum(axis=0)
    full = np.flatnonzero(counts >= 2)
    place = np.arange(len(slots))
    days = all(isinstance(s, (int, float, np.integer, np.floating)) for s in slots)
    for s in np.flatnonzero(counts == 1):
        if len(full):
            near = [abs(float(str(slots[int(f)])) - float(str(slots[int(s)]))) if days else 0.0 for f in full]
            place[s] = full[int(np.argmin(near))]
    return place


def draw(grid: Grid, count: int, random: np.random.Generator) -> Floats | None:
    """`count` grids without effect: every value is its patient's level plus noise as large as that of the slot.

    Variances of slots are moderated (a noisy day keeps its noise), and uncertain as their degrees of freedom say, so
    that three patients do not pretend to know it. Vectors are resampled whole, with random signs, so that their parts
    stay correlated.

    Returns
    -------
    (count, patients, slots[, parts]) or None
        NaN where the grid has none. None if fewer than two degrees of freedom are left to know the noise by.
    """
    noise = noise_of(grid)
    if noise.df < 2:
        return None
    shape = noise.residual.shape
    known = np.asarray(np.isfinite(noise.residual).all(axis=2))
    base = noise.level + noise.own[:, None, :] + np.zeros(shape)
    if shape[2] == 1:
        freedom = noise.df / known.sum()
        per_slot = np.maximum((known.sum(axis=0)) * freedom, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            s2 = np.nansum(noise.residual[..., 0] ** 2, axis=0) / per_slot
        s2 = np.where(known.any(axis=0), s2, np.nan)
        pooled = float(np.nansum(noise.residual**2) / noise.df)
        posterior, _, prior = squeeze_variances(s2, np.where(np.isfinite(s2), per_slot, 0.0))
        if prior == 0.0:
            posterior = np.full(len(s2), pooled)
        spread = np.sqrt(np.where(np.isfinite(posterior), posterior, pooled))
        unsure = np.sqrt(noise.df / random.chisquare(noise.df, size=(count, 1, 1)))
        drawn = base[None, ..., 0] + random.normal(size=(count, *shape[:2])) * spread * unsure
        return np.where(known, drawn, np.nan)
    rows = noise.residual[known] * np.sqrt(known.sum() / noise.df)
    picked = random.integers(len(rows), size=(count, *shape[:2]))
    signs = random.choice([-1.0, 1.0], size=(count, *shape[:2], 1))
    return np.where(known[None, ..., None], base[None] + rows[picked] * signs, np.nan)
