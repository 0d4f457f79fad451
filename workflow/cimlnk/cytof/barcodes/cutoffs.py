"""Separation cut-offs: the smallest at which few doublets are left, measured on doublets made from the data itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cimlnk.common.seeds import rng

from .key import BarcodeKey
from .separation import nearest_code, population_scales, transform

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]

SURE = 0.5  # separation of events certain enough to make doublets from
LOW = 0.1  # below it practically all events are doublets: there the simulated ones are matched to the measured
LEAST, MOST = 0.1, 0.5  # range of cut-offs; below 0.1 noise decides, and 0.5 loses many true events
STEP = 0.01
FEWEST = 50  # events of a code below which the cut-off of all codes together is used
PAIRS = 100_000


def estimate_cutoffs(
    counts: Floats,
    key: BarcodeKey,
    nearest: Ints,
    *,
    separation: Floats,
    doublets: float,
    cofactor: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """One cut-off per code.

    Pairs of clearly separated events of different codes are added up and debarcoded like measured ones. Their number is
    scaled so that as many have a separation below 0.1 as were measured there with the same code; the cut-off is then
    the smallest one (from 0.1 to 0.5) above which at most the share `doublets` of the events is expected to be such
    doublets, one standard error of the counts included. Zunder 2015 sets one cut-off by eye; CATALYST fits the curve
    of yield over cut-off and takes the end of its plateau. Both look for the place where doublets have ended; here
    their number is estimated.

    Parameters
    ----------
    counts
        (events, masses) raw counts.
    nearest, separation
        (events,) from :func:`scale`.
    doublets
        Share of doublets tolerated among events above the cut-off.
    seed
        Of the pairs drawn.

    Returns
    -------
    cutoffs, expected
        (samples,) the cut-off, and the share of doublets expected above it. Codes with fewer than 50 events, or fewer
        than 50 simulated doublets, take the cut-off of all codes together, `expected` NaN. If no doublets can be made
        (fewer than two codes with clearly separated events) all cut-offs are 0.1.
    """
    n = len(key.samples)
    made, made_separation = simulate_doublets(counts, key, nearest, separation=separation, cofactor=cofactor, seed=seed)
    grid = np.arange(LEAST, MOST + STEP / 2, STEP)
    common, _ = _cutoff(separation[nearest >= 0], made_separation, grid, tolerated=doublets)
    cutoffs, expected = np.full(n, common), np.full(n, np.nan)
    for i in range(n):
        mine, theirs = separation[nearest == i], made_separation[made == i]
        if min(len(mine), len(theirs)) >= FEWEST:
            cutoffs[i], expected[i] = _cutoff(mine, theirs, grid, tolerated=doublets)
    return cutoffs, expected


def simulate_doublets(
    counts: Floats, key: BarcodeKey, nearest: Ints, *, separation: Floats, cofactor: float, seed: int
) -> tuple[Ints, Floats]:
    """Code and separation of sums of two clearly separated events of different codes (those with a code in the key)."""
    sure = np.flatnonzero((nearest >= 0) & (separation > SURE))
    empty = np.empty(0, np.intp), np.empty(0)
    if len(sure) == 0 or np.unique(nearest[sure]).size < 2:
        return empty
    draw = rng(seed, "debarcoding", "doublets")
    one, two = sure[draw.integers(len(sure), size=(2, PAIRS))]
    differ = nearest[one] != nearest[two]
    one, two = one[differ], two[differ]
    metal, population = population_scales(transform(counts, cofactor), key)
    level = transform(counts[one].astype(np.float64) + counts[two], cofactor) / metal
    code, _ = nearest_code(level, key)
    code, gap = nearest_code(level / population[code][:, None], key)
    valid = code >= 0
    return code[valid], gap[valid]


def _cutoff(measured: Floats, made: Floats, grid: Floats, *, tolerated: float) -> tuple[float, float]:
    low = int((measured < LOW).sum()), int((made < LOW).sum())
    if len(measured) == 0 or low[1] == 0:
        return float(grid[0]), 0.0
    above = len(measured) - np.searchsorted(np.sort(measured), grid, side="right")
    false = len(made) - np.searchsorted(np.sort(made), grid, side="right")
    # One standard error of each count on top: the smallest cut-off that passes is a lucky one among few events.
    factor = (low[0] + np.sqrt(low[0])) / low[1]
    share = np.divide(factor * (false + np.sqrt(false)), above, out=np.ones_like(grid), where=above > 0)
    enough = np.flatnonzero(share <= tolerated)
    at = int(enough[0]) if enough.size else len(grid) - 1
    return float(grid[at]), float(min(share[at], 1.0))
