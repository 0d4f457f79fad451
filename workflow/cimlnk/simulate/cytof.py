"""A mass-cytometry file of one sample, and the truth about each of its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from . import design
from .composition import POPULATIONS, Content, content
from .fcs import write_fcs
from .proteins import (
    BEAD_LEVEL,
    EXPRESSING,
    KIR,
    KIR_RATE,
    LEVELS,
    MARKERS,
    NEIGHBOUR,
    SPREAD,
    TRANSITIONAL,
    long_name,
    panel,
    state_shift,
)
from .repertoire import Repertoire, express_kir, repertoire
from .tables import CELLS_CYTOF

COFACTOR = 5.0
BATCH_SHIFT_SD = 0.06  # arcsinh units per marker and acquisition day
INTENSITY_SD = 0.12  # log-normal factor of a whole cell: size, staining
DRIFT_DAY, DRIFT_FILE = 0.16, 0.04  # loss of sensitivity over an acquisition day, and within a file
NKT_SHARE = 0.02  # T cells with CD56
EVENTS_PER_MS = 0.35
ABSENT = 0.1
KIR_COLUMNS = [MARKERS.index(k) for k in KIR]


def make_cells(
    random: np.random.Generator, kind: str, n: int, timepoint: str, donor: Repertoire, batch_shift: np.ndarray
) -> np.ndarray:
    """Expected ion counts (n × markers) of single live cells of one type, before sensitivity and counting noise."""
    levels = LEVELS[kind].to_numpy()
    value = levels + SPREAD.to_numpy() * random.standard_normal((n, len(MARKERS)))
    is_nk = kind in POPULATIONS
    if is_nk:
        way = np.where(random.random(n) < TRANSITIONAL, random.uniform(0, 0.5, n), 0.0)
        value += way[:, None] * (LEVELS[NEIGHBOUR[kind]].to_numpy() - levels)
    # NKG2A and CD94 are one heterodimer: what one has more, the other has too.
    pair = [MARKERS.index("NKG2A"), MARKERS.index("CD94")]
    if is_nk and levels[pair].min() > 1:
        value[:, pair] += 0.2 * random.standard_normal((n, 1))
    for marker, shares in EXPRESSING.items():
        if kind in shares:
            off = random.random(n) >= shares[kind]
            column = MARKERS.index(marker)
            high = 4.0 if marker == "CD57" and not is_nk else levels[column]
            value[:, column] += high - levels[column]
            value[off, column] = ABSENT + 0.15 * random.standard_normal(int(off.sum()))
    if is_nk:
        value += state_shift(timepoint, kind)
        on = express_kir(random, donor, KIR_RATE[kind], n, at_least_one=kind == "CD56dim_KIR")
        level = value[:, KIR_COLUMNS] + donor.kir_level
        value[:, KIR_COLUMNS] = np.where(on, level, ABSENT + 0.15 * random.standard_normal(on.shape))
    elif kind in ("CD4_T", "CD8_T"):
        nkt = random.random(n) < NKT_SHARE
        value[nkt, MARKERS.index("CD56")] = random.normal(3.0, 0.4, int(nkt.sum()))
    # Donor and batch shift what is stained; a channel without signal has nothing to shift.
    stained = np.clip(value, 0, 1)
    value += stained * (donor.marker_shift + batch_shift)
    counts = COFACTOR * np.sinh(np.clip(value, 0, 8))
    return counts * np.exp(INTENSITY_SD * random.standard_normal((n, 1)))


def _mixture(random: np.random.Generator, cells: Content, n: int) -> list[str]:
    """Types of `n` cells drawn like the file's live cells (dead cells and the members of doublets)."""
    kinds = [*POPULATIONS, "CD4_T", "CD8_T", "B", "monocyte"]
    weight = np.array([*cells.nk, cells.t_cells * 0.55, cells.t_cells * 0.45, cells.b_cells, cells.monocytes], float)
    return [kinds[i] for i in random.choice(len(kinds), size=n, p=weight / weight.sum())]


def _of_kinds(random: np.random.Generator, kinds: list[str], *context: Any) -> np.ndarray:
    """:func:`make_cells` for a list of types, in its order."""
    names = np.array(kinds, dtype=object)
    result = np.empty((len(kinds), len(MARKERS)))
    for kind in sorted(set(kinds)):
        rows = np.flatnonzero(names == kind)
        result[rows] = make_cells(random, kind, len(rows), *context)
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

    Single cells are drawn per type around the levels of :mod:`~cimlnk.simulate.proteins`, with the donor's shifts and
    KIR repertoire, the acquisition day's channel-wise shift and one intensity factor per cell. Doublets are sums of two
    cells. Ion counts are Poisson at a sensitivity that falls over the day (beads fall alike), and are spread uniformly
    over the unit interval below the count as in exported files, so that zeros lie in (−1, 0].

    Returns
    -------
    events
        One column per channel, named by marker, in the order of the file (float32).
    truth
        CELLS_CYTOF.
    """
    random = rng(seed, "cytof", sample.id)
    donor = repertoire(seed, sample.patient)
    batch_shift = rng(seed, "batch", sample.batch).normal(0, BATCH_SHIFT_SD, len(MARKERS))
    cells = content(size, seed, sample)
    context = (sample.timepoint, donor, batch_shift)

    cd8 = int(random.binomial(cells.t_cells, 0.45))
    groups = [*zip(POPULATIONS, cells.nk, strict=True), ("CD4_T", cells.t_cells - cd8), ("CD8_T", cd8),
              ("B", cells.b_cells), ("monocyte", cells.monocytes)]  # fmt: skip
    class_of = {"CD4_T": "T", "CD8_T": "T", "B": "B", "monocyte": "monocyte"}
    parts = [make_cells(random, kind, int(n), *context) for kind, n in groups]
    label = [np.repeat(class_of.get(kind, "NK"), n) for kind, n in groups]
    population = [np.repeat(kind if kind in POPULATIONS else "", n) for kind, n in groups]

    parts.append(_of_kinds(random, _mixture(random, cells, cells.dead), *context) * 0.7)
    first, second = (_of_kinds(random, _mixture(random, cells, cells.doublets), *context) for _ in range(2))
    parts.append(first + second)
    parts.append(np.exp(random.normal(0, 0.6, (cells.debris, len(MARKERS)))))
    parts.append(np.zeros((cells.beads, len(MARKERS))))
    for name, n in (("dead", cells.dead), ("doublet", cells.doublets), ("debris", cells.debris), ("bead", cells.beads)):
        label.append(np.repeat(name, n))
        population.append(np.repeat("", n))

    order = random.permutation(cells.total)  # events arrive in no order of type
    labels = np.concatenate(label).astype(object)[order]
    populations = np.concatenate(population).astype(object)[order]
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
    counts -= random.random(counts.shape)
    events = pd.DataFrame(counts, columns=expected.columns)
    events["Time"] = np.floor(time)
    for name in ("Event_length", "Center", "Offset", "Width", "Residual"):
        events[name] = technical[name]
    index = np.arange(cells.total)
    truth = pd.DataFrame(
        {
            "cell": [cell_id(sample.id, i) for i in index],
            "sample": sample.id,
            "class": labels,
            "population": populations,
            "event": index,
        }
    )
    return events[panel()["marker"].tolist()].astype(np.float32), truth


def simulate_cytof(
    size: str, seed: int, sample: str, fcs: str | Path, truth: str | Path, provenance: dict[str, Any] | None = None
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
    write_fcs(fcs, events.to_numpy(), names, long_names, drawn.big_endian, keywords)
    write_table(cells, truth, CELLS_CYTOF, provenance)
