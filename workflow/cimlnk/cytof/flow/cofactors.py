"""A cofactor for every fluorescence channel, from the spread of its negative cells.

arcsinh(x / c) is linear below c and logarithmic above, as logicle is (Parks 2006, doi:10.1002/cyto.a.20258). A
cofactor much below the spread of the negative cells splits them in two, one far above hides dim cells. Gains and
scales differ a thousandfold between instruments, so the cofactor comes from the data (as in flowVS: Azad 2016,
doi:10.1186/s12859-016-1083-9), and gates, lineages and positivity then read all channels on one scale: the negative
cells end where ten counts lie in mass cytometry, at two cofactors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EDGE = 2.0  # upper edge of the negative cells, in cofactors: ten counts at the cofactor 5 of mass cytometry
SDS = 3.0  # of the negative cells, to their upper edge
LEAST = 200  # events of a channel
HELD = 0.05  # share of the events a mode holds at least; fewer are outliers of compensation
TALL = 0.1  # of the tallest peak, for a mode
FAR = 3.0  # times the usual cofactor of the panel, from where it is asked whether a channel has negative cells at all
SEEN = 0.02  # share of the events that lie below the usual cofactor where negative cells are there
STEP, SMOOTH = 0.05, 0.15
TURNS = 3

Floats = NDArray[np.floating]


class Negative(NamedTuple):
    """Middle and spread of the negative cells (linear), and why they are not known (else None)."""

    middle: float
    spread: float
    reason: str | None


def negative_cells(values: Floats) -> Negative:
    """The negative cells of a channel: the lowest mode, its spread from the side that faces away from stained cells.

    Parameters
    ----------
    values
        Linear values, compensated; one per event.
    """
    x = np.asarray(values, np.float64)
    x = x[np.isfinite(x)]
    if len(x) < LEAST:
        return Negative(float("nan"), float("nan"), f"{len(x)} events, fewer than {LEAST}")
    # a scale on which all modes are of like width: arcsinh with twice the spread of the negative cells, as less would
    # split them in two; their spread is first guessed from the lower quarter of the values, then found
    tenth, quarter = np.quantile(x, (0.1, 0.25))
    unit = 2.5 * float(quarter - tenth)
    middle = spread = float("nan")
    if unit <= 0:
        return Negative(float(quarter), spread, f"the lower values are all equal to {quarter:.3g}")
    for _ in range(TURNS):
        middle = float(np.sinh(_lowest_mode(np.arcsinh(x / unit))) * unit)
        spread = float(np.median(middle - x[x <= middle])) / 0.6745
        if not spread > 0:
            return Negative(middle, float("nan"), "the values of the lowest mode are all equal")
        unit = 2 * spread
    return Negative(middle, spread, None)


def _lowest_mode(scaled: Floats) -> float:
    """Place of the lowest peak that holds a share of the events."""
    from scipy.ndimage import gaussian_filter1d

    left, right = np.quantile(scaled, (0.002, 0.998))
    bins = np.arange(left - 0.5, right + 0.5 + STEP, STEP)
    counts = np.histogram(scaled, bins)[0].astype(np.float64)
    f = gaussian_filter1d(counts, SMOOTH / STEP, mode="constant")
    centres = (bins[:-1] + bins[1:]) / 2
    inner = (f[1:-1] >= f[:-2]) & (f[1:-1] > f[2:])
    for p in np.flatnonzero(inner) + 1:
        if f[p] >= TALL * f.max() and (np.abs(scaled - centres[p]) < 0.75).mean() >= HELD:
            return float(centres[p])
    return float(centres[int(np.argmax(f))])


def cofactor_of(values: Floats) -> tuple[float, str | None]:
    """Cofactor of one channel, NaN with the reason where its negative cells are not seen.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 100, 5000)
    >>> round(cofactor_of(x)[0], -1)
    150.0
    """
    found = negative_cells(values)
    if found.reason is not None:
        return float("nan"), found.reason
    return max(found.middle + SDS * found.spread, found.spread) / EDGE, None


def estimate_cofactors(values: Floats | Sequence[Floats]) -> tuple[NDArray[np.float64], list[str | None]]:
    """Cofactors of all channels of a panel, and for those that show no negative cells the reason.

    A channel on which all cells are stained (CD45) has none: it takes the median cofactor of the others.

    Parameters
    ----------
    values
        Events x channels, linear and compensated; an even draw of the cohort's files. Or one array a channel, where
        not every file has every channel.

    Returns
    -------
    cofactors, reasons
        One a channel; NaN where no channel of the panel tells any.
    """
    columns = list(values.T) if isinstance(values, np.ndarray) else list(values)
    own = [cofactor_of(x) for x in columns]
    cofactors = np.array([c for c, _ in own], np.float64)
    reasons = [r for _, r in own]
    usual = float(np.nanmedian(cofactors)) if np.isfinite(cofactors).any() else float("nan")
    for j in range(len(cofactors)):
        if cofactors[j] > FAR * usual and (columns[j] < usual).mean() < SEEN:
            lowest = np.quantile(columns[j], SEEN)
            reasons[j] = f"no negative cells: {1 - SEEN:.0%} of the events lie above {lowest:.3g}"
        if reasons[j] is not None:
            cofactors[j] = usual
            reasons[j] = f"{reasons[j]}; the median of the panel's channels is taken"
    return cofactors, reasons
