"""Receptors a cell carries or not: NKG2A and the KIR genes, drawn from its place and the donor; and its names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .latent import BORDERS, POPULATIONS, Latents, second_name
from .proteins import kir_rate, nkg2a_rate
from .repertoire import Repertoire, express_kir


class Receptors(NamedTuple):
    """What n cells carry: NKG2A (bool), KIR genes (bool, n × KIR)."""

    nkg2a: np.ndarray
    kir: np.ndarray


def draw(random: np.random.Generator, population: str, cells: Latents, *, donor: Repertoire) -> Receptors:
    """Receptors of cells of one region: every CD56dim_KIR cell has a KIR, every CD56dim_NKG2A cell NKG2A."""
    n = len(cells.maturation)
    nkg2a = random.random(n) < nkg2a_rate(cells)
    if population == "CD56dim_NKG2A":
        nkg2a[:] = True
    kir = express_kir(random, donor, kir_rate(cells), at_least_one=np.full(n, population == "CD56dim_KIR"))
    return Receptors(nkg2a, kir)


def also(population: str, cells: Latents, held: Receptors) -> np.ndarray:
    """A second name that holds as well (object array, empty where there is none).

    Cells near a border carry the neighbour's name. So do CD56dim cells with NKG2A and KIR both, which lie between the
    two subsets by receptor wherever they lie in maturation.
    """
    second = second_name(cells)
    names = np.array([*POPULATIONS, ""], dtype=object)[second]
    both = held.nkg2a & held.kir.any(axis=1) & (names == "")
    for own, other in (("CD56dim_NKG2A", "CD56dim_KIR"), ("CD56dim_KIR", "CD56dim_NKG2A")):
        if population == own:
            names[both & (cells.maturation > BORDERS[0])] = other
    return names
