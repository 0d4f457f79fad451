"""Find the calibration beads among the events of a file, without a hand-drawn gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

COFACTOR = 5.0
# A bead carries every bead metal: 30 ion counts in the weakest of its channels, arcsinh(30 / 5) = 2.5, separates beads
# (hundreds of counts) from cells, which are never bright in all of them.
LOWEST_BEAD = 2.5
# A lone bead is seven times brighter in its weakest channel than in the brightest DNA channel (2 units of arcsinh).
DNA_GAP = 2.0


class NoBeads(ValueError):
    """Too few calibration beads to estimate a correction from; `found` and `needed` say how many."""

    def __init__(self, found: int, needed: int) -> None:
        self.found, self.needed = found, needed
        super().__init__(f"{found} calibration beads found, at least {needed} needed")


@dataclass(frozen=True)
class BeadCall:
    """Which events are beads.

    Attributes
    ----------
    singlet
        (events,) lone beads, trimmed: the ones the correction is estimated from.
    bead_like
        (events,) every event with bead signal: lone beads, bead–bead and bead–cell doublets, outlying beads. These
        are to be removed, and contain all of `singlet`.
    floor
        (bead channels,) ion counts above which an event counts as bead-like, in all channels at once.
    low, high
        (bead channels,) ion counts between which a lone bead must lie to be used.
    """

    singlet: Bools
    bead_like: Bools
    floor: Floats
    low: Floats
    high: Floats

    @property
    def n_doublets(self) -> int:
        """Events with bead signal that are not used for the correction."""
        return int(self.bead_like.sum() - self.singlet.sum())


def identify_beads(beads: Floats, dna: Floats, *, trim: float = 5.0, minimum: int = 20) -> BeadCall:
    """Call lone beads and everything that contains a bead.

    On the arcsinh(x / 5) scale an event is a candidate bead if its weakest bead channel is above 2.5 and above its
    brightest DNA channel by 2. Candidates further than `trim` median absolute deviations (scaled to a standard
    deviation) from the candidates' median in any bead channel are bead–bead doublets or damaged beads and not used for
    the correction; the rule is applied until it changes nothing (at most ten times). Bead-like, to be removed, is
    every event that reaches half the beads' median (arcsinh scale) in all bead channels, whatever its DNA.

    Parameters
    ----------
    beads
        (events, bead channels) raw ion counts.
    dna
        (events, DNA channels) raw ion counts; with no DNA channel measured, an array of shape (events, 0).
    trim
        Width of the accepted range in MADs.
    minimum
        Fewest lone beads accepted.

    Returns
    -------
    BeadCall

    Raises
    ------
    NoBeads
        If fewer than `minimum` lone beads are found.

    References
    ----------
    Finck R et al. (2013) Normalization of mass cytometry data with bead standards. Cytometry A 83A:483-494.
    """
    if beads.ndim != 2 or beads.shape[1] == 0:
        raise ValueError(f"beads must be (events, channels) with at least one channel, not {beads.shape}")
    bright = np.arcsinh(np.asarray(beads, dtype=np.float64) / COFACTOR)
    weakest = bright.min(axis=1)
    brightest_dna = (
        np.arcsinh(np.asarray(dna, dtype=np.float64) / COFACTOR).max(axis=1)
        if dna.shape[1]
        else np.full(len(bright), -np.inf)
    )
    candidate = (weakest > LOWEST_BEAD) & (weakest > brightest_dna + DNA_GAP)
    if candidate.sum() < minimum:
        raise NoBeads(int(candidate.sum()), minimum)
    singlet = candidate
    for _ in range(10):
        median = np.median(bright[singlet], axis=0)
        spread = 1.4826 * np.median(np.abs(bright[singlet] - median), axis=0)
        low, high = median - trim * spread, median + trim * spread
        inside = candidate & ((bright >= low) & (bright <= high)).all(axis=1)
        if (inside == singlet).all():
            break
        singlet = inside
    if singlet.sum() < minimum:
        raise NoBeads(int(singlet.sum()), minimum)
    floor = np.maximum(0.5 * median, LOWEST_BEAD)
    bead_like = (bright > floor).all(axis=1) | singlet
    back = [COFACTOR * np.sinh(v) for v in (floor, low, high)]
    return BeadCall(singlet, bead_like, back[0], back[1], back[2])
