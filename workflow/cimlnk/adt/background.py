"""The level of an antibody on cells that do not carry its protein, and the level up to which it says nothing.

All levels are in counts. They are found on log(count + 10), the scale of dsb (Mulè et al., Nat Commun 2022,
doi:10.1038/s41467-022-29356-8), from empty droplets where they are given, otherwise from the negative cells themselves:
the lowest mode, or lineages that do not carry the protein where few cells make that mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .negatives import LEAST_NEGATIVE, Found, of_lineages, share

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
LEAST_ANTIBODIES = 4  # antibodies that make "usual" a word
NEAR = 1.5  # times the level of lineages without the protein, up to which a lowest mode is theirs

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
        ``empty droplets``, ``negative mode``, ``negative lineages``, ``other samples``, ``panel`` or ``none``.
    reason
        What a method other than the first two rests on; None for those.
    trusted
        False where the sample does not show its background and those of the batch differ too much to lend theirs.
    disputed
        The lowest mode was taken for positive cells, which only lineages found without the antibody can tell.
    """

    level: Floats
    noise: Floats
    sd: Floats
    method: list[str]
    reason: list[str | None]
    trusted: NDArray[np.bool_]
    disputed: NDArray[np.bool_]


def negative_mode(counts: Floats) -> tuple[float, float, int]:
    """Centre and standard deviation, on log(count + 10), of the lowest mode of an antibody's counts, and its cells.

    The deviation is that of the values below the centre, mirrored, since positive cells lie only above; the mode has
    twice as many cells as lie there. NaN with fewer than 50 cells.
    """
    if len(counts) < LEAST_CELLS:
        return np.nan, np.nan, 0
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
    return centre, float(np.clip(sd, LEAST_SD, MOST_SD)), 2 * len(below)


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


def find_background(
    samples: list[Floats],
    empties: list[Floats | None],
    *,
    lineages: Sequence[NDArray[Any]] | None = None,
    negative: Sequence[Sequence[str]] = (),
    partly: Sequence[bool] = (),
) -> list[Background]:
    """Backgrounds of all samples of a batch, which share the antibodies' mix but not the depth.

    Parameters
    ----------
    samples
        Cells × antibodies of every sample, counts; the same antibodies in the same order.
    empties
        Droplets × antibodies of the same run without cells, None where they are not given.
    lineages
        Name of every cell's lineage in every sample, empty where it is not sure; None before any is known.
    negative
        Per antibody the lineages that do not carry it.
    partly
        Per antibody whether a part of the T cells does.

    Returns
    -------
    list of Background
        In the order of `samples`.

    Notes
    -----
    Without empty droplets the lowest mode of the cells' counts is the background if there are negative cells. Where few
    cells make it, or lineages without the protein lie clearly below it, their median is taken. Samples of a batch are
    held against each other at their depths: an uncertain background is drawn to those of the others, the more the less
    these differ (random effects; DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2), and a lowest mode
    threefold above them is that of positive cells unless lineages say otherwise. Without other samples it is held
    against the other antibodies: lowest modes of one panel differ, but barely more than tenfold from their median. An
    antibody on all cells (CD45, HLA-ABC; CD56 of sorted NK cells) is then given three times the panel's usual
    background, and says so. On a real set with 87 antibodies and empty droplets (Kotliarov et al., Nat Med 2020) the
    lowest mode of the cells is within a factor of 1.6 of the empty droplets for 81; CD18 and HLA-ABC, on all cells, are
    told to be so, and so is IgM, wrongly.
    """
    k, n = len(samples), samples[0].shape[1]
    found = Found.nothing(k, n)
    for s, (counts, empty) in enumerate(zip(samples, empties, strict=True)):
        if empty is not None and len(empty) >= LEAST_EMPTY:
            centre, sd = from_empty(empty)
            found.put(s, slice(None), centre=centre, sd=sd, n=len(empty), method="empty droplets")
            found.told[s] = True
            continue
        for j in range(n):
            centre_j, sd_j, cells = negative_mode(counts[:, j])
            found.put(s, j, centre=centre_j, sd=sd_j, n=cells, method="negative mode")
        if lineages is not None:
            _by_lineages(found, s, np.log(counts + PSEUDO), lineage=lineages[s], negative=negative, partly=partly)
    disputed = share(found)
    disputed |= _by_panel(found)
    out = []
    for s in range(k):
        for j in map(int, np.flatnonzero(~np.isfinite(found.centre[s]))):
            found.say(s, j, "none", reason=f"{len(samples[s])} cells, fewer than {LEAST_CELLS}")
        level = np.exp(found.centre[s]) - PSEUDO
        noise = np.exp(np.log(np.maximum(level, 0) + PSEUDO) + SDS * found.sd[s]) - PSEUDO
        told = (list(found.method[s]), list(found.reason[s]))
        out.append(Background(level, noise, found.sd[s], *told, found.trusted[s], disputed[s]))
    return out


def _by_lineages(
    found: Found, s: int, x: Floats, *, lineage: NDArray[Any], negative: Sequence[Sequence[str]], partly: Sequence[bool]
) -> None:
    """Take the lineages' level where few cells make the lowest mode, or where that lies clearly above them."""
    usual = (
        max(float(np.nanmedian(np.exp(found.centre[s]) - PSEUDO)), 1.0) if np.isfinite(found.centre[s]).any() else 1.0
    )
    for j, names in enumerate(negative):
        one = of_lineages(x[:, j], lineage, names, partly=partly[j] if len(partly) else False)
        if one is None:
            found.untold[s, j] = bool(names)
            continue
        # of sorted cells a few are called something else by mistake
        if one.n < LEAST_NEGATIVE and np.exp(one.centre) - PSEUDO > UNLIKELY * usual:
            continue
        mode = found.centre[s, j]
        found.told[s, j] = True
        if np.isfinite(mode) and found.n[s, j] >= LEAST_NEGATIVE and mode <= one.centre + np.log(NEAR):
            continue
        sd = float(np.clip(one.sd, LEAST_SD, MOST_SD))
        found.put(s, j, centre=one.centre, sd=sd, n=one.n, method="negative lineages")
        found.reason[s][j] = f"{one.n} {one.lineage} cells, which do not carry it"


def _by_panel(found: Found) -> NDArray[np.bool_]:
    """Antibodies whose lowest mode lies far above those of the panel, which is then taken threefold."""
    disputed = np.zeros(found.centre.shape, bool)
    level = np.exp(found.centre) - PSEUDO
    for s in range(len(level)):
        if np.isfinite(level[s]).sum() < LEAST_ANTIBODIES:
            continue
        usual = max(float(np.nanmedian(level[s])), 1.0)
        for j in map(int, np.flatnonzero(level[s] > UNLIKELY * usual)):
            if found.told[s, j]:
                continue
            disputed[s, j] = True
            found.centre[s, j], found.sd[s, j] = np.log(USUAL * usual + PSEUDO), float(np.nanmedian(found.sd[s]))
            why = f"the lowest mode ({level[s, j]:.0f} counts) is {level[s, j] / usual:.0f} times the panel's usual one"
            found.say(s, j, "panel", reason=f"{why}: no negative cells here; three times the usual one is taken")
    return disputed
