"""A single-cell RNA sample, and the truth about each of its barcodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from . import antibodies, design, latent, receptors
from .composition import content, setting
from .genes import KIR_GENES, N_GENES, gene_names, mitochondrial, nk_rates, profiles
from .latent import POPULATIONS, Setting
from .proteins import KINDS, KIR, MARKERS, kind_levels
from .repertoire import Repertoire, repertoire
from .stained import stained
from .tables import CELLS_RNA
from .tenx import write_10x_folder, write_10x_h5

# resources/simulate/measured_rna.tsv: NK cells of seven donors have 1,900–4,000 molecules, sd of the log .26–.64, and
# genes an overdispersion of .07–.27 (median).
DEPTH, DEPTH_SD, DEPTH_BETWEEN = 2800.0, 0.40, 0.20
DISPERSION = 0.15  # of the gamma in gamma–Poisson
AMBIENT = (0.03, 0.10)  # share of molecules from the soup, by sample
BATCH_SD, DONOR_SD = 0.09, 0.12  # log-normal factors per gene; measured: .12–.17 between NK cells of two people
KIR_LEVEL = 2.0e-4  # share of molecules in an expressing cell: half of the expressing cells show none
STATE_EFFECTS_LOG2 = {
    "product": {"CD69": 0.6, "KLRC1": 0.3},
    "D7": {"KLRC1": 0.5, "NCAM1": 0.5, "FCGR3A": -0.6, "GZMB": 0.4},
    "D28": {"KLRC1": 0.3},
}


class Drawn(NamedTuple):
    """Cells: share of molecules per gene, second names, stained proteins (MARKERS; None without antibodies)."""

    rates: np.ndarray
    also: np.ndarray
    level: np.ndarray | None


def _nk(
    random: np.random.Generator,
    population: str,
    n: int,
    *,
    lived: Setting,
    donor: Repertoire,
    proteins: np.random.Generator | None,
) -> Drawn:
    """Relative expression of NK cells of one region (cells × genes, float32)."""
    names = gene_names()
    cells = latent.draw(random, population, n, setting=lived)
    held = receptors.draw(random, population, cells, donor=donor)
    rates = nk_rates(cells, np.asarray(held.kir.any(axis=1)))
    rates[:, names.index("KLRC1")] *= np.where(held.nkg2a, 1.6, 0.08)
    for gene, effect in STATE_EFFECTS_LOG2.get(lived.timepoint, {}).items():
        if lived.infused:
            rates[:, names.index(gene)] *= 2.0**effect
    total = rates.sum(axis=1)
    for column, protein in enumerate(KIR):
        rates[:, names.index(KIR_GENES[protein])] = np.where(held.kir[:, column], KIR_LEVEL * total, 0.0)
    level = None if proteins is None else stained(proteins, cells, held, lived=lived, donor=donor)
    return Drawn(rates, receptors.also(population, cells, held), level)


def _rates(
    random: np.random.Generator,
    kind: str,
    n: int,
    *,
    lived: Setting,
    donor: Repertoire,
    factor: np.ndarray,
    proteins: np.random.Generator | None,
) -> Drawn:
    """Expected share of molecules per gene (n × genes, float32) of single cells of one kind."""
    names = gene_names()
    if kind in POPULATIONS:
        rates, also, level = _nk(random, kind, n, lived=lived, donor=donor, proteins=proteins)
    else:
        rates = np.repeat(profiles()[kind].to_numpy(dtype=np.float32)[None, :], n, axis=0)
        also = np.full(n, "", dtype=object)
        level = None if proteins is None else kind_levels(proteins, kind, n)
    rates *= factor.astype(np.float32)
    silent = ("XIST",) if donor.male else ("RPS4Y1", "DDX3Y")
    loud = ("RPS4Y1", "DDX3Y") if donor.male else ("XIST",)
    rates[:, [names.index(g) for g in silent]] = 0.0
    rates /= rates.sum(axis=1, keepdims=True)
    rates[:, [names.index(g) for g in loud]] = 2e-4
    return Drawn(rates / rates.sum(axis=1, keepdims=True), also, level)


def _distinct(random: np.random.Generator, n: int) -> np.ndarray:
    """`n` distinct 32-bit numbers, one for every barcode."""
    codes = np.unique(random.integers(0, 4**16, 2 * n + 10))
    return random.permutation(codes)[:n]


def simulate_sample(size: str, seed: int, sample: design.Sample) -> tuple[np.ndarray, list[str], pd.DataFrame]:
    """Counts of one sample (cells × genes, int32, antibodies behind them where the design has any), its barcodes, and
    the truth (CELLS_RNA).

    Gamma–Poisson counts around each cell's expression at its place on the axes, with a donor's and a run's factor per
    gene, the donor's KIR genes and sex, log-normal depth that differs between samples too, ambient RNA from the
    sample's own mean, doublets as sums of two cells, and low-quality cells with few molecules of which 15–50 % are
    mitochondrial (class ``dead``).
    """
    random = rng(seed, "rna", sample.id)
    donor = repertoire(seed, sample.patient)
    lived = setting(seed, sample)
    factor = np.exp(
        rng(seed, "rna batch", sample.batch).normal(0, BATCH_SD, N_GENES)
        + rng(seed, "rna donor", sample.patient.id).normal(0, DONOR_SD, N_GENES)
    )
    cells = content(size, seed, sample)
    kinds = [*POPULATIONS, *KINDS]
    number = np.array([*cells.nk, *cells.other])
    singles = np.repeat(np.arange(len(kinds)), number)
    # a stream of its own: the genes are the same with and without antibodies
    proteins = rng(seed, "antibodies", sample.id) if design.SIZES[size].antibodies else None

    def draw(types: np.ndarray) -> Drawn:
        rates = np.empty((len(types), N_GENES), dtype=np.float32)
        also = np.empty(len(types), dtype=object)
        level = None if proteins is None else np.empty((len(types), len(MARKERS)))
        for kind in np.unique(types):
            rows = np.flatnonzero(types == kind)
            drawn = _rates(random, kinds[kind], len(rows), lived=lived, donor=donor, factor=factor, proteins=proteins)
            rates[rows], also[rows] = drawn.rates, drawn.also
            if level is not None and drawn.level is not None:
                level[rows] = drawn.level
        return Drawn(rates, also, level)

    def like_the_sample(n: int) -> np.ndarray:
        return random.choice(len(kinds), size=n, p=number / number.sum())

    live, also, level = draw(singles)
    first, second_half = draw(like_the_sample(cells.doublets)), draw(like_the_sample(cells.doublets))
    doublets = first.rates + second_half.rates  # all molecules
    low, _, low_level = draw(like_the_sample(cells.dead))
    mito = mitochondrial()
    share = random.uniform(0.15, 0.50, (cells.dead, 1))
    low *= np.where(mito, share / low[:, mito].sum(axis=1, keepdims=True), 1 - share)
    rates = np.concatenate([live, doublets, low])
    kind_of = np.array(kinds, dtype=object)[singles]
    labels = np.concatenate(
        [kind_of, np.repeat(np.array(["doublet", "dead"], dtype=object), [cells.doublets, cells.dead])]
    )
    classes = np.array(["NK" if k in POPULATIONS else KINDS.get(k, k) for k in labels], dtype=object)
    depth = DEPTH * np.exp(DEPTH_SD * random.standard_normal(len(rates)) + DEPTH_BETWEEN * random.standard_normal())
    depth[classes == "dead"] *= random.uniform(0.25, 0.6, cells.dead)
    soup = live.mean(axis=0)
    ambient = random.uniform(*AMBIENT)
    counts = np.empty(rates.shape, dtype=np.int32)
    for start in range(0, len(rates), 500):  # in blocks, so that no second matrix of floats is held
        rows = slice(start, start + 500)
        noise = random.standard_gamma(1 / DISPERSION, rates[rows].shape, dtype=np.float32) * np.float32(DISPERSION)
        counts[rows] = random.poisson(depth[rows, None] * ((1 - ambient) * rates[rows] * noise + ambient * soup))

    if proteins is not None:
        tags = [
            antibodies.counts(proteins, np.asarray(part), seed=seed, batch=sample.batch, shift=donor.marker_shift)
            for part in (level, first.level, second_half.level, low_level)
        ]
        tagged = np.concatenate([tags[0], tags[1] + tags[2], tags[3]])
        counts = np.concatenate([counts, tagged], axis=1)
    codes = _distinct(random, len(rates))
    barcodes = ["".join("ACGT"[(code >> (2 * i)) & 3] for i in range(16)) + "-1" for code in codes.tolist()]
    order = np.argsort(barcodes, kind="stable")
    barcodes = [barcodes[i] for i in order]
    second = np.concatenate([also, np.full(len(rates) - len(also), "", dtype=object)])
    truth = pd.DataFrame(
        {
            "cell": [cell_id(sample.id, b) for b in barcodes],
            "sample": sample.id,
            "class": classes[order],
            "population": np.where(classes == "NK", labels, "")[order],
            "also": second[order],
            "kind": np.where(classes == "NK", "NK", labels)[order],
            "barcode": barcodes,
        }
    )
    return counts[order], barcodes, truth


def simulate_rna(
    size: str,
    seed: int,
    sample: str,
    *,
    truth: str | Path,
    folder: str | Path | None = None,
    h5: str | Path | None = None,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write the 10x files of `sample` and its part of the truth (CELLS_RNA).

    Parameters
    ----------
    size, seed
        The cohort; `sample` is an id of its design.
    folder
        Where to write matrix, barcodes and features as a 10x v3 folder.
    h5
        A 10x HDF5 file to write instead of the folder.
    """
    drawn = design.sample(size, seed, sample)
    counts, barcodes, cells = simulate_sample(size, seed, drawn)
    tags = antibodies.NAMES if design.SIZES[size].antibodies else ()
    if h5 is not None:
        write_10x_h5(h5, counts, barcodes, antibodies=tags)
    elif folder is not None:
        write_10x_folder(folder, counts, barcodes, antibodies=tags)
    else:
        raise ValueError("neither folder nor h5 given")
    write_table(cells, truth, CELLS_RNA, provenance=provenance)
