"""How strongly every marker of an NK cell is stained, whatever measures it."""

from __future__ import annotations

import numpy as np

from .latent import Latents, Setting
from .proteins import KIR, MARKERS, nk_levels, state_shift
from .receptors import Receptors
from .repertoire import Repertoire

KIR_COLUMNS = [MARKERS.index(k) for k in KIR]
NKG2A = MARKERS.index("NKG2A")


def stained(
    random: np.random.Generator, cells: Latents, held: Receptors, *, lived: Setting, donor: Repertoire
) -> np.ndarray:
    """Stained level of every marker (cells × MARKERS, arcsinh units) of NK cells at their places with their receptors;
    the planted shift of their time point is in it, the donor's shifts are not."""
    level = nk_levels(random, cells)
    level[:, NKG2A] *= held.nkg2a
    level[:, KIR_COLUMNS] = np.where(held.kir, level[:, KIR_COLUMNS] + donor.kir_level, 0.0)
    shift = state_shift(lived.timepoint) if lived.infused else 0.0
    return np.clip(level + shift * (level > 0.3), 0, None)
