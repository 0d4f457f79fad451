"""What an NK cell is in a synthetic cohort: places on five continuous axes, and the name a reader of them would give.

There are no islands. A cell has a maturation between CD56bright and CD57+, and degrees of an adaptive history, of
cytokine activation, of cycling and of memory. The eight names are regions of these axes; their borders are crowded, as
in blood, and a cell close to a border carries the neighbour's name too (`also`), because nobody could say which it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

POPULATIONS = (
    "CD56bright",
    "CD56dim_NKG2A",
    "CD56dim_KIR",
    "CD56dim_CD57",
    "adaptive",
    "CIML_activated",
    "proliferating",
    "memory_like",
)
BORDERS = (0.20, 0.50, 0.75)  # of maturation, between the first four
OVERLAYS = ("proliferating", "CIML_activated", "adaptive", "memory_like")  # a name from one half on, in this order
NEAR_MATURATION, NEAR_OVERLAY = 0.035, 0.09  # how close to a border both names hold
# Beta parameters of the places within a region: the ends towards a neighbour are not empty.
_PLACE = {"CD56bright": (1.6, 1.8), "CD56dim_NKG2A": (1.4, 1.3), "CD56dim_KIR": (1.2, 1.2), "CD56dim_CD57": (1.1, 1.2)}
_EDGES = dict(zip(POPULATIONS[:4], zip((0.0, *BORDERS), (*BORDERS, 1.0), strict=True), strict=True))


class Latents(NamedTuple):
    """Places of n cells on the axes, each in 0–1 (float64 arrays)."""

    maturation: np.ndarray
    adaptive: np.ndarray
    activated: np.ndarray
    cycle: np.ndarray
    memory: np.ndarray


class Setting(NamedTuple):
    """What a cell has been through: the time point, whether cells were infused, CMV of the donor, mature shares."""

    timepoint: str
    infused: bool
    cmv: bool
    mature: np.ndarray  # shares of the first four populations among resting cells: where activated cells come from


def _maturation(random: np.random.Generator, population: str, n: int) -> np.ndarray:
    low, high = _EDGES[population]
    return low + (high - low) * random.beta(*_PLACE[population], n)


def draw(random: np.random.Generator, population: str, n: int, *, setting: Setting) -> Latents:
    """Places of `n` cells of one region.

    Cells of the other regions of a sample are touched by what the sample went through: everything in the product has
    seen cytokine, everything in the first weeks has cycled lately, and memory is graded from day 28 on.
    """
    week, late = setting.timepoint in ("D7", "D14"), setting.timepoint in ("D28", "D60", "D100")
    product = setting.timepoint == "product"
    if population in _EDGES:
        maturation = _maturation(random, population, n)
    elif population == "adaptive":
        maturation = 0.60 + 0.40 * random.beta(1.5, 1.2, n)
    elif population == "CIML_activated":
        drawn = random.choice(4, size=n, p=setting.mature / setting.mature.sum())
        parts = np.stack([_maturation(random, name, n) for name in POPULATIONS[:4]])
        maturation = parts[drawn, np.arange(n)]
    else:  # cycling and memory-like cells come from the less mature half
        maturation = 0.06 + 0.52 * random.beta(1.6, 1.7, n)
    mature = maturation > BORDERS[1]
    adaptive = 0.49 * random.beta(1.0, 5.0 if setting.cmv else 14.0, n) * np.where(mature, 1.0, 0.2)
    activated = 0.49 * (
        random.beta(2.0, 1.6, n)
        if product
        else random.beta(1.0, 5.0, n)
        if week and setting.infused
        else random.beta(1.0, 14.0, n)
    )
    cycle = 0.49 * (random.beta(1.3, 2.4, n) if week and setting.infused else random.beta(1.0, 12.0, n))
    memory = 0.49 * (random.beta(1.2, 2.6, n) if (week or late) and setting.infused else random.beta(1.0, 9.0, n))
    full = 0.5 + 0.5 * random.beta(1.6, 1.4, n)
    if population == "adaptive":
        adaptive = full
    elif population == "CIML_activated":
        activated = 0.5 + 0.5 * random.beta(2.0, 1.2, n)
    elif population == "proliferating":
        cycle = 0.5 + 0.5 * random.beta(1.3, 1.5, n)
    elif population == "memory_like":
        memory = full
    return Latents(maturation, adaptive, activated, cycle, memory)


def name(cells: Latents) -> np.ndarray:
    """Index into POPULATIONS of the region every cell lies in."""
    result = np.searchsorted(BORDERS, cells.maturation, side="right")
    axis = {"proliferating": 3, "CIML_activated": 2, "adaptive": 1, "memory_like": 4}
    for overlay in reversed(OVERLAYS):
        result = np.where(cells[axis[overlay]] >= 0.5, POPULATIONS.index(overlay), result)
    return result


def second_name(cells: Latents) -> np.ndarray:
    """The name on the other side of the nearest border, where it is near; −1 elsewhere.

    Of several near borders the one of the overlay that was decisive counts, then of the other overlays, then of
    maturation.
    """
    own = name(cells)
    result = np.full(len(own), -1)
    for axis, near in (
        (0, NEAR_MATURATION),
        (4, NEAR_OVERLAY),
        (1, NEAR_OVERLAY),
        (2, NEAR_OVERLAY),
        (3, NEAR_OVERLAY),
    ):
        for step in (-near, near):
            moved = name(cells._replace(**{Latents._fields[axis]: cells[axis] + step}))
            result = np.where(moved != own, moved, result)
    return result
