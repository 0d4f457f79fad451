"""The level of an antibody on cells that do not carry its protein, and the level up to which it says nothing.

All levels are in counts. They are found on log(count + 10), the scale of dsb (Mulè et al., Nat Commun 2022,
doi:10.1038/s41467-022-29356-8), from empty droplets where they are given, otherwise from the negative cells themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PSEUDO = 10.0  # counts added before the logarithm, as in dsb: below them antibodies differ by chance
SDS = 3.5  # standard deviations of the background above which dsb's authors call a protein present
LEAST_EMPTY = 100  # empty droplets that show a background
LEAST_CELLS = 50  # cells whose density can have a negative mode
LEAST_PEAK = 0.05  # height of the negative mode, as a share of the highest one
BANDWIDTH = 0.15  # of the density, log units
GRID = 512
LEAST_SD, MOST_SD = 0.08, 0.45  # counting alone spreads an antibody without background; debris spreads empty droplets
UNLIKELY = 10.0  # a lowest mode this many times the panel's usual one is positive cells
USUAL = 3.0  # times the panel's usual background: what is taken for such an antibody (one standard deviation over it)
SAME = 3.0  # lowest modes of two samples of a batch that differ more, depth aside, are not both negative
LEAST_ANTIBODIES = 4  # antibodies that make "usual" a word

Floats = NDArray[np.floating]


class Background(NamedTuple):
    """Per antibody of one sample.

    Attributes
    ----------
    level
        Counts of cells without the protein (centre).
    noise
        Counts up to which nothing is called positive: 3.5 standard deviations above `level` on log(count + 10).
    sd
        That standard deviation.
    method
        ``empty droplets``, ``negative mode``, ``other samples``, ``panel`` or ``none``.
    reason
        What a method other than the first two rests on; None for those.
    """

    level: Floats
    noise: Floats
    sd: Floats
    method: list[str]
    reason: list[str | None]


def negative_mode(counts: Floats) -> tuple[float, float]:
    """Centre and standard deviation, on log(count + 10), of the lowest mode of an antibody's counts.

    The deviation is that of the values below the centre, mirrored, since positive cells lie only above. NaN with fewer
    than 50 cells.
    """
    if len(counts) < LEAST_CELLS:
        return np.nan, np.nan
    x = np.log(counts + PSEUDO)
    grid = np.linspace(x.min() - 1, x.max() + 1, GRID)
    step = grid[1] - grid[0]
    at = (x - grid[0]) / step  # linear binning: a value counts for both of its neighbours
    low = np.floor(at).astype(np.int64)
    share = at - low
    height = np.bincount(low, 1 - share, GRID) + np.bincount(low + 1, share, GRID)
    reach = int(np.ceil(4 * BANDWIDTH / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / BANDWIDTH) ** 2)
    density = np.convolve(height, kernel, mode="same")
    rising = density[1:-1] >= density[:-2]
    peaks = np.flatnonzero(rising & (density[1:-1] > density[2:]) & (density[1:-1] >= LEAST_PEAK * density.max())) + 1
    centre = float(grid[peaks[0]])
    below = x[x <= centre]
    sd = float(np.sqrt(np.mean((below - centre) ** 2))) if len(below) else 0.0
    return centre, float(np.clip(sd, LEAST_SD, MOST_SD))


def from_empty(empty: Floats) -> tuple[Floats, Floats]:
    """Centre and standard deviation of every antibody's log(count + 10) over empty droplets (droplets × antibodies).

    Median and 1.4826 MAD where the mean and deviation would follow debris: red cells' CD71 is found in a few hundred of
    the thousands of empty droplets.
    """
    x = np.log(empty + PSEUDO)
    centre = np.median(x, axis=0)
    # the median absolute deviation of small counts comes in steps: the one below the centre is bounded by the plain one
    mad = 1.4826 * np.median(np.abs(x - centre), axis=0)
    plain = x.std(axis=0)
    return centre, np.clip(np.where(plain > 2 * mad, mad, plain), LEAST_SD, MOST_SD)


def find_background(samples: list[Floats], empties: list[Floats | None]) -> list[Background]:
    """Backgrounds of all samples of a batch, which share the antibodies' mix but not the depth.

    Parameters
    ----------
    samples
        Cells × antibodies of every sample, counts; the same antibodies in the same order.
    empties
        Droplets × antibodies of the same run without cells, None where they are not given.

    Returns
    -------
    list of Background
        In the order of `samples`.

    Notes
    -----
    Without empty droplets the lowest mode of the cells' counts is the background if there are negative cells. Whether
    there are, is told by the other samples of the batch (their lowest modes, corrected for depth), then by the other
    antibodies: lowest modes of one panel differ, but hardly more than tenfold from their median. An antibody on all
    cells (CD45, HLA-ABC; CD56 of sorted NK cells) is then given three times the panel's usual background, and says so.
    On a real set with 87 antibodies and empty droplets (Kotliarov et al., Nat Med 2020) the lowest mode of the cells is
    within a factor of 1.6 of the empty droplets for 81; CD18 and HLA-ABC, on all cells, are told to be so, and so is
    IgM, wrongly.
    """
    n = samples[0].shape[1]
    centre, sd = np.full((len(samples), n), np.nan), np.full((len(samples), n), np.nan)
    method = [["negative mode"] * n for _ in samples]
    reason: list[list[str | None]] = [[None] * n for _ in samples]
    for s, (counts, empty) in enumerate(zip(samples, empties, strict=True)):
        if empty is not None and len(empty) >= LEAST_EMPTY:
            centre[s], sd[s] = from_empty(empty)
            method[s] = ["empty droplets"] * n
            continue
        for j in range(n):
            centre[s, j], sd[s, j] = negative_mode(counts[:, j])
    level = np.exp(centre) - PSEUDO
    _by_other_samples(level, sd, method, reason=reason)
    _by_panel(level, sd, method, reason=reason)
    out = []
    for s in range(len(samples)):
        found = np.isfinite(level[s])
        for j in map(int, np.flatnonzero(~found)):
            method[s][j], reason[s][j] = "none", f"{len(samples[s])} cells, fewer than {LEAST_CELLS}"
        noise = np.exp(np.log(np.maximum(level[s], 0) + PSEUDO) + SDS * sd[s]) - PSEUDO
        out.append(Background(level[s], noise, sd[s], method[s], reason[s]))
    return out


def _depths(level: Floats) -> Floats:
    """Depths of the samples: median over antibodies of the log ratio to the antibody's middle sample."""
    with np.errstate(all="ignore"):
        shifted = np.log(level + 1)
    known = np.isfinite(shifted).all(axis=1)
    if known.sum() < 2:
        return np.zeros(len(level))
    middle = np.nanmedian(shifted[known], axis=0)
    return np.where(known, np.nanmedian(shifted - middle, axis=1), 0.0)


def _by_other_samples(level: Floats, sd: Floats, method: list[list[str]], *, reason: list[list[str | None]]) -> None:
    if len(level) < 2:
        return
    depth = _depths(level)
    for j in range(level.shape[1]):
        own = np.log(level[:, j] + 1) - depth
        if not np.isfinite(own).any():
            continue
        best = int(np.nanargmin(own))
        for s in range(len(level)):
            missing = not np.isfinite(own[s])
            if method[s][j] == "empty droplets" or not (missing or own[s] > own[best] + np.log(SAME)):
                continue
            level[s, j] = np.exp(own[best] + depth[s]) - 1
            sd[s, j] = sd[best, j]
            method[s][j] = "other samples"
            what = "too few cells here" if missing else "the lowest mode here is that of positive cells"
            reason[s][j] = f"{what}; taken from another sample of the batch, corrected for depth"


def _by_panel(level: Floats, sd: Floats, method: list[list[str]], *, reason: list[list[str | None]]) -> None:
    for s in range(len(level)):
        if np.isfinite(level[s]).sum() < LEAST_ANTIBODIES:
            continue
        usual = max(float(np.nanmedian(level[s])), 1.0)
        for j in np.flatnonzero(level[s] > UNLIKELY * usual):
            if method[s][j] == "empty droplets":
                continue
            found, level[s, j] = level[s, j], USUAL * usual
            sd[s, j] = float(np.nanmedian(sd[s]))
            method[s][j] = "panel"
            reason[s][j] = (
                f"the lowest mode ({found:.0f} counts) is {found / usual:.0f} times the panel's usual one: no negative "
                "cells here; three times the usual one is taken"
            )
