"""A mass-cytometry file of one sample, and the truth about each of its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from . import design, latent, receptors
from .composition import Content, content, setting
from .fcs import write_fcs
from .latent import POPULATIONS, Setting
from .proteins import (
    BEAD_LEVEL,
    KINDS,
    MARKERS,
    kind_levels,
    levels,
    long_name,
    panel,
    spill,
)
from .repertoire import Repertoire, repertoire
from .stained import stained
from .tables import CELLS_CYTOF

COFACTOR = 5.0
# Between runs of the same people (resources/simulate/measured_shifts.tsv): all channels together, each channel's own.
BATCH_SHIFT_SD, BATCH_CHANNEL_SD = 0.12, 0.23
BATCH_BACKGROUND_SD = 0.25  # log factor of each channel's background in a run
INTENSITY_SD = 0.15  # log-normal factor of a whole cell's staining: size
STICKY_SD = 0.5  # log-normal factor of a whole cell's background
MYELOID_BACKGROUND = 2.0  # Fc receptors: background of myeloid cells over that of lymphocytes
SATURATION = 6000.0  # ion counts at which a channel is half blind; the brightest real channels end near it
DRIFT_DAY, DRIFT_FILE = 0.16, 0.04  # loss of sensitivity over an acquisition day, and within a file
EVENTS_PER_MS = 0.35
SEES_MYELOID = ("monocyte", "nonclassical", "cDC", "pDC", "neutrophil", "basophil")


class Run(NamedTuple):
    """What an acquisition day does to the channels (order of MARKERS): factors of signal and of background."""

    signal: np.ndarray
    background: np.ndarray
    whole_counts: bool  # exported as whole counts with exact zeros, not spread over the unit interval


def run_of(seed: int, batch: str) -> Run:
    """The acquisition day `batch`; every second one is exported without randomisation, as some laboratories do."""
    random = rng(seed, "batch", batch)
    shift = random.normal(0, BATCH_SHIFT_SD) + random.normal(0, BATCH_CHANNEL_SD, len(MARKERS))
    background = np.exp(random.normal(0, BATCH_BACKGROUND_SD, len(MARKERS)))
    number = int("".join(c for c in batch if c.isdigit()) or 0)
    return Run(np.exp(shift), background, number % 2 == 0)


class Cells(NamedTuple):
    """Expected ion counts (cells × MARKERS, before sensitivity and counting) and a second name that holds."""

    counts: np.ndarray
    also: np.ndarray


def _measure(
    random: np.random.Generator, level: np.ndarray, shift: np.ndarray, *, run: Run, sticky: float
) -> np.ndarray:
    """Expected counts of cells with the stained levels `level`: spread, background, spill and saturation."""
    table = levels()
    n = len(level)
    value = level + table.spread * random.standard_normal(level.shape) * np.clip(level, 0, 1)
    signal = COFACTOR * np.sinh(np.clip(value, 0, 9)) * np.exp(shift) * run.signal
    signal *= np.exp(INTENSITY_SD * random.standard_normal((n, 1)))
    clump = random.standard_gamma(table.shape, level.shape) / table.shape
    whole = np.exp(STICKY_SD * random.standard_normal((n, 1)) - STICKY_SD**2 / 2)
    counts = signal + sticky * table.background * run.background * clump * whole
    counts += counts @ spill()
    return SATURATION * -np.expm1(-counts / SATURATION)


def make_nk(
    random: np.random.Generator, population: str, n: int, *, lived: Setting, donor: Repertoire, run: Run
) -> Cells:
    """`n` live single NK cells of one region."""
    cells = latent.draw(random, population, n, setting=lived)
    held = receptors.draw(random, population, cells, donor=donor)
    level = stained(random, cells, held, lived=lived, donor=donor)
    counts = _measure(random, level, donor.marker_shift, run=run, sticky=1.0)
    return Cells(counts, receptors.also(population, cells, held))


def make_other(random: np.random.Generator, kind: str, n: int, *, donor: Repertoire, run: Run) -> Cells:
    """`n` live single cells of a kind that is not NK."""
    sticky = MYELOID_BACKGROUND if kind in SEES_MYELOID else 1.0
    counts = _measure(random, kind_levels(random, kind, n), donor.marker_shift, run=run, sticky=sticky)
    return Cells(counts, np.full(n, "", dtype=object))


def _make(random: np.random.Generator, kind: str, n: int, *, lived: Setting, donor: Repertoire, run: Run) -> Cells:
    if kind in POPULATIONS:
        return make_nk(random, kind, n, lived=lived, donor=donor, run=run)
    return make_other(random, kind, n, donor=donor, run=run)


def _like_the_live(random: np.random.Generator, cells: Content, n: int, **context: Any) -> np.ndarray:
    """Counts of `n` cells drawn like the file's live cells (dead cells and the members of doublets)."""
    kinds = [*POPULATIONS, *KINDS]
    weight = np.array([*cells.nk, *cells.other], float)
    drawn = random.choice(len(kinds), size=n, p=weight / weight.sum())
    result = np.empty((n, len(MARKERS)))
    for k in np.unique(drawn):
        rows = np.flatnonzero(drawn == k)
        result[rows] = _make(random, kinds[k], len(rows), **context).counts
    return result


def _technical(random: np.random.Generator, label: np.ndarray) -> dict[str, np.ndarray]:
    """DNA, viability, event length and Gaussian parameters of every event, by its class."""
    n = len(label)

    def by_class(live: float, **other: float) -> np.ndarray:
        values = np.full(n, live)
        for name, level in other.items():
            values[label == name] = level
        return values

    def noisy(centre: np.ndarray, sd: float) -> np.ndarray:
        return centre * np.exp(sd * random.standard_normal(n))

    dna = noisy(by_class(520.0, doublet=1040.0, debris=30.0, bead=1.0, dead=430.0), 0.15)
    return {
        "DNA1": dna,
        "DNA2": dna * 1.75 * np.exp(0.04 * random.standard_normal(n)),
        "Viability": noisy(by_class(4.0, dead=400.0, bead=0.5, debris=60.0), 0.65),
        "Event_length": np.rint(by_class(22.0, doublet=31.0, debris=15.0, bead=17.0) + 2.6 * random.standard_normal(n)),
        "Center": noisy(by_class(900.0), 0.08),
        "Offset": noisy(by_class(90.0), 0.15),
        "Width": noisy(by_class(46.0, doublet=78.0, debris=34.0, bead=36.0), 0.09),
        "Residual": noisy(by_class(70.0, doublet=230.0, debris=45.0, bead=42.0), 0.22),
    }


def simulate_sample(size: str, seed: int, sample: design.Sample) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events of one file and the truth about them.

    Single cells are drawn by kind: NK cells at their places on the axes (:mod:`~cimlnk.simulate.latent`) with the
    donor's shifts and receptors, the others at the levels of ``resources/simulate/proteins.tsv``; background in clumps,
    spill into neighbouring metals, the acquisition day's factors of every channel. Doublets are sums of two cells. Ion
    counts are Poisson at a sensitivity that falls over the day (beads fall alike). They are spread over the unit
    interval below the count, as exports do, or left whole on every second day.

    Returns
    -------
    events
        One column per channel, named by marker, in the order of the file (float32).
    truth
        CELLS_CYTOF.
    """
    random = rng(seed, "cytof", sample.id)
    run = run_of(seed, sample.batch)
    cells = content(size, seed, sample)
    context: dict[str, Any] = {"lived": setting(seed, sample), "donor": repertoire(seed, sample.patient), "run": run}

    groups = [(kind, int(n)) for kind, n in zip((*POPULATIONS, *KINDS), (*cells.nk, *cells.other), strict=True)]
    made = [_make(random, kind, n, **context) for kind, n in groups]
    parts = [c.counts for c in made]
    parts.append(_like_the_live(random, cells, cells.dead, **context) * 0.7)
    first, second = (_like_the_live(random, cells, cells.doublets, **context) for _ in range(2))
    parts.append(first + second)
    parts.append(np.exp(random.normal(0, 0.6, (cells.debris, len(MARKERS)))))
    parts.append(np.zeros((cells.beads, len(MARKERS))))
    groups += [("dead", cells.dead), ("doublet", cells.doublets), ("debris", cells.debris), ("bead", cells.beads)]

    order = random.permutation(cells.total)  # events arrive in no order of type
    kinds = np.repeat(np.array([kind for kind, _ in groups], dtype=object), [n for _, n in groups])[order]
    classes = {**dict.fromkeys(POPULATIONS, "NK"), **KINDS}
    labels = np.array([classes.get(kind, kind) for kind in kinds], dtype=object)
    other_name = np.concatenate([*(c.also for c in made), np.full(cells.total - cells.n_live, "", dtype=object)])[order]
    expected = pd.DataFrame(np.concatenate(parts)[order], columns=list(MARKERS))
    technical = _technical(random, labels)
    for name in ("DNA1", "DNA2", "Viability"):
        expected[name] = technical[name]
    is_bead = labels == "bead"
    for name, level in BEAD_LEVEL.items():
        expected[name] = np.where(is_bead, level * np.exp(0.05 * random.standard_normal(cells.total)), 0.05)
    for row in panel().itertuples():
        if row.role == "ignore":
            expected[row.marker] = 0.3

    time = np.cumsum(random.exponential(1 / EVENTS_PER_MS, cells.total))
    progress = time / time[-1]
    sensitivity = 1 - DRIFT_DAY * sample.run_position - DRIFT_FILE * progress
    counts = random.poisson(expected.to_numpy() * sensitivity[:, None]).astype(np.float64)
    if not run.whole_counts:
        counts -= random.random(counts.shape)
    events = pd.DataFrame(counts, columns=expected.columns)
    events["Time"] = np.floor(time)
    for name in ("Event_length", "Center", "Offset", "Width", "Residual"):
        events[name] = technical[name]
    truth = truth_of(sample.id, labels, kinds, also=other_name)
    return events[panel()["marker"].tolist()].astype(np.float32), truth


def truth_of(sample: str, labels: NDArray[Any], kinds: NDArray[Any], *, also: NDArray[Any]) -> pd.DataFrame:
    """What every event of a file is, in the file's order: the columns that CELLS_CYTOF and CELLS_FLOW share."""
    index, nk = np.arange(len(labels)), labels == "NK"
    return pd.DataFrame(
        {
            "cell": [cell_id(sample, i) for i in index],
            "sample": sample,
            "class": labels,
            "population": np.where(nk, kinds, ""),
            "also": also,
            "kind": np.where(nk, "NK", kinds),
            "event": index,
        }
    )


def simulate_cytof(
    size: str, seed: int, sample: str, *, fcs: str | Path, truth: str | Path, provenance: dict[str, Any] | None = None
) -> None:
    """Write the FCS file of `sample` and its part of the truth (CELLS_CYTOF).

    The file looks like a Helios export. Every third file is big-endian, and one file of the cohort names its CD56
    channel in the older style ``(Nd145)Di`` while its ``$PnS`` agrees with the others.

    Parameters
    ----------
    size, seed
        The cohort; `sample` is an id of its design.
    fcs, truth
        Where to write.
    """
    drawn = design.sample(size, seed, sample)
    events, cells = simulate_sample(size, seed, drawn)
    sheet = panel()
    names = sheet["channel"].tolist()
    long_names = [long_name(c, m) for c, m in zip(sheet["channel"], sheet["marker"], strict=True)]
    if drawn.renamed_channel:
        names[names.index("Nd145Di")] = "(Nd145)Di"
    keywords = {
        "$CYT": "DVSSCIENCES-CYTOF-6.7.1014",
        "$CYTSN": "synthetic",
        "$FIL": Path(fcs).name,
        "$SMNO": sample,
        "$DATE": f"{10 + int(drawn.batch.removeprefix('day')):02d}-MAR-2024",  # fixed: it names the batch, not the run
        "$OP": "cimlnk simulate",
        "$TIMESTEP": "0.001",
    }
    Path(fcs).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(fcs, events.to_numpy(), names, long_names=long_names, big_endian=drawn.big_endian, keywords=keywords)
    write_table(cells, truth, CELLS_CYTOF, provenance=provenance)
