"""From bead intensities over time to one correction factor per event."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from .steps import find_steps

Floats = npt.NDArray[np.floating]

SMALLEST_WINDOW = 11  # beads; a shorter median passes single-bead noise on to the cells
CONCATENATED = 20  # at most so many big steps back in time are read as files put behind one another


def unwind_time(time: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Acquisition time that never jumps back: a file made by concatenation restarts its clock at each joint.

    A few backward jumps (up to 20, each larger than 1 % of the file's span) are read as joints and the later part is
    moved behind the earlier one. Many steps back are disorder (down-sampled or shuffled files) and kept: the time
    itself is then the order.

    Parameters
    ----------
    time
        (events,) in the file's own unit, usually milliseconds.

    Returns
    -------
    clock, part
        (events,) float64, and the number (from 0) of the joined file an event belongs to.
    """
    clock = np.asarray(time, dtype=np.float64)
    part = np.zeros(clock.size, dtype=np.intp)
    if clock.size < 2:
        return clock.copy(), part
    step = np.diff(clock)
    joints = np.flatnonzero(step < -0.01 * (clock.max() - clock.min()))
    if joints.size == 0 or joints.size > CONCATENATED:
        return clock.copy(), part
    offset = np.zeros_like(clock)
    offset[joints + 1] = -step[joints]
    part[joints + 1] = 1
    return clock + np.cumsum(offset), np.cumsum(part)


def running_median(values: Floats, window: int) -> Floats:
    """Median over a centred window of `window` values (made odd) that shrinks symmetrically towards both ends.

    A symmetric window follows a linear drift without bias; a window cut on one side, or held constant over the last
    half window as R's ``runmed(endrule="constant")`` does, does not. So that single beads do not show at the ends, it
    reaches at least an eighth of `window` (and five values) to the inner side.
    """
    from scipy.ndimage import median_filter

    values = np.asarray(values, dtype=np.float64)
    n, half = len(values), max(window // 2, 0)
    half = min(half, (n - 1) // 2) if n else 0
    if half == 0:
        return values.copy()
    smooth = median_filter(values, size=2 * half + 1, mode="nearest")
    least = min(max(SMALLEST_WINDOW // 2, half // 4), half)
    for i in range(half):
        reach = max(i, least)
        smooth[i] = np.median(values[max(i - reach, 0) : i + reach + 1])
        j = n - 1 - i
        smooth[j] = np.median(values[max(j - reach, 0) : j + reach + 1])
    return smooth


def window_for(n_beads: int, window: int) -> int:
    """The window used for `n_beads` beads: the one asked for, but never more than a fifth of the beads.

    A file with few beads would otherwise be corrected by one constant, which removes no drift.
    """
    return max(min(window, n_beads // 5), min(SMALLEST_WINDOW, n_beads))


def bead_slopes(beads: Floats, baseline: Floats, window: int) -> tuple[Floats, Floats]:
    """Correction factor at every bead: the least-squares slope that brings the smoothed beads to the baseline.

    Parameters
    ----------
    beads
        (beads, channels) raw counts of lone beads in order of time.
    baseline
        (channels,) bead intensity to normalise to.
    window
        Beads in the running median.

    Returns
    -------
    slopes, smooth
        (beads,) slope through the origin of baseline on smoothed intensity, Σ_c b_c s_c / Σ_c s_c² (Finck 2013), and
        the (beads, channels) smoothed intensities.
    """
    smooth = np.column_stack([running_median(beads[:, c], window) for c in range(beads.shape[1])])
    return (smooth @ np.asarray(baseline, dtype=np.float64)) / np.einsum("ij,ij->i", smooth, smooth), smooth


def interpolate_slopes(bead_time: Floats, slopes: Floats, time: Floats) -> Floats:
    """The correction factor at any time: linear between beads, constant before the first and after the last.

    Beads that share a time stamp count with the mean of their slopes. `bead_time` must be sorted.
    """
    at, first, count = np.unique(bead_time, return_index=True, return_counts=True)
    mean = np.add.reduceat(slopes, first) / count
    return np.interp(time, at, mean)


def correction(
    clock: Floats,
    part: npt.NDArray[np.intp],
    order: npt.NDArray[np.intp],
    *,
    beads: Floats,
    baseline: Floats,
    window: int,
) -> Floats:
    """The correction factor of every event, each joined part and each stretch between steps by its own beads.

    Parameters
    ----------
    clock, part
        (events,) from :func:`unwind_time`.
    order
        (beads,) events that are lone beads, in order of time.
    beads
        (beads, channels) their raw counts.
    baseline, window
        See :func:`bead_slopes`.

    Returns
    -------
    (events,). The joints are ignored if some part has too few beads (11) to be smoothed alone.
    """
    beads_in = np.bincount(part[order], minlength=int(part.max()) + 1)
    if beads_in.min() < SMALLEST_WINDOW:
        part = np.zeros_like(part)
    factor = np.empty(len(clock))
    for p in range(int(part.max()) + 1):
        mine, rows = part[order] == p, np.flatnonzero(part == p)
        when, counts = clock[order][mine], beads[mine]
        steps = find_steps((counts / counts.mean(axis=0)).mean(axis=1), window)
        edges = [0, *steps, len(when)]
        stretch = np.searchsorted([0.5 * (when[i - 1] + when[i]) for i in steps], clock[rows], side="right")
        for i, (first, last) in enumerate(itertools.pairwise(edges)):
            slopes, _ = bead_slopes(counts[first:last], baseline, window)
            here = rows[stretch == i]
            factor[here] = interpolate_slopes(when[first:last], slopes, clock[here])
    return factor


def residual_drift(time: Floats, beads: Floats) -> float:
    """Linear drift of the beads over the file, as a share of their mean: 0.2 means 20 % lost or won from end to end.

    Every channel is divided by its mean, the channels averaged, and a straight line fitted (Theil–Sen, which a few
    outlying beads do not move) over time scaled to 0–1.

    Parameters
    ----------
    time
        (beads,); must span more than one value.
    beads
        (beads, channels) counts, raw or normalised.
    """
    from scipy.stats import theilslopes

    clock = np.asarray(time, dtype=np.float64)
    span = clock.max() - clock.min()
    if span == 0:
        raise ValueError("all beads have the same time")
    relative = (beads / beads.mean(axis=0)).mean(axis=1)
    if len(relative) > 2000:  # Theil–Sen is quadratic; block medians keep the line and bound the work
        order = np.argsort(clock, kind="stable")
        blocks = np.array_split(order, 1000)
        clock = np.array([np.median(clock[b]) for b in blocks])
        relative = np.array([np.median(relative[b]) for b in blocks])
    return float(theilslopes(relative, (clock - clock.min()) / span)[0])
