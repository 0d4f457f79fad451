"""Denoised and scaled by background (dsb) and centred log-ratios (CLR), the published scales of antibody counts.

Both are implemented from their papers: dsb, Mulè, Martins and Tsang, Nat Commun 2022 (doi:10.1038/s41467-022-29356-8);
CLR for antibody counts, Stoeckius et al., Nat Methods 2017 (doi:10.1038/nmeth.4380).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .background import PSEUDO

ROUNDS = 60  # of expectation and maximisation; two normal distributions over the antibodies of one cell settle sooner
LEAST_ANTIBODIES = 20  # antibodies whose spread within one cell shows the cell's own background
LEAST_SD = 0.1

Floats = NDArray[np.floating]


class Technical(NamedTuple):
    """The technical component of every cell (mean 0, unit variance) and the share of variance it stands for.

    `method` says what it was made of; with ``none`` the component is 0 everywhere, and `reason` says why.
    """

    component: Floats
    explained: float
    method: str
    reason: str | None


def clr(counts: Floats, across: str = "cells") -> Floats:
    """Centred log-ratios, log1p of counts over the geometric mean of (count + 1).

    Parameters
    ----------
    counts
        Cells × antibodies.
    across
        ``cells``: the mean is one antibody's over all cells; ``antibodies``: one cell's over all antibodies, the
        composition of the first CITE-seq paper.

    Notes
    -----
    Across cells the centre is the mean of negative and positive cells and moves with their shares, so that these values
    are written for other software and no threshold is put on them.

    Examples
    --------
    >>> clr(np.array([[0.0, 9.0], [0.0, 99.0]])).round(2).tolist()
    [[0.0, 0.25], [0.0, 1.42]]
    """
    if across not in ("cells", "antibodies"):
        raise ValueError(f"across {across!r}: cells or antibodies")
    mean = np.exp(np.log1p(counts).mean(axis=0 if across == "cells" else 1, keepdims=True))
    return np.log1p(counts / mean)


def cell_background(values: Floats) -> Floats:
    """Mean of the lower of two normal distributions fitted to the antibodies of every cell (cells × antibodies).

    All cells at once, by expectation and maximisation from the cell's halves; the distributions have one variance.
    """
    ordered = np.sort(values, axis=1)
    half = ordered.shape[1] // 2
    low, high = ordered[:, :half].mean(axis=1), ordered[:, half:].mean(axis=1)
    share = np.full(len(values), 0.5)
    sd = np.maximum(values.std(axis=1) / 2, LEAST_SD)
    for _ in range(ROUNDS):
        distance = ((values - low[:, None]) ** 2 - (values - high[:, None]) ** 2) / (2 * sd[:, None] ** 2)
        odds = np.log(share / (1 - share))[:, None] - distance
        upper = 1 / (1 + np.exp(np.clip(odds, -50, 50)))
        weight = upper.sum(axis=1)
        n = values.shape[1]
        high = (upper * values).sum(axis=1) / np.maximum(weight, 1e-9)
        low = ((1 - upper) * values).sum(axis=1) / np.maximum(n - weight, 1e-9)
        spread = (upper * (values - high[:, None]) ** 2 + (1 - upper) * (values - low[:, None]) ** 2).sum(axis=1)
        sd = np.maximum(np.sqrt(spread / n), LEAST_SD)
        share = np.clip(1 - weight / n, 0.02, 0.98)
    return low


def technical_component(values: Floats, isotypes: list[int]) -> Technical:
    """What sticks to every cell whatever it carries: first component of isotype controls and the cell's background.

    Parameters
    ----------
    values
        Cells × antibodies, log scale, centred on the background.
    isotypes
        Columns of isotype controls.

    Notes
    -----
    As in dsb's second step. Without isotype controls, and with fewer than 20 antibodies, nothing separates what sticks
    from what is carried, and no component is taken.
    """
    proteins = [j for j in range(values.shape[1]) if j not in set(isotypes)]
    parts = [values[:, j] for j in isotypes]
    named = [f"{len(isotypes)} isotype controls"] if isotypes else []
    if len(proteins) >= LEAST_ANTIBODIES:
        parts.append(cell_background(values[:, proteins]))
        named.append("the cells' own background")
    if len(parts) < 2 or len(values) < 20:
        why = f"{len(isotypes)} isotype controls and {len(proteins)} antibodies do not tell what sticks to a cell"
        return Technical(np.zeros(len(values)), 0.0, "none", why)
    X = np.column_stack(parts)
    spread = X.std(axis=0)
    if (spread > 0).sum() < 2:
        return Technical(np.zeros(len(values)), 0.0, "none", "the isotype controls are the same in all cells")
    Z = (X - X.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    variance, directions = np.linalg.eigh(Z.T @ Z / len(Z))
    first = directions[:, -1]
    first = first * np.sign(first.sum() or 1.0)
    score = Z @ first
    return Technical(score / score.std(), float(variance[-1] / variance.sum()), " and ".join(named), None)


def without_component(values: Floats, component: Floats) -> Floats:
    """Values with the regression of every column on the component taken out, means kept."""
    centred = component - component.mean()
    total = float(centred @ centred)
    if total == 0:
        return values
    slope = centred @ (values - values.mean(axis=0)) / total
    return values - centred[:, None] * slope


def dsb(counts: Floats, empty: Floats, isotypes: list[int] | None = None, *, denoise: bool = True) -> Floats:
    """Antibody counts in standard deviations of the empty droplets, less each cell's technical component.

    Parameters
    ----------
    counts, empty
        Cells × antibodies, and droplets without cells × the same antibodies.
    isotypes
        Columns of isotype controls.
    denoise
        Whether the technical component is taken out (dsb's second step).

    Returns
    -------
    numpy.ndarray
        Cells × antibodies; a protein is present above about 3.5.
    """
    background = np.log(empty + PSEUDO)
    values = (np.log(counts + PSEUDO) - background.mean(axis=0)) / background.std(axis=0, ddof=1)
    if not denoise:
        return values
    return without_component(values, technical_component(values, isotypes or []).component)
