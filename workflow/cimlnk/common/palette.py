"""Fixed colours and readable names of populations and arms, the same in every figure, page and export."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping

from .vocabulary import NK, UNASSIGNED

# Okabe & Ito's palette where it reaches, so that colour-blind readers tell the subsets apart; grey means unassigned.
POPULATIONS = {
    "CD56bright": "#0072B2",
    "CD56dim": "#5B6B8C",
    "CD56dim_NKG2A": "#56B4E9",
    "CD56dim_KIR": "#009E73",
    "CD56dim_CD57": "#7A5C3E",
    "adaptive": "#CC79A7",
    "CIML_activated": "#D55E00",
    "proliferating": "#E6B400",
    "memory_like": "#8B2FC9",
    # the same phenotypes where nobody was infused
    "activated": "#D55E00",
    "NKG2A_high": "#8B2FC9",
    UNASSIGNED: "#B8B8B8",
    NK: "#222222",
}
LABELS = {
    "CD56dim": "CD56dim, not typed further",
    "CD56dim_NKG2A": "CD56dim NKG2A+",
    "CD56dim_KIR": "CD56dim KIR+",
    "CD56dim_CD57": "CD56dim CD57+",
    "CIML_activated": "activated CIML",
    "memory_like": "memory-like",
    "activated": "activated (CD25+ CD69+)",
    "NKG2A_high": "NKG2A+ with raised CD56",
    NK: "all NK",
}
ARMS = {
    "CIML": "#8B2FC9",
    "IL2_only": "#0072B2",
    "nonpersister": "#D55E00",
    "no_cytokine": "#E6B400",
    "healthy": "#009E73",
}
OTHERS = ["#4C78A8", "#F58518", "#54A24B", "#E45756", "#72B7B2", "#B279A2", "#9D755D", "#79706E", "#EECA3B", "#FF9DA6"]
GOLDEN = 0.6180339887498949  # successive multiples modulo 1 never come close to each other


def label(population: str) -> str:
    """Name of a population as it is read, not as it is stored; with that of others behind it where asked for."""
    own = LABELS.get(population, population)
    other = _BESIDE.get(population)
    return f"{own} [{other}]" if other and other != own else own


def in_text(text: str) -> str:
    """`text` with every population by its name as it is read.

    Examples
    --------
    >>> in_text("no CD56dim_KIR: KIR is not positive")
    'no CD56dim KIR+: KIR is not positive'
    """
    for stored in (p for p in LABELS if "_" in p):  # "CD56dim" alone is a word of the field, too
        text = re.sub(rf"(?<![\w./-]){stored}(?![\w/-])", LABELS[stored], text)
    return text


_BESIDE: dict[str, str] = {}  # names of others that are shown beside ours


def show_beside(names: Mapping[str, str]) -> None:
    """Show others' names (ours -> theirs) beside ours from now on; none with an empty mapping."""
    _BESIDE.clear()
    _BESIDE.update(names)


def distinct(n: int) -> list[str]:
    """`n` colours, no two alike: a short list first, then hues a golden angle apart in three shades."""
    found = list(OTHERS[:n])
    k = 0
    while len(found) < n:
        hue = (0.07 + k * GOLDEN) % 1.0
        lightness, saturation = ((0.40, 0.62), (0.58, 0.50), (0.30, 0.45))[k % 3]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
        colour = f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"
        if colour not in found:
            found.append(colour)
        k += 1
    return found


def colours(names: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """A colour for each name: the fixed one where there is one, else the next that no other name has.

    Parameters
    ----------
    names
        In the order in which free colours are given.
    known
        Fixed colours; by default those of the populations and arms.
    """
    names = list(dict.fromkeys(names))
    known = {**POPULATIONS, **ARMS} if known is None else known
    taken = {known[n] for n in names if n in known}
    free = iter([c for c in distinct(len(names) + len(taken) + len(OTHERS)) if c not in taken])
    return {name: known[name] if name in known else next(free) for name in names}


def order(populations: Iterable[str]) -> list[str]:
    """Populations in their fixed order, unknown ones by name behind them, unassigned last."""
    present = set(populations)
    fixed = [p for p in POPULATIONS if p in present and p not in (UNASSIGNED, NK)]
    rest = sorted(present - set(POPULATIONS))
    return fixed + rest + ([UNASSIGNED] if UNASSIGNED in present else [])
