"""A single-cell RNA sample, and the truth about each of its barcodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from . import design
from .composition import POPULATIONS, content
from .genes import KIR_GENES, MITOCHONDRIAL, N_GENES, gene_names, profiles
from .proteins import KIR, KIR_RATE, NEIGHBOUR, TRANSITIONAL
from .repertoire import Repertoire, express_kir, repertoire
from .tables import CELLS_RNA
from .tenx import write_10x_folder, write_10x_h5

DEPTH, DEPTH_SD = 3600.0, 0.30  # median molecules per cell, log-normal
DISPERSION = 0.25  # of the gamma in gamma–Poisson
AMBIENT = 0.05  # share of molecules from the soup
BATCH_SD, DONOR_SD = 0.06, 0.10  # log-normal factors per gene
KIR_LEVEL = 4.0e-4  # share of molecules in an expressing cell
STATE_EFFECTS_LOG2 = {
    "product": {"CD69": 0.6, "KLRC1": 0.3},
    "D7": {"KLRC1": 0.5, "NCAM1": 0.5, "FCGR3A": -0.6, "GZMB": 0.4},
    "D28": {"KLRC1": 0.3},
}


def _rates(
    random: np.random.Generator, kind: str, n: int, sample: design.Sample, donor: Repertoire, factor: np.ndarray
) -> np.ndarray:
    """Expected share of molecules per gene (n × genes) of single cells of one type."""
    names = gene_names()
    rates = profiles()[kind].to_numpy() * factor
    if kind in POPULATIONS:
        for gene, effect in STATE_EFFECTS_LOG2.get(sample.timepoint, {}).items():
            rates[names.index(gene)] *= 2.0**effect
    silent = ("XIST",) if donor.male else ("RPS4Y1", "DDX3Y")
    loud = ("RPS4Y1", "DDX3Y") if donor.male else ("XIST",)
    rates[[names.index(g) for g in silent]] = 0.0
    rates[[names.index(g) for g in loud]] = 4e-4
    cells = np.repeat((rates / rates.sum())[None, :], n, axis=0)
    if kind in POPULATIONS:
        other = profiles()[NEIGHBOUR[kind]].to_numpy() * factor
        way = np.where(random.random(n) < TRANSITIONAL, random.uniform(0, 0.5, n), 0.0)[:, None]
        cells = (1 - way) * cells + way * other / other.sum()
        on = express_kir(random, donor, KIR_RATE[kind], n, at_least_one=kind == "CD56dim_KIR")
        for column, protein in enumerate(KIR):
            cells[:, names.index(KIR_GENES[protein])] = np.where(on[:, column], KIR_LEVEL, 0.0)
    return cells


def _distinct(random: np.random.Generator, n: int) -> np.ndarray:
    """`n` distinct 32-bit numbers, one for every barcode."""
    codes = np.unique(random.integers(0, 4**16, 2 * n + 10))
    return random.permutation(codes)[:n]


def simulate_sample(size: str, seed: int, sample: design.Sample) -> tuple[np.ndarray, list[str], pd.DataFrame]:
    """Counts of one sample (cells × genes, int32), its barcodes, and the truth (CELLS_RNA).

    Gamma–Poisson counts around the programme of each cell's type, with a donor's and a run's factor per gene, the
    donor's KIR genes and sex, log-normal depth, 5 % ambient RNA from the sample's own mean, doublets as sums of two
    cells, and low-quality cells with few molecules of which 15–50 % are mitochondrial (class ``dead``).
    """
    random = rng(seed, "rna", sample.id)
    donor = repertoire(seed, sample.patient)
    factor = np.exp(
        rng(seed, "rna batch", sample.batch).normal(0, BATCH_SD, N_GENES)
        + rng(seed, "rna donor", sample.patient.id).normal(0, DONOR_SD, N_GENES)
    )
    cells = content(size, seed, sample)
    kinds = [*POPULATIONS, "T", "B", "monocyte"]
    number = np.array([*cells.nk, cells.t_cells, cells.b_cells, cells.monocytes])
    singles = [kind for kind, n in zip(kinds, number, strict=True) for _ in range(n)]

    def draw(types: list[str]) -> np.ndarray:
        table = np.array(types, dtype=object)
        result = np.empty((len(types), N_GENES))
        for kind in sorted(set(types)):
            rows = np.flatnonzero(table == kind)
            result[rows] = _rates(random, kind, len(rows), sample, donor, factor)
        return result

    def like_the_sample(n: int) -> list[str]:
        return [kinds[i] for i in random.choice(len(kinds), size=n, p=number / number.sum())]

    live = draw(singles)
    doublets = draw(like_the_sample(cells.doublets)) + draw(like_the_sample(cells.doublets))  # both cells' molecules
    low = draw(like_the_sample(cells.dead))
    mitochondrial = np.isin(gene_names(), MITOCHONDRIAL)
    share = random.uniform(0.15, 0.50, (cells.dead, 1))
    low *= np.where(mitochondrial, share / low[:, mitochondrial].sum(axis=1, keepdims=True), 1 - share)
    rates = np.concatenate([live, doublets, low])
    classes = ("NK", "T", "B", "monocyte", "doublet", "dead")
    of_class = [cells.n_nk, *number[-3:], cells.doublets, cells.dead]
    label = np.repeat(classes, of_class).astype(object)
    depth = DEPTH * np.exp(DEPTH_SD * random.standard_normal(len(rates)))
    depth[label == "dead"] *= random.uniform(0.25, 0.6, cells.dead)
    soup = live.mean(axis=0)
    noise = random.gamma(1 / DISPERSION, DISPERSION, rates.shape)
    expected = depth[:, None] * ((1 - AMBIENT) * rates * noise + AMBIENT * soup)
    counts = random.poisson(expected).astype(np.int32)

    codes = _distinct(random, len(rates))
    barcodes = ["".join("ACGT"[(code >> (2 * i)) & 3] for i in range(16)) + "-1" for code in codes.tolist()]
    order = np.argsort(barcodes, kind="stable")
    barcodes = [barcodes[i] for i in order]
    population = np.array([*singles[: cells.n_nk], *[""] * (len(rates) - cells.n_nk)], dtype=object)[order]
    truth = pd.DataFrame(
        {
            "cell": [cell_id(sample.id, b) for b in barcodes],
            "sample": sample.id,
            "class": label[order],
            "population": population,
            "barcode": barcodes,
        }
    )
    return counts[order], barcodes, truth


def simulate_rna(
    size: str,
    seed: int,
    sample: str,
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
    if h5 is not None:
        write_10x_h5(h5, counts, barcodes)
    elif folder is not None:
        write_10x_folder(folder, counts, barcodes)
    else:
        raise ValueError("neither folder nor h5 given")
    write_table(cells, truth, CELLS_RNA, provenance)
