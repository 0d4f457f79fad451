"""A flow-cytometry file of one sample, and the truth about each of its events.

The cells are those of mass cytometry (:mod:`~cimlnk.simulate.stained`); what differs is the instrument: light scatter,
autofluorescence that follows a cell's size, dyes of unequal brightness that spill into each other's detectors, photon
noise that grows with the light of all dyes in a detector, and values below zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.tables import write_table

from . import design, latent, receptors
from .composition import Content, content, setting
from .cytof import INTENSITY_SD, SEES_MYELOID, Run, run_of, truth_of
from .fcs import write_fcs
from .flow_panel import BRIGHTNESS, DYES, MARKER_OF, SCATTER, VIABILITY, sources, spillover
from .latent import POPULATIONS, Setting
from .proteins import KINDS, kind_levels, levels
from .repertoire import Repertoire, repertoire
from .stained import stained
from .tables import CELLS_FLOW

RANGE = 262_144  # of a digital instrument
UNIT = 90.0  # fluorescence of a cell at the level arcsinh 1 of a dye of brightness 1
AUTOFLUORESCENCE, AUTO_SD = 70.0, 0.3  # of a lymphocyte, and sd of its logarithm between cells
MYELOID_LIGHT = 2.6  # autofluorescence of myeloid cells over that of lymphocytes
ELECTRONIC = 35.0  # standard deviation of an empty detector
PHOTONS = 2.2  # variance added per unit of light: one photoelectron stands for that much
# Forward and side scatter relative to lymphocytes, by class: general knowledge of blood.
LIGHT: dict[str, tuple[float, float]] = {
    "monocyte": (1.45, 2.0), "DC": (1.4, 1.7), "granulocyte": (1.35, 5.0), "basophil": (1.0, 1.3),
    "debris": (0.13, 0.4), "dead": (0.8, 1.6),
}  # fmt: skip
FORWARD, SIDE = 78_000.0, 21_000.0  # of a lymphocyte
HEIGHT = 0.86  # of a pulse over its area


def _light(random: np.random.Generator, level: np.ndarray, shift: np.ndarray, *, run: Run, myeloid: bool) -> np.ndarray:
    """Light of every dye (cells × DYES) before it spills: stained cells and autofluorescence."""
    value = level + levels().spread * random.standard_normal(level.shape) * np.clip(level, 0, 1)
    signal = np.sinh(np.clip(value, 0, 9)) * np.exp(shift) * run.signal
    signal *= np.exp(INTENSITY_SD * random.standard_normal((len(level), 1)))
    dyes = signal @ sources() * (UNIT * np.array(BRIGHTNESS))
    own = np.exp(AUTO_SD * random.standard_normal((len(level), 1))) * (MYELOID_LIGHT if myeloid else 1.0)
    return dyes + AUTOFLUORESCENCE * own * _autofluorescence()


def _autofluorescence() -> np.ndarray:
    """Relative autofluorescence of the detectors: strong in violet and green, weak in red."""
    return np.array([0.3 if dye.startswith(("APC", "R718", "Zombie")) else 1.0 for dye in DYES])


def _cells(
    random: np.random.Generator, kind: str, n: int, *, lived: Setting, donor: Repertoire, run: Run
) -> tuple[np.ndarray, np.ndarray]:
    """Light of `n` live single cells of one kind, and the second names of NK cells."""
    if kind not in POPULATIONS:
        light = _light(random, kind_levels(random, kind, n), donor.marker_shift, run=run, myeloid=kind in SEES_MYELOID)
        return light, np.full(n, "", dtype=object)
    cells = latent.draw(random, kind, n, setting=lived)
    held = receptors.draw(random, kind, cells, donor=donor)
    level = stained(random, cells, held, lived=lived, donor=donor)
    return _light(random, level, donor.marker_shift, run=run, myeloid=False), receptors.also(kind, cells, held)


def _like_the_live(random: np.random.Generator, cells: Content, n: int, **context: Any) -> np.ndarray:
    kinds = [*POPULATIONS, *KINDS]
    weight = np.array([*cells.nk, *cells.other], float)
    drawn = random.choice(len(kinds), size=n, p=weight / weight.sum())
    result = np.empty((n, len(DYES)))
    for k in np.unique(drawn):
        rows = np.flatnonzero(drawn == k)
        result[rows] = _cells(random, kinds[k], len(rows), **context)[0]
    return result


def _scatter(random: np.random.Generator, label: np.ndarray) -> dict[str, np.ndarray]:
    """Area, height and width of both scatters, by class."""
    factor = np.array([LIGHT.get(name, (1.0, 1.0)) for name in label])
    pairs = np.where(label == "doublet", 1.9, 1.0)  # of two cells the area adds up, the height barely
    result: dict[str, np.ndarray] = {}
    for column, (name, level, sd) in enumerate((("FSC", FORWARD, 0.13), ("SSC", SIDE, 0.22))):
        area = level * factor[:, column] * pairs * np.exp(sd * random.standard_normal(len(label)))
        slim = np.where(label == "doublet", 0.62, 1.0) * np.where(label == "debris", 0.8, 1.0)
        height = area * HEIGHT * slim * np.exp(0.03 * random.standard_normal(len(label)))
        result |= {f"{name}-A": area, f"{name}-H": height, f"{name}-W": 65_536 * area / height}
    return {name: np.minimum(values, RANGE - 0.5) for name, values in result.items()}


def simulate_sample(size: str, seed: int, sample: design.Sample) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events of one file and the truth about them.

    Returns
    -------
    events
        One column per channel in the order of the file (float32), linear and uncompensated.
    truth
        CELLS_FLOW.
    """
    random = rng(seed, "flow", sample.id)
    cells = content(size, seed, sample)
    context: dict[str, Any] = {
        "lived": setting(seed, sample), "donor": repertoire(seed, sample.patient), "run": run_of(seed, sample.batch),
    }  # fmt: skip
    groups = [(kind, int(n)) for kind, n in zip((*POPULATIONS, *KINDS), (*cells.nk, *cells.other), strict=True)]
    made = [_cells(random, kind, n, **context) for kind, n in groups]
    dead = _like_the_live(random, cells, cells.dead, **context) * 0.8
    pairs = sum(_like_the_live(random, cells, cells.doublets, **context) for _ in range(2))
    debris = AUTOFLUORESCENCE * 0.4 * np.exp(random.normal(0, 0.6, (cells.debris, len(DYES))))
    groups += [("dead", cells.dead), ("doublet", cells.doublets), ("debris", cells.debris)]

    order = random.permutation(cells.total)
    kinds = np.repeat(np.array([kind for kind, _ in groups], dtype=object), [n for _, n in groups])[order]
    classes = {**dict.fromkeys(POPULATIONS, "NK"), **KINDS}
    labels = np.array([classes.get(kind, kind) for kind in kinds], dtype=object)
    also = np.concatenate([*(second for _, second in made), np.full(cells.total - cells.n_live, "", object)])[order]
    light = np.concatenate([*(part for part, _ in made), dead, pairs, debris])[order]
    stain = np.where(labels == "dead", 150.0, np.where(labels == "debris", 25.0, 1.0)) * np.exp(
        0.45 * random.standard_normal(cells.total)
    )
    light[:, DYES.index(VIABILITY)] += UNIT * stain
    received = light @ spillover()
    noise = np.sqrt(ELECTRONIC**2 + PHOTONS * received) * random.standard_normal(received.shape)
    events = pd.DataFrame(np.minimum(received + noise, RANGE - 1.0), columns=list(DYES))
    for name, values in _scatter(random, labels).items():
        events[name] = values
    events["Time"] = np.floor(np.cumsum(random.exponential(0.6, cells.total)))
    truth = truth_of(sample.id, labels, kinds, also=also)
    return events[[*SCATTER, *DYES, "Time"]].astype(np.float32), truth


def simulate_flow(
    size: str, seed: int, sample: str, *, fcs: str | Path, truth: str | Path, provenance: dict[str, Any] | None = None
) -> None:
    """Write the FCS file of `sample`, uncompensated with its matrix in $SPILLOVER, and its truth (CELLS_FLOW).

    Parameters
    ----------
    size, seed
        The cohort; `sample` is an id of its design.
    fcs, truth
        Where to write.
    """
    drawn = design.sample(size, seed, sample)
    events, cells = simulate_sample(size, seed, drawn)
    shares = ",".join(f"{v:g}" for v in spillover().ravel())
    keywords = {
        "$CYT": "LSRFortessa", "$CYTSN": "synthetic", "$FIL": Path(fcs).name, "$SMNO": sample, "$DATE": "12-MAR-2024",
        "$OP": "cimlnk simulate", "$TIMESTEP": "0.01", "$SPILLOVER": f"{len(DYES)},{','.join(DYES)},{shares}",
    }  # fmt: skip
    long_names = [MARKER_OF.get(name, "") for name in events.columns]
    Path(fcs).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(fcs, events.to_numpy(), list(events.columns), long_names=long_names, keywords=keywords, largest=RANGE)
    write_table(cells, truth, CELLS_FLOW, provenance=provenance)
