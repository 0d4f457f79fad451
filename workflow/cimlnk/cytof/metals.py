"""Which metal and mass a mass-cytometry channel measures, and which stable isotopes a metal has."""

from __future__ import annotations

import re
from typing import NamedTuple

# Masses of the naturally occurring isotopes (IUPAC table of isotopic compositions) of every metal that can be a tag,
# a standard bead, an intercalator or a contaminant between mass 75 and 209.
ISOTOPES: dict[str, tuple[int, ...]] = {
    "As": (75,),
    "Se": (74, 76, 77, 78, 80, 82),
    "Br": (79, 81),
    "Rb": (85, 87),
    "Sr": (84, 86, 87, 88),
    "Y": (89,),
    "Zr": (90, 91, 92, 94, 96),
    "Nb": (93,),
    "Mo": (92, 94, 95, 96, 97, 98, 100),
    "Ru": (96, 98, 99, 100, 101, 102, 104),
    "Rh": (103,),
    "Pd": (102, 104, 105, 106, 108, 110),
    "Ag": (107, 109),
    "Cd": (106, 108, 110, 111, 112, 113, 114, 116),
    "In": (113, 115),
    "Sn": (112, 114, 115, 116, 117, 118, 119, 120, 122, 124),
    "Te": (120, 122, 123, 124, 125, 126, 128, 130),
    "I": (127,),
    "Xe": (124, 126, 128, 129, 130, 131, 132, 134, 136),
    "Cs": (133,),
    "Ba": (130, 132, 134, 135, 136, 137, 138),
    "La": (138, 139),
    "Ce": (136, 138, 140, 142),
    "Pr": (141,),
    "Nd": (142, 143, 144, 145, 146, 148, 150),
    "Sm": (144, 147, 148, 149, 150, 152, 154),
    "Eu": (151, 153),
    "Gd": (152, 154, 155, 156, 157, 158, 160),
    "Tb": (159,),
    "Dy": (156, 158, 160, 161, 162, 163, 164),
    "Ho": (165,),
    "Er": (162, 164, 166, 167, 168, 170),
    "Tm": (169,),
    "Yb": (168, 170, 171, 172, 173, 174, 176),
    "Lu": (175, 176),
    "Hf": (174, 176, 177, 178, 179, 180),
    "Ta": (180, 181),
    "W": (180, 182, 183, 184, 186),
    "Re": (185, 187),
    "Os": (184, 186, 187, 188, 189, 190, 192),
    "Ir": (191, 193),
    "Pt": (190, 192, 194, 195, 196, 198),
    "Au": (197,),
    "Hg": (196, 198, 199, 200, 201, 202, 204),
    "Tl": (203, 205),
    "Pb": (204, 206, 207, 208),
    "Bi": (209,),
}

_METAL_FIRST = re.compile(r"\(?([A-Z][a-z]?)(\d{2,3})\)?(?:Di|Dd)?(?:$|[\s_\-(].*)")
_MASS_FIRST = re.compile(r"(\d{2,3})([A-Z][a-z]?)(?:Di|Dd)?(?:$|[\s_\-(].*)")
_INSIDE = re.compile(r".*\(([A-Z][a-z]?)(\d{2,3})\)(?:Di|Dd)$")  # "CD45(In115)Dd"
_BACKGROUND = re.compile(r"BCKG(\d{2,3})(?:Di|Dd)?")


class Metal(NamedTuple):
    """The metal symbol (None for a background channel, ``BCKG190Di``) and the mass number of a channel."""

    symbol: str | None
    mass: int


def parse_metal(channel: str) -> Metal | None:
    """The metal and mass of a channel name, or None if it is not a mass channel (Time, Event_length, Center, …).

    Understood: ``Pr141Di``, ``(Pd102)Di``, ``CD45(In115)Dd``, ``Pr141``, ``141Pr``, ``141Pr_CD3``, ``BCKG190Di``. The
    mass must be one of the metal's stable isotopes, so that a marker such as ``CD45`` is never taken for cadmium.

    Examples
    --------
    >>> parse_metal("(Pd102)Di")
    Metal(symbol='Pd', mass=102)
    >>> parse_metal("Cd45") is None
    True
    """
    name = channel.strip()
    if background := _BACKGROUND.fullmatch(name):
        return Metal(None, int(background[1]))
    for pattern, symbol, mass in ((_METAL_FIRST, 1, 2), (_MASS_FIRST, 2, 1), (_INSIDE, 1, 2)):
        if (hit := pattern.fullmatch(name)) and int(hit[mass]) in ISOTOPES.get(hit[symbol], ()):
            return Metal(hit[symbol], int(hit[mass]))
    return None


def mass_channels(channels: list[str]) -> list[int]:
    """Indices of the channels that count ions (the ones whose sensitivity drifts and that can spill over)."""
    return [i for i, name in enumerate(channels) if parse_metal(name) is not None]


def find_masses(channels: list[str], masses: list[int]) -> dict[int, list[int]]:
    """For every mass asked for, the indices of the channels with that mass (empty if there is none)."""
    found = [parse_metal(name) for name in channels]
    return {m: [i for i, metal in enumerate(found) if metal is not None and metal.mass == m] for m in masses}
