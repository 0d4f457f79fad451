"""Estimate the spillover matrix from single-stained beads or cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.common.errors import Plain, Problems
from cimlnk.cytof.metals import parse_metal

from .matrix import plausible_mask

Floats = npt.NDArray[np.floating]

OUTLIER = 8.0  # scaled Pearson residuals beyond which an event is a doublet of two stains
SURE = 2.0  # standard errors by which an entry must exceed zero
ROUNDS = 20


def estimate_spillover(
    counts: Floats,
    channels: Sequence[str],
    stain: npt.NDArray[np.integer],
    *,
    minimum: int = 50,
    threshold: float = 1e-5,
    source: object = "single stains",
) -> pd.DataFrame:
    """The share of every stained channel's signal that appears in the others.

    For a pair of channels that can interact (:func:`plausible_mask`) the entry is Σ(y − b) / Σ(x − a) over the events
    of the stain, x the stained and y the receiving channel, a and b the mean background: the mean over events of
    other stains that cannot spill there. Events whose y is more than eight scaled Poisson deviations from expectation
    (doublets with another stain) are left out, until nothing changes. Entries that do not exceed zero by two standard
    errors, or the `threshold`, are zero.

    CATALYST's default is the median of the per-event ratios. For ion counts, sums are the better estimate: where the
    expected count in y is below about 0.7 (0.2 % of 350), most events read zero, and so does any median.

    Parameters
    ----------
    counts
        (events, channels) raw counts.
    channels
        Names with metal and mass; other channels are skipped.
    stain
        (events,) index into `channels` of the channel an event is stained in; −1 for none or unknown.
    minimum
        Fewest events of a stain.
    threshold
        Smallest entry kept.

    Returns
    -------
    Data frame, stained channels × mass channels, diagonal 1.

    Raises
    ------
    UserError
        If a stain has fewer than `minimum` events or no signal.

    References
    ----------
    Chevrier S et al. (2018) Compensation of signal spillover in suspension and imaging mass cytometry. Cell Systems
    6:612-620.
    """
    problems = Problems()
    receivers = [i for i, c in enumerate(channels) if parse_metal(c) is not None]
    senders = [int(i) for i in np.unique(stain[stain >= 0])]
    for i in senders:
        n = int((stain == i).sum())
        if n < minimum:
            problems.add(source, f"single stain {channels[i]}", Plain(f"{n} events"), f"at least {minimum}")
    if not senders:
        problems.add(source, "single stains", Plain("none"), "events stained in one channel each")
    problems.raise_if_any()
    names = [channels[i] for i in receivers]
    may = plausible_mask([channels[i] for i in senders], names)
    data = np.asarray(counts, dtype=np.float64)
    background = _background(data, stain, senders, receivers=receivers, may=may)
    own_background = {receivers[k]: background[k] for k in range(len(receivers))}
    matrix = pd.DataFrame(0.0, index=[channels[i] for i in senders], columns=names)
    for row, i in enumerate(senders):
        events = data[stain == i]
        x = events[:, i] - own_background[i]
        if x.sum() <= 0:
            problems.add(source, f"single stain {channels[i]}", Plain("no signal above background"), "stained events")
            continue
        for k in np.flatnonzero(may[row]):
            share, error = _ratio(x, events[:, receivers[k]], background[k])
            if share > max(threshold, SURE * error):
                matrix.iat[row, k] = min(share, 0.999)
        matrix.iat[row, receivers.index(i)] = 1.0
    problems.raise_if_any()
    return matrix


def _ratio(x: Floats, y: Floats, b: float) -> tuple[float, float]:
    """Σ(y − b) / Σx without outliers, and its standard error."""
    used = np.ones(len(x), bool)
    share, phi = 0.0, 1.0
    for _ in range(ROUNDS):
        share = max((y[used] - b).sum() / x[used].sum(), 0.0)
        expected = share * np.clip(x, 0, None) + b
        residual = (y - expected) / np.sqrt(expected + 1.0)
        phi = max(1.0, (1.4826 * np.median(np.abs(residual[used]))) ** 2)
        inside = np.abs(residual) <= OUTLIER * np.sqrt(phi)
        if inside.sum() < 0.5 * len(x) or (inside == used).all():
            break
        used = inside
    spread = np.sqrt(np.sum((y[used] - b - share * x[used]) ** 2))
    return float(share), float(spread / x[used].sum())


def _background(
    data: Floats,
    stain: npt.NDArray[np.integer],
    senders: list[int],
    *,
    receivers: list[int],
    may: npt.NDArray[np.bool_],
) -> Floats:
    """Mean count of each receiver in stained events of others that cannot spill there; 0 if there are none.

    The highest percent is left out: a doublet with the receiver's own stain would dominate the mean.
    """
    background = np.zeros(len(receivers))
    for k, r in enumerate(receivers):
        innocent = [i for row, i in enumerate(senders) if i != r and not may[row, k]]
        values = np.sort(data[np.isin(stain, innocent), r])
        values = values[: int(np.ceil(0.99 * len(values)))]
        if len(values):
            background[k] = max(values.mean(), 0.0)
    return background
