"""Courses of an arm with known events, or with none: clouds of cells in twelve markers, patient by patient.

Nothing here knows how identity is followed: subsets are places in marker space, an event is a place that is new, left,
parted or joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

MARKERS = 12
NOISE = 0.9  # sd of a marker within a subset, in arcsinh units; the halves of the split lie 4.7 of it apart
TIMES = ("T0", "T1", "T2", "T3")
STILL = dict.fromkeys(TIMES, tuple("ABCDE"))
EVENTFUL = {
    "T0": ("A", "B", "C", "D"),
    "T1": ("A1", "A2", "B", "C", "D"),
    "T2": ("A1", "A2", "B", "C", "N"),
    "T3": ("A", "B", "C", "N"),
}
EVENTS = {("T1", "split", "A"), ("T2", "birth", "N"), ("T2", "loss", "D"), ("T3", "merge", "A")}


class Cells(NamedTuple):
    """Features, time point, patient and true subset of every cell, and the pairs of time points."""

    x: np.ndarray
    timepoint: np.ndarray
    patient: np.ndarray
    subset: np.ndarray
    pairs: list[tuple[str, str]]


def places(rng: np.random.Generator, subsets: str) -> dict[str, np.ndarray]:
    """A profile per subset: every marker low or high (3 apart), at least three markers between any two."""
    found: list[np.ndarray] = []
    while len(found) < len(subsets):
        new = rng.integers(0, 2, MARKERS) * 3.0
        if all((np.abs(new - old) > 0).sum() >= 3 for old in found):
            found.append(new)
    return dict(zip(subsets, found, strict=True))


def course(
    seed: int,
    at: Mapping[str, Sequence[str]] = STILL,
    *,
    patients: int = 5,
    cells: int | Mapping[str, int] = 300,
    noise: float | Mapping[str, float] = NOISE,
    sample_shift: float = 0.0,
    time_shift: float = 0.0,
    donors: str = "",
    evenness: float = 8.0,
    weight: Callable[[str, int], float] = lambda subset, t: 1.0,
) -> Cells:
    """Draw a course.

    Parameters
    ----------
    at
        Subsets at every time point, of A B C D E N; A1 and A2 are the parts of A, 1.5 to either side in two markers.
    cells, noise
        Cells a sample, and sd within a subset (as lower depth gives), for all time points or by time point.
    sample_shift, time_shift
        Sd per marker of a shift of all cells of a sample, and of a time point (as a batch gives).
    donors
        Subsets in which every patient has an own pattern in three markers.
    evenness
        Of the Dirichlet shares of the subsets, drawn for every sample.
    weight
        Factor on a subset's share at a time point's number.

    Subsets differ between patients (sd 0.15 a marker) and drift (sd 0.25 a marker over the course) in any case.
    """
    rng = np.random.default_rng(seed)
    place = places(rng, "ABCDEN")
    axis = np.zeros(MARKERS)
    axis[rng.choice(MARKERS, 2, replace=False)] = 1.5
    place |= {"A1": place["A"] + axis, "A2": place["A"] - axis}
    names = sorted({s for subsets in at.values() for s in subsets})
    own = {(p, s): rng.normal(0, 0.15, MARKERS) for p in range(patients) for s in names}
    for key in own:
        own[key][:3] += rng.integers(0, 2, 3) * 3.0 if key[1] in donors else 0.0
    drift = {s: rng.normal(0, 0.25, MARKERS) for s in names}
    x, subset, timepoint, patient = [], [], [], []
    for t, (time, subsets) in enumerate(at.items()):
        moved = rng.normal(0, time_shift, MARKERS)
        n = cells[time] if isinstance(cells, Mapping) else cells
        sd = noise[time] if isinstance(noise, Mapping) else noise
        for p in range(patients):
            shift = moved + rng.normal(0, sample_shift, MARKERS)
            share = rng.dirichlet([evenness] * len(subsets)) * np.array([weight(s, t) for s in subsets])
            for s, k in zip(subsets, rng.multinomial(n, share / share.sum()), strict=True):
                centre = place[s] + own[(p, s)] + shift + t * drift[s] / 3
                x.append(centre + rng.normal(0, sd, (k, MARKERS)))
                subset += [s] * k
                timepoint += [time] * k
                patient += [p] * k
    times = list(at)
    return Cells(
        np.vstack(x).astype(np.float32),
        np.array(timepoint, dtype=object),
        np.array(patient),
        np.array(subset, dtype=object),
        list(zip(times[:-1], times[1:], strict=True)),
    )
