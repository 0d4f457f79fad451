"""Single cells by DNA: above debris, below two cells measured as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .density import GRID, STEP, Threshold, find_split, histogram

LN2 = float(np.log(2.0))  # twice the DNA is ln 2 more on the arcsinh scale (far above the cofactor)
ITERATIONS = 60
SEPARABLE = LN2 / 2.5  # a wider spread hides two cells among single ones


def dna_interval(
    values: NDArray[np.floating], rng: np.random.Generator, bootstraps: int
) -> tuple[Threshold, Threshold]:
    """Lower and upper cut of one DNA channel (arcsinh scale).

    The lower cut is the valley between debris and cells, or, without debris, four standard deviations below the mode.
    The upper cut is where a doublet becomes likelier than a single cell in a mixture of two normals with one spread,
    the second ln 2 (twice the DNA) above the first, fitted by EM to the values above the lower cut.
    """
    counts = histogram(values)
    split = find_split(counts)
    main = _main_mode(counts, split.peaks, split.valleys)
    below = [v for v in split.valleys if v < main]
    mu, sd, share = _single_and_double(counts, GRID[main])
    # debris is a smear rather than a mode: where the density falls to its lowest below the cells
    if below:
        v = below[-1]
        a = max(p for p in split.peaks if p < v)
        floor = split.density <= split.density[v] + 0.05 * min(split.density[a], split.density[main])
        left = v
        while left > a and floor[left - 1]:
            left -= 1
        right = v
        while right < main and floor[right + 1]:
            right += 1
        edge = mu - 3.0 * sd
        value = max(float(GRID[v]), min(edge, float(GRID[right])))
        lower = Threshold(value, float(min(GRID[left], value)), float(max(GRID[right], value)), "valley")
    else:
        value = mu - 4.0 * sd
        lower = Threshold(value, value - sd, value + sd, "edge", "no debris peak: cut at 4 standard deviations")
    if sd > SEPARABLE:
        cut = mu + 3.0 * sd
        reason = f"one and two cells are not separable by this channel (spread {sd:.2f}): cut at 3 standard deviations"
        return lower, Threshold(cut, cut - sd, cut + sd, "edge", reason)
    cut = _crossing(mu, sd, share)
    spread = [cut]
    n = int(counts.sum())
    if bootstraps and n:
        for draw in rng.multinomial(n, counts / n, size=min(bootstraps, 20)).astype(np.float64):
            spread.append(_crossing(*_single_and_double(draw, GRID[main])))
    margin = 0.25 * sd
    upper = Threshold(cut, min(spread) - margin, max(spread) + margin, "doublet mixture")
    return lower, upper


def _main_mode(counts: NDArray[np.floating], peaks: list[int], valleys: list[int]) -> int:
    """The peak whose stretch between valleys holds most events."""
    edges = [0, *valleys, len(counts)]
    held = [counts[a:b].sum() for a, b in zip(edges, edges[1:], strict=False)]
    return peaks[int(np.argmax(held))] if peaks else int(np.argmax(counts))


def _single_and_double(counts: NDArray[np.floating], mode: float) -> tuple[float, float, float]:
    """Mean, sd and share of single cells from a constrained two-normal mixture around the main mode."""
    inside = (mode - 1.0 < GRID) & (mode + 1.6 > GRID)
    x, w = GRID[inside], counts[inside]
    mu, sd, share = mode, 0.25, 0.95
    if w.sum() < 10:
        return mu, sd, share
    for _ in range(ITERATIONS):
        one = share * np.exp(-0.5 * ((x - mu) / sd) ** 2)
        two = (1 - share) * np.exp(-0.5 * ((x - mu - LN2) / sd) ** 2)
        other = 0.02  # background of a fiftieth of the peak, so that stragglers do not widen the normals
        r1, r2 = one / (one + two + other), two / (one + two + other)
        n1, n2 = (w * r1).sum(), (w * r2).sum()
        if n1 + n2 <= 0:
            break
        mu = ((w * r1 * x).sum() + (w * r2 * (x - LN2)).sum()) / (n1 + n2)
        var = ((w * r1 * (x - mu) ** 2).sum() + (w * r2 * (x - mu - LN2) ** 2).sum()) / (n1 + n2)
        sd = float(np.clip(np.sqrt(var), 2 * STEP, 0.5))
        share = float(np.clip(n1 / (n1 + n2), 0.5, 0.999))
    return float(mu), sd, share


def _crossing(mu: float, sd: float, share: float) -> float:
    """Where single and double are equally likely; at most 3.5 standard deviations above the single cells."""
    cut = mu + LN2 / 2 + sd**2 / LN2 * np.log(share / (1 - share))
    return float(np.clip(cut, mu + 1.5 * sd, mu + 3.5 * sd))
