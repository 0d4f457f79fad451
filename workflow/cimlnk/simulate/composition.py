"""What a sample consists of: latent shares of NK populations, and how many cells of each class a file holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimlnk.common.seeds import rng

from .design import CIML, IL2_ONLY, NONPERSISTER, SIZES, Patient, Sample
from .kinetics import kinetics

POPULATIONS = (
    "CD56bright",
    "CD56dim_NKG2A",
    "CD56dim_KIR",
    "CD56dim_CD57",
    "adaptive",
    "CIML_activated",
    "proliferating",
    "memory_like",
)

# Mean shares in the order of POPULATIONS. Donor values follow published healthy-donor ranges (CD56bright 3-19 %,
# enriched memory-like 0.3-11 %); the course after infusion is the study's account in numbers of our choice.
_DONOR = (0.10, 0.33, 0.26, 0.20, 0.06, 0.00, 0.012, 0.03)
_PRE = (0.15, 0.40, 0.19, 0.14, 0.06, 0.00, 0.03, 0.03)
_EXPANDED = {
    "D7": (0.12, 0.06, 0.04, 0.02, 0.01, 0.08, 0.60, 0.07),
    "D14": (0.13, 0.08, 0.05, 0.03, 0.015, 0.01, 0.50, 0.185),
}
SHARES: dict[str, dict[str, tuple[float, ...]]] = {
    CIML: {
        "donor": _DONOR,
        "pre": _PRE,
        "product": (0.05, 0.03, 0.03, 0.02, 0.006, 0.835, 0.010, 0.015),
        **_EXPANDED,
        "D28": (0.19, 0.16, 0.09, 0.05, 0.03, 0.00, 0.09, 0.39),
        "D60": (0.17, 0.20, 0.12, 0.08, 0.04, 0.00, 0.04, 0.35),
        "D100": (0.13, 0.28, 0.18, 0.12, 0.05, 0.00, 0.02, 0.22),
    },
    IL2_ONLY: {
        "pre": _PRE,
        "D7": (0.30, 0.32, 0.14, 0.10, 0.04, 0.00, 0.07, 0.03),
        "D28": (0.44, 0.26, 0.11, 0.08, 0.035, 0.00, 0.05, 0.025),
        "D60": (0.38, 0.30, 0.12, 0.09, 0.04, 0.00, 0.04, 0.03),
    },
    NONPERSISTER: {
        "pre": _PRE,
        **_EXPANDED,
        "D28": (0.18, 0.37, 0.18, 0.13, 0.06, 0.00, 0.04, 0.04),
        "D60": _PRE,
    },
}
PRODUCT_PURITY = 0.93  # NK cells among the product's lymphocytes
RNA_PURITY = 0.90  # NK cells among the lymphocytes of the NK-enriched suspension given to the 10x instrument


def latent_shares(seed: int, patient: Patient, timepoint: str) -> np.ndarray:
    """True shares of the NK populations in a patient's blood, product or donor (sum 1, order of POPULATIONS).

    Every donor has a lasting deviation from the mean (the donor's repertoire), each time point a smaller one. Adaptive
    NK cells follow the donor's CMV serostatus, and grow from day 28 on in patients with CMV viremia.
    """
    share = np.array(SHARES[patient.arm][timepoint])
    donor = rng(seed, "donor composition", patient.id)
    lasting = donor.normal(0, 0.30, len(share))
    adaptive = POPULATIONS.index("adaptive")
    lasting[adaptive] = np.log(donor.uniform(1.0, 3.5)) if patient.donor_cmv else np.log(0.15)
    if patient.cmv_viremia:
        lasting[adaptive] += np.log({"D28": 1.6, "D60": 2.5, "D100": 3.0}.get(timepoint, 1.0))
    passing = rng(seed, "composition", patient.id, timepoint).normal(0, 0.10, len(share))
    # The dominant population of a stage (activated, proliferating) differs less between donors than their repertoires.
    lasting[[POPULATIONS.index("CIML_activated"), POPULATIONS.index("proliferating")]] *= 0.4
    share = share * np.exp(lasting + passing)
    return share / share.sum()


def latent_nk_fraction(size: str, seed: int, sample: Sample) -> float:
    """True share of NK cells among the lymphocytes of the suspension that is measured."""
    if sample.modality == "rna":
        return RNA_PURITY
    if sample.timepoint == "product":
        return PRODUCT_PURITY
    if sample.timepoint == "donor":
        return float(rng(seed, "donor NK fraction", sample.patient.id).uniform(0.10, 0.20))
    curve = kinetics(size, seed)[sample.patient.id]
    return curve.nk_per_ul(sample.day) / curve.lymphocytes_per_ul(sample.day, sample.patient.arm != IL2_ONLY)


@dataclass(frozen=True)
class Content:
    """Numbers of events or barcodes by class; `nk` by population (order of POPULATIONS)."""

    nk: np.ndarray
    t_cells: int
    b_cells: int
    monocytes: int
    doublets: int
    dead: int
    debris: int
    beads: int

    @property
    def n_nk(self) -> int:
        """Live single NK cells."""
        return int(self.nk.sum())

    @property
    def n_lymphocytes(self) -> int:
        """Live single NK, T and B cells: the denominator of the NK fraction."""
        return self.n_nk + self.t_cells + self.b_cells

    @property
    def n_live(self) -> int:
        return self.n_lymphocytes + self.monocytes

    @property
    def total(self) -> int:
        return self.n_live + self.doublets + self.dead + self.debris + self.beads


def content(size: str, seed: int, sample: Sample) -> Content:
    """How many cells of every class the file of `sample` holds; drawn once, so that sheets can use it before files."""
    plan = SIZES[size]
    random = rng(seed, "content", sample.id)
    fraction = latent_nk_fraction(size, seed, sample)
    cytof = sample.modality == "cytof"
    if cytof:
        lymphocytes = int(np.clip(plan.nk_target / fraction, *plan.lymphocytes) * random.uniform(0.9, 1.1))
    else:
        lymphocytes = int(plan.rna_cells * 0.84 * random.uniform(0.9, 1.1))
    n_nk = int(random.binomial(lymphocytes, fraction))
    others = lymphocytes - n_nk
    b_cells = int(random.binomial(others, 0.12))
    purified = sample.timepoint == "product" or not cytof
    monocytes = int(lymphocytes * (random.uniform(0.01, 0.03) if purified else random.uniform(0.10, 0.20)))
    live = lymphocytes + monocytes
    return Content(
        nk=random.multinomial(n_nk, latent_shares(seed, sample.patient, sample.timepoint)),
        t_cells=others - b_cells,
        b_cells=b_cells,
        monocytes=monocytes,
        doublets=int(live * random.uniform(0.03, 0.06)),
        dead=int(live * random.uniform(0.05, 0.10)),  # rna: low-quality cells with much mitochondrial RNA
        debris=int(live * random.uniform(0.03, 0.06)) if cytof else 0,
        beads=int(live * random.uniform(0.012, 0.022)) if cytof else 0,
    )
