"""Sudden changes of sensitivity (a clog, a retune): found so that the smoothing does not blur over them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SMALLEST_STEP = 0.03  # relative; a smaller one is drowned by the beads' own spread and harmless
SURENESS = 6.0  # standard errors of the difference of two medians


def find_steps(level: npt.NDArray[np.floating], window: int) -> list[int]:
    """Indices at which the level of a noisy series jumps; index i means between i − 1 and i.

    The medians of the `window` / 2 values before and after every position are compared. The largest difference of at
    least 3 % and six standard errors is a step, put where two constant levels fit best; the search goes on outside
    half a window from it. A step reported by error does little harm: either side is smoothed on its own with windows
    that are unbiased for a straight line.

    Parameters
    ----------
    level
        (beads,) positive relative bead intensity in order of time.
    window
        Width of the running median the steps are to be kept out of.

    Returns
    -------
    Sorted indices; empty for series shorter than four times the compared stretches.
    """
    from scipy.ndimage import median_filter

    y = np.log(level)
    half = max(window // 4, 2)
    width = 2 * half + 1
    n = len(y)
    if n < 4 * width:
        return []
    centre = median_filter(y, size=width, mode="nearest")
    spread = 1.4826 * np.median(np.abs(y - centre))
    # 1.25 σ / √n is the standard error of a median of n normal values; here of a difference of two.
    least = max(np.log1p(SMALLEST_STEP), SURENESS * 1.25 * spread * np.sqrt(2 / width))
    jump = np.zeros(n)
    inner = np.arange(width, n - width)  # position i compares [i − width, i) with [i, i + width)
    change = centre[inner + half] - centre[inner - half - 1]
    # A smooth drift changes the medians everywhere; a step changes them here and not three widths away.
    jump[inner] = np.abs(change - median_filter(change, size=6 * width + 1, mode="nearest"))
    steps: list[int] = []
    while (at := int(jump.argmax())) and jump[at] > least:
        before, after = centre[at - half - 1], centre[at + half]
        stretch = y[at - half : at + half]
        # Cost of a step after j values of the stretch: their distance to `before`, that of the rest to `after`.
        cost = np.concatenate([[0.0], np.cumsum(np.abs(stretch - before) - np.abs(stretch - after))])
        steps.append(at - half + int(cost.argmin()))
        jump[max(at - width, 0) : at + width + 1] = 0
    return sorted(steps)
