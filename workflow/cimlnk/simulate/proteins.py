"""Protein levels of cell types on the arcsinh(x/5) scale, and the panel they are measured with."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from .composition import POPULATIONS

# Median level per marker. NK levels of CD56, CD16, CD94, NKG2A, NKG2C, CD57, KIR, CD122, NKG2D, NKp30 and NKp46 are
# near those of resting NK clusters in a public mass-cytometry set (NKG2A-, KIR3DL1-, CD57-rich); the rest and
# the activated states are of our choice, with published directions. KIR columns are the level of expressing cells.
_LEVELS = """
CD45       4.9 5.0 5.0 5.1 5.0 4.9 4.9 5.0  5.1 5.1 4.9 4.7
CD3        0.9 1.0 1.0 1.0 1.1 1.0 1.0 1.0  5.0 4.9 0.2 0.3
CD19       0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1  0.1 0.1 4.6 0.2
CD14       0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1  0.1 0.1 0.1 5.0
CD33       0.1 0.1 0.1 0.1 0.1 0.3 0.1 0.1  0.1 0.1 0.1 4.3
CD4        0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1  4.6 0.2 0.1 2.4
CD8a       2.6 2.6 2.6 2.6 2.6 2.6 2.6 2.6  0.1 4.9 0.1 0.1
CD56       5.3 3.6 3.5 3.5 3.4 4.5 4.9 4.6  0.1 0.4 0.1 0.4
CD16       1.0 4.2 4.1 4.4 4.0 1.6 3.1 3.5  0.1 0.3 0.1 1.6
CD94       4.3 3.4 1.8 1.9 1.2 3.5 3.6 4.0  0.1 0.4 0.1 0.1
CD7        4.0 3.8 3.8 3.6 2.0 3.8 4.0 4.0  3.6 3.6 0.1 0.1
CD127      3.0 0.5 0.4 0.2 0.1 0.3 0.4 0.9  3.3 2.6 0.1 0.1
CD117      2.0 0.1 0.1 0.1 0.1 0.2 0.1 0.1  0.1 0.1 0.1 0.2
NKG2A      3.6 3.3 0.5 0.3 0.1 3.3 3.7 4.0  0.1 0.1 0.1 0.1
NKG2C      0.1 0.1 0.1 0.3 3.6 0.1 0.1 0.2  0.1 0.1 0.1 0.1
CD57       0.1 0.3 0.4 4.4 3.6 0.2 0.2 0.2  0.1 1.0 0.1 0.1
CD62L      3.7 2.2 1.6 0.3 0.3 0.8 1.8 2.4  3.6 2.6 3.2 2.6
CD27       2.6 0.6 0.3 0.1 0.1 0.7 0.7 1.2  3.4 3.0 1.8 0.1
KIR2DL1    3.0 3.0 3.2 3.2 3.0 3.0 3.0 3.0  0.1 0.1 0.1 0.1
KIR2DL2_3  3.2 3.2 3.4 3.4 3.6 3.2 3.2 3.2  0.1 0.1 0.1 0.1
KIR3DL1    3.3 3.3 3.5 3.5 3.3 3.3 3.3 3.3  0.1 0.1 0.1 0.1
CD25       0.2 0.1 0.1 0.1 0.1 4.3 1.2 0.2  1.2 0.3 0.2 0.1
CD69       0.5 0.4 0.4 0.3 0.4 4.4 1.5 0.5  0.3 0.5 0.6 0.3
HLA-DR     1.0 0.6 0.6 0.6 1.3 2.2 3.6 1.3  0.3 0.8 5.0 4.6
CD38       3.0 2.6 2.5 1.8 1.5 3.0 4.7 2.9  1.6 1.8 2.6 3.4
CD122      2.8 2.1 1.7 1.5 1.5 1.8 2.7 2.5  0.3 0.9 0.1 0.1
NKG2D      2.0 1.7 1.6 1.3 1.6 2.1 2.7 2.9  0.1 2.2 0.1 0.1
NKp30      2.0 2.0 1.6 1.5 0.6 2.2 2.8 3.1  0.1 0.1 0.1 0.1
NKp44      0.1 0.1 0.1 0.1 0.1 2.6 1.2 0.3  0.1 0.1 0.1 0.1
NKp46      3.2 2.4 1.6 1.5 0.9 2.3 3.1 3.4  0.1 0.1 0.1 0.1
DNAM-1     2.6 2.4 2.3 2.2 1.6 3.2 3.0 2.8  2.4 2.8 0.3 2.2
CD2        2.8 1.8 1.6 1.7 3.6 2.4 2.6 3.5  3.6 3.9 0.1 0.1
TIM-3      0.6 1.2 1.2 1.0 0.8 2.3 3.4 1.6  0.1 0.2 0.1 2.4
TIGIT      0.4 1.2 1.3 1.3 0.6 1.3 1.8 3.1  0.6 1.6 0.1 0.1
PD-1       0.1 0.1 0.1 0.1 0.1 0.3 0.4 0.6  1.1 1.3 0.2 0.1
LAG-3      0.1 0.1 0.2 0.2 0.9 1.7 1.3 0.3  0.1 0.3 0.1 0.1
T-bet      1.8 2.6 2.8 3.2 3.0 2.8 2.9 2.6  0.6 2.0 0.6 0.1
Eomes      3.4 2.7 2.3 1.6 1.5 2.8 3.2 3.0  0.2 1.6 0.1 0.1
Ki-67      0.3 0.2 0.2 0.1 0.1 1.0 4.5 0.4  0.2 0.2 0.1 0.1
GranzymeB  1.2 3.5 3.7 4.2 4.4 4.6 5.0 4.2  0.1 1.8 0.1 0.2
Perforin   1.0 3.0 3.2 3.8 3.6 3.0 3.5 3.3  0.1 1.5 0.1 0.1
CXCR3      2.9 0.8 0.4 0.2 0.2 1.2 1.4 1.6  1.4 2.0 0.8 0.1
"""
OTHERS = ("CD4_T", "CD8_T", "B", "monocyte")
LEVELS: pd.DataFrame = pd.read_csv(  # columns: the populations in their order, then the other cells
    StringIO(_LEVELS), sep=r"\s+", names=["marker", *POPULATIONS, *OTHERS], index_col="marker"
)
MARKERS: tuple[str, ...] = tuple(LEVELS.index)
KIR = ("KIR2DL1", "KIR2DL2_3", "KIR3DL1")

# Standard deviation within a cell type, before ion counting and the intensity of the single cell are added.
SPREAD = pd.Series(0.42, index=list(MARKERS)).where(LEVELS[list(POPULATIONS)].max(axis=1) > 0.5, 0.15)

# Maturation and activation are gradual: this share of the cells lies on the way to a neighbour, at most half of it.
TRANSITIONAL = 0.12
NEIGHBOUR = {
    "CD56bright": "CD56dim_NKG2A",
    "CD56dim_NKG2A": "CD56dim_KIR",
    "CD56dim_KIR": "CD56dim_CD57",
    "CD56dim_CD57": "CD56dim_KIR",
    "adaptive": "CD56dim_CD57",
    "CIML_activated": "proliferating",
    "proliferating": "memory_like",
    "memory_like": "CD56dim_NKG2A",
}

# Share of cells that express at all; the others sit at 0.1. Everything not named here is expressed by all cells.
EXPRESSING: dict[str, dict[str, float]] = {
    "CD8a": dict.fromkeys(POPULATIONS, 0.4),
    "CD117": {"CD56bright": 0.7},
    "CD57": {"CD8_T": 0.3},
}
# Share of KIR+ cells among expressing genes' carriers; in CD56dim_KIR every cell has at least one.
KIR_RATE = {
    "CD56bright": 0.02,
    "CD56dim_NKG2A": 0.0,
    "CD56dim_KIR": 0.55,
    "CD56dim_CD57": 0.35,
    "adaptive": 0.10,
    "CIML_activated": 0.10,
    "proliferating": 0.08,
    "memory_like": 0.06,
}

# Planted shifts of all NK cells at a time point, arcsinh units: population group -> marker -> shift.
STATE_EFFECTS: dict[str, dict[str, float]] = {
    "product": {"CD69": 0.3, "CD25": 0.2, "CD16": -0.4},
    "D7": {"CD56": 0.25, "CD16": -0.5, "GranzymeB": 0.2, "CD38": 0.2},
    "D14": {"CD56": 0.20, "CD16": -0.2, "GranzymeB": 0.1, "CD38": 0.1},
    "D28": {"CD56": 0.10},
}

_CHANNELS = (
    ("Y89Di", "CD45"), ("Cd106Di", "CD19"), ("Cd110Di", "CD8a"), ("Cd111Di", "CD4"), ("Cd112Di", "CD14"),
    ("Cd113Di", "CD62L"), ("Cd114Di", "CD27"), ("In115Di", "CD3"), ("Cd116Di", "CD33"), ("Pr141Di", "CD7"),
    ("Nd142Di", "NKp44"), ("Nd143Di", "CD127"), ("Nd144Di", "CD69"), ("Nd145Di", "CD56"), ("Nd146Di", "NKG2D"),
    ("Sm147Di", "CXCR3"), ("Nd148Di", "KIR2DL1"), ("Sm149Di", "CD25"), ("Nd150Di", "CD122"), ("Sm152Di", "CD117"),
    ("Sm154Di", "TIGIT"), ("Gd155Di", "NKp46"), ("Gd156Di", "TIM-3"), ("Gd157Di", "LAG-3"), ("Gd158Di", "CD2"),
    ("Tb159Di", "NKp30"), ("Gd160Di", "T-bet"), ("Dy161Di", "Ki-67"), ("Dy162Di", "DNAM-1"), ("Dy163Di", "Eomes"),
    ("Dy164Di", "NKG2C"), ("Er166Di", "KIR2DL2_3"), ("Er167Di", "CD94"), ("Er168Di", "PD-1"), ("Tm169Di", "NKG2A"),
    ("Er170Di", "CD38"), ("Yb171Di", "KIR3DL1"), ("Yb172Di", "CD57"), ("Yb173Di", "GranzymeB"), ("Yb174Di", "HLA-DR"),
    ("Yb176Di", "Perforin"), ("Bi209Di", "CD16"),
)  # fmt: skip
_BEADS = (("Ce140Di", "Bead140"), ("Eu151Di", "Bead151"), ("Eu153Di", "Bead153"), ("Ho165Di", "Bead165"),
          ("Lu175Di", "Bead175"))  # fmt: skip
BEAD_LEVEL = {"Bead140": 900.0, "Bead151": 1300.0, "Bead153": 1500.0, "Bead165": 1700.0, "Bead175": 1900.0}
_ROLES = {
    "lineage": ("CD45", "CD3", "CD19", "CD14", "CD33", "CD4", "CD8a"),
    "identity": ("CD56", "CD16", "CD94", "CD7", "CD127", "CD117"),
    "maturation": ("NKG2A", "NKG2C", "CD57", "CD62L", "CD27"),
    "kir": KIR,
    "activation": ("CD25", "CD69", "HLA-DR", "CD38", "CD122", "NKG2D", "NKp30", "NKp44", "NKp46", "DNAM-1", "CD2"),
    "checkpoint": ("TIM-3", "TIGIT", "PD-1", "LAG-3"),
    "function": ("GranzymeB", "Perforin"),
    "state": ("T-bet", "Eomes", "Ki-67"),
    "trafficking": ("CXCR3",),
}
_UNUSED = (("Xe131Di", "131Xe"), ("Cs133Di", "133Cs"), ("Ba138Di", "138Ba"))


def panel() -> pd.DataFrame:
    """The panel sheet: channel ($PnN), marker, role, cofactor, cluster, in the order of the FCS files.

    Lineage markers are not used for the graph: among gated NK cells they hold contamination, not biology.
    """
    role = {marker: name for name, markers in _ROLES.items() for marker in markers}
    rows = [("Time", "Time", "time", "no"), ("Event_length", "Event_length", "event_length", "no")]
    metals = [(c, m, role[m], "no" if role[m] == "lineage" else "yes") for c, m in _CHANNELS]
    metals += [(c, m, "bead", "no") for c, m in _BEADS]
    metals += [(c, m, "ignore", "no") for c, m in _UNUSED]
    metals += [
        ("Ir191Di", "DNA1", "dna", "no"),
        ("Ir193Di", "DNA2", "dna", "no"),
        ("Pt195Di", "Viability", "viability", "no"),
    ]
    rows += sorted(metals, key=lambda row: mass(row[0]))
    rows += [(name, name, "gaussian", "no") for name in ("Center", "Offset", "Width", "Residual")]
    table = pd.DataFrame(rows, columns=["channel", "marker", "role", "cluster"])
    table.insert(3, "cofactor", 5)
    return table


def mass(channel: str) -> int:
    """Mass number in a channel name: 145 in ``Nd145Di``."""
    return int("".join(c for c in channel if c.isdigit()))


def long_name(channel: str, marker: str) -> str:
    """The ``$PnS`` a Helios exports: ``145Nd_CD56``; unused channels carry the isotope alone."""
    if not channel.endswith("Di"):
        return channel
    isotope = f"{mass(channel)}{channel[:2].rstrip('0123456789')}"
    return isotope if marker == isotope else f"{isotope}_{marker}"


def write_panel(path: Path) -> None:
    panel().to_csv(path, sep="\t", index=False, lineterminator="\n")


def state_shift(timepoint: str, population: str) -> np.ndarray:
    """Planted shift per marker (order of MARKERS) of a population at a time point; CD56bright cells keep their CD16."""
    shift = pd.Series(0.0, index=list(MARKERS))
    for marker, value in STATE_EFFECTS.get(timepoint, {}).items():
        if not (marker == "CD16" and population in ("CD56bright", "CIML_activated")):
            shift[marker] = value
    return shift.to_numpy()


if __name__ == "__main__":
    write_panel(Path("resources/panels/synthetic.tsv"))
