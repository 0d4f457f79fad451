"""Distances from the thresholds, and how probable they make a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

LOW_BELOW = 1.0  # `low` ends and `clear` begins this far above the threshold (arcsinh units: a 2.7-fold signal)
LEAST_SD = 0.25  # doubt of any threshold, arcsinh units
BRIGHT_SD = 0.5  # doubt of where bright and raised begin: a yardstick, no gap between two modes
# Within its own doubt of such a border a cell is as good as bright, and the other markers decide.
LEAST_MET: Mapping[str, float] = dict.fromkeys(("bright", "raised"), float(ndtr(-1.0)))

Floats = NDArray[np.floating]


def least_met(state: str, least: float, told: Floats | float) -> Floats | float:
    """Least probability of a state with which it is met: `least`, and less of bright and raised, in whose doubt the
    other markers decide, as far as these were measured (`told`, share of their weight)."""
    if state not in LEAST_MET:
        return least
    return told * LEAST_MET[state] + (1 - told) * max(least, LEAST_MET[state])


class Distances(NamedTuple):
    """What names are given by: clusters (or cells) × features, NaN where one was not measured or has no threshold.

    Attributes
    ----------
    threshold
        Value minus threshold, analysis scale; median over the cluster's cells; of a group, of the highest member.
    bright, raised
        The same from where bright and raised begin, for the features that have it.
    sd
        Uncertainty of the distance (same units), clusters × features; one row may stand for all.
    missing
        Feature -> why there is no threshold; for reasons.
    around
        Of cells: the same of their neighbours alone, for markers that have to agree; None where there are none.
    """

    threshold: pd.DataFrame
    bright: pd.DataFrame
    raised: pd.DataFrame
    sd: pd.DataFrame
    missing: Mapping[str, str]
    around: Distances | None = None

    def rows(self, part: slice) -> Distances:
        """Some of the rows."""
        sd = self.sd if len(self.sd) == 1 else self.sd.iloc[part]
        around = None if self.around is None else self.around.rows(part)
        tables = self.threshold.iloc[part], self.bright.iloc[part], self.raised.iloc[part]
        return Distances(*tables, sd, self.missing, around)


class Evidence:
    """Probability that every row is in a state, from its distances; asked for once each."""

    def __init__(self, d: Distances) -> None:
        self.d, self.n = d, len(d.threshold)
        self.around = None if d.around is None else Evidence(d.around)
        self._known: dict[tuple[str, str], Floats] = {}

    def of(self, state: str, feature: str) -> Floats:
        """Probability of a state (n), 0.5 at its border; NaN where it was not measured."""
        if (state, feature) not in self._known:
            self._known[state, feature] = self._probability(state, feature)
        return self._known[state, feature]

    def _read(self, table: pd.DataFrame, feature: str) -> Floats:
        if feature not in table.columns:
            return np.full(self.n, np.nan)
        values = table[feature].to_numpy(dtype=np.float64)
        return np.full(self.n, values[0]) if len(values) == 1 else values

    def _probability(self, state: str, feature: str) -> Floats:
        above = self._read(self.d.threshold, feature)
        sd = np.fmax(self._read(self.d.sd, feature), LEAST_SD)
        if state == "positive":
            return ndtr(above / sd)
        if state in ("negative", "absent"):
            return ndtr(-above / sd)
        if state == "clear":
            return ndtr((above - LOW_BELOW) / sd)
        if state == "low":
            return ndtr((LOW_BELOW - above) / sd)
        border = self._read(self.d.raised if state == "raised" else self.d.bright, feature)
        border = np.where(np.isfinite(above), border, np.nan)
        doubt = np.fmax(sd, BRIGHT_SD)
        return np.minimum(ndtr(above / sd), ndtr(-border / doubt)) if state == "dim" else ndtr(border / doubt)
