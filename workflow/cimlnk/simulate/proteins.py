"""The panel of the synthetic cohorts, and how protein follows a cell's place on the axes.

Levels, backgrounds and spreads are numbers of ``resources/simulate/proteins.tsv``, each with its source: channels of
real files where they were measured (``resources/simulate/measured_shapes.tsv``), published clusters of NK cells, and
general knowledge, marked as such. They are not taken from the definitions that name cells.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cimlnk.common.home import HOME

from .latent import Latents

TABLE = HOME / "resources/simulate/proteins.tsv"
KIR = ("KIR2DL1", "KIR2DL2_3", "KIR3DL1")
KNOTS = np.array([0.0, 0.20, 0.35, 0.60, 0.80, 1.0])  # of maturation, columns m0 … m100
AXES = ("adaptive", "activated", "cycle", "memory")
# Cells that are not NK cells, and the class the truth calls them.
KINDS: dict[str, str] = {
    "CD4_T": "T", "CD8_T": "T", "activated_T": "T", "CD56_T": "T", "MAIT": "T", "B": "B", "monocyte": "monocyte",
    "nonclassical": "monocyte", "cDC": "DC", "pDC": "DC", "ILC": "ILC", "neutrophil": "granulocyte",
    "basophil": "basophil",
}  # fmt: skip

# Planted shifts of all NK cells at a time point, arcsinh units: time point -> marker -> shift.
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


class Levels(NamedTuple):
    """The table as arrays; markers in the order of the table."""

    markers: tuple[str, ...]
    background: np.ndarray  # mean counts of cells without the marker
    shape: np.ndarray  # of the gamma of the background: the smaller, the more zeros
    spread: np.ndarray  # standard deviation of stained cells, arcsinh units
    nk: np.ndarray  # markers × KNOTS
    share: np.ndarray  # share of NK cells that carry the marker at all, markers × KNOTS
    effect: np.ndarray  # markers × AXES: shift at the axis' end
    kinds: dict[str, tuple[np.ndarray, np.ndarray]]  # level and share of carriers, per marker


def _cell(text: str) -> tuple[float, float]:
    level, _, share = str(text).partition("@")
    return float(level), float(share or 1.0)


@cache
def levels() -> Levels:
    """``resources/simulate/proteins.tsv``."""
    table = pd.read_csv(TABLE, sep="\t", dtype=str)

    def block(columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
        pairs = np.array([[_cell(v) for v in table[c]] for c in columns])
        return pairs[..., 0].T, pairs[..., 1].T

    nk, share = block(["m0", "m20", "m35", "m60", "m80", "m100"])
    kinds = {}
    for kind in KINDS:
        level, carriers = block([kind])
        kinds[kind] = level[:, 0], carriers[:, 0]
    number = {c: table[c].astype(float).to_numpy() for c in ("background", "shape", "spread")}
    return Levels(tuple(table["marker"]), **number, nk=nk, share=share, effect=block(list(AXES))[0], kinds=kinds)


MARKERS: tuple[str, ...] = levels().markers


def nk_levels(random: np.random.Generator, cells: Latents) -> np.ndarray:
    """Stained level of every marker (cells × MARKERS, arcsinh units) without background; receptors that a cell may or
    may not carry (NKG2A, KIR) are left on, NKG2C follows the adaptive axis, CD57 maturation."""
    table = levels()
    place = np.clip(np.searchsorted(KNOTS, cells.maturation, side="right") - 1, 0, len(KNOTS) - 2)
    way = (cells.maturation - KNOTS[place]) / (KNOTS[place + 1] - KNOTS[place])
    value = table.nk[:, place].T * (1 - way)[:, None] + table.nk[:, place + 1].T * way[:, None]
    value += np.stack([cells.adaptive, cells.activated, cells.cycle, cells.memory], axis=1) @ table.effect.T
    on = table.share[:, place].T
    carries = (on >= 1) | (random.random(value.shape) < on)
    return np.where(carries, value, 0.0)


def kind_levels(random: np.random.Generator, kind: str, n: int) -> np.ndarray:
    """The same of `n` cells that are not NK cells."""
    level, share = levels().kinds[kind]
    return np.where(random.random((n, len(level))) < share, level, 0.0)


def nkg2a_rate(cells: Latents) -> np.ndarray:
    """Share of cells that carry NKG2A, by place: lost with maturation and adaptive history, kept with memory."""
    rate = np.interp(cells.maturation, [0, 0.2, 0.5, 0.6, 0.8, 1.0], [0.97, 0.96, 0.75, 0.35, 0.2, 0.12])
    rate = np.where(cells.maturation < 0.5, np.maximum(rate, 0.94), rate)
    rate *= 1 - 0.9 * np.clip(cells.adaptive * 2, 0, 1)
    lift = np.clip(np.maximum(cells.memory * 1.6, np.maximum(cells.activated, cells.cycle) * 1.2), 0, 1)
    return rate + (0.97 - rate) * lift * (cells.adaptive < 0.5)


def kir_rate(cells: Latents) -> np.ndarray:
    """Share of carriers of a KIR gene that express it, by place."""
    rate = np.interp(cells.maturation, [0, 0.2, 0.35, 0.5, 0.65, 1.0], [0.01, 0.03, 0.10, 0.25, 0.48, 0.52])
    return rate * (1 + 0.3 * np.clip(cells.adaptive * 2 - 1, 0, 1))


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


@cache
def spill() -> np.ndarray:
    """Share of a metal's signal that appears in another channel (markers × markers): isotopic impurity of the next
    masses and oxide 16 above, as usual for pure metals (Chevrier et al., Cell Systems 2018)."""
    at = {marker: mass(channel) for channel, marker in _CHANNELS}
    masses = np.array([at[m] for m in MARKERS])
    gap = masses[None, :] - masses[:, None]
    return np.select([gap == 1, gap == -1, gap == 16], [0.006, 0.003, 0.003], 0.0)


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
    """Write the panel sheet of the synthetic mass cytometry files."""
    panel().to_csv(path, sep="\t", index=False, lineterminator="\n")


def state_shift(timepoint: str) -> np.ndarray:
    """Planted shift per marker (order of MARKERS) of all NK cells at a time point."""
    shift = pd.Series(0.0, index=list(MARKERS))
    for marker, value in STATE_EFFECTS.get(timepoint, {}).items():
        shift[marker] = value
    return shift.to_numpy()


if __name__ == "__main__":
    write_panel(Path("resources/panels/synthetic.tsv"))
