"""What is the donor's own and lasts: KIR genes, how often they are expressed, marker levels, sex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimlnk.common.seeds import rng

from .design import Patient
from .proteins import KIR, MARKERS

# Between donors measured together (resources/simulate/measured_shifts.tsv): all channels of a donor, and each its own.
DONOR_SHIFT_SD, DONOR_CHANNEL_SD = 0.10, 0.18


@dataclass(frozen=True)
class Repertoire:
    """One donor: which KIR genes are present, how often each is expressed (relative to the mean), protein shifts."""

    kir_genes: np.ndarray  # bool, order of KIR
    kir_frequency: np.ndarray  # multiplies the rate of carriers; 0 where the gene is absent
    kir_level: np.ndarray  # arcsinh shift of expressing cells: allotypes differ in surface density
    marker_shift: np.ndarray  # shift of every stained marker (log counts), order of MARKERS
    male: bool


def repertoire(seed: int, patient: Patient) -> Repertoire:
    """The repertoire of a patient's donor, the same in every sample of that patient."""
    random = rng(seed, "repertoire", patient.id)
    genes = random.random(len(KIR)) < np.array([0.85, 0.95, 0.8])
    if not genes.any():
        genes[random.integers(len(KIR))] = True
    frequency = np.where(genes, random.uniform(0.35, 1.6, len(KIR)), 0.0)
    return Repertoire(
        kir_genes=genes,
        kir_frequency=frequency,
        kir_level=random.normal(0, 0.2, len(KIR)),
        marker_shift=random.normal(0, DONOR_SHIFT_SD) + random.normal(0, DONOR_CHANNEL_SD, len(MARKERS)),
        male=bool(random.random() < 0.5),
    )


def express_kir(
    random: np.random.Generator, donor: Repertoire, rate: np.ndarray, *, at_least_one: np.ndarray
) -> np.ndarray:
    """Which KIR genes each cell expresses (bool, cells × genes): independent draws per gene and cell.

    `rate` is the cells' own for a gene of average frequency. Cells `at_least_one` that drew none get one gene, chosen
    by the donor's frequencies.
    """
    p = np.clip(rate[:, None] * donor.kir_frequency, 0, 0.95)
    expressed = random.random(p.shape) < p
    empty = np.flatnonzero(at_least_one & ~expressed.any(axis=1))
    chosen = random.choice(len(KIR), size=len(empty), p=donor.kir_frequency / donor.kir_frequency.sum())
    expressed[empty, chosen] = True
    return expressed
