"""What a sample consists of: latent shares of NK populations, and how many cells of each class a file holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cimlnk.common.seeds import rng

from .design import CIML, IL2_ONLY, INFUSED, NO_CYTOKINE, NONPERSISTER, SIZES, Patient, Sample
from .kinetics import kinetics
from .latent import POPULATIONS, Setting
from .proteins import KINDS

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
    NO_CYTOKINE: {
        "pre": _PRE,
        "product": (0.04, 0.06, 0.04, 0.03, 0.01, 0.55, 0.26, 0.01),
        "D7": (0.18, 0.33, 0.16, 0.10, 0.04, 0.02, 0.12, 0.05),
        "D28": (0.16, 0.37, 0.18, 0.13, 0.05, 0.00, 0.05, 0.06),
    },
}
PRODUCT_PURITY = 0.93  # NK cells among the product's lymphocytes
RNA_PURITY = 0.90  # NK cells among the lymphocytes of the NK-enriched suspension given to the 10x instrument


ALIQUOT_SD = 0.05  # the same of two aliquots of one tube
HANDLING_SD = 0.12  # of log shares: another tube, thawed and enriched, holds not quite the same cells


def latent_shares(seed: int, patient: Patient, timepoint: str, *, modality: str = "cytof") -> np.ndarray:
    """True shares of the NK populations in a patient's blood, product or donor (sum 1, order of POPULATIONS).

    Every donor has a lasting deviation from the mean (the donor's repertoire), each time point a smaller one. Adaptive
    NK cells follow the donor's CMV serostatus, and grow from day 28 on in patients with CMV viremia. Both modalities
    have the patient's biology in common; the tubes for RNA and for flow cytometry deviate once more, by their handling.
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
    if modality == "rna":
        passing = passing + rng(seed, "handling", patient.id, timepoint).normal(0, HANDLING_SD, len(share))
    elif modality == "flow":  # stained from the same tube, without enrichment
        passing = passing + rng(seed, "handling flow", patient.id, timepoint).normal(0, ALIQUOT_SD, len(share))
    share = share * np.exp(lasting + passing)
    return share / share.sum()


def setting(seed: int, sample: Sample) -> Setting:
    """What the cells of a sample have been through."""
    patient = sample.patient
    resting = latent_shares(seed, patient, "donor" if "donor" in SHARES[patient.arm] else "pre")
    return Setting(sample.timepoint, patient.arm in INFUSED, patient.donor_cmv, resting[:4])


def latent_nk_fraction(size: str, seed: int, sample: Sample) -> float:
    """True share of NK cells among the lymphocytes of the suspension that is measured."""
    if sample.modality == "rna":
        return RNA_PURITY
    if sample.timepoint == "product":
        return product_purity(seed, sample.patient)
    if sample.timepoint == "donor":
        return float(rng(seed, "donor NK fraction", sample.patient.id).uniform(0.10, 0.20))
    curve = kinetics(size, seed)[sample.patient.id]
    return curve.nk_per_ul(sample.day) / curve.lymphocytes_per_ul(sample.day, sample.patient.arm != IL2_ONLY)


def product_purity(seed: int, patient: Patient) -> float:
    """NK cells among the lymphocytes of the product; the magnetic selection of the lymphoma trial gave over 80 %."""
    if patient.arm == NO_CYTOKINE:
        return float(rng(seed, "purity", patient.id).uniform(0.87, 0.97))
    return PRODUCT_PURITY


@dataclass(frozen=True)
class Content:
    """Numbers of events or barcodes; `nk` by population (order of POPULATIONS), `other` by kind (order of KINDS)."""

    nk: np.ndarray
    other: np.ndarray
    doublets: int
    dead: int
    debris: int
    beads: int

    def of_class(self, name: str) -> int:
        """Live single cells of a class that is not NK."""
        return int(sum(n for n, own in zip(self.other, KINDS.values(), strict=True) if own == name))

    @property
    def n_nk(self) -> int:
        """Live single NK cells."""
        return int(self.nk.sum())

    @property
    def n_lymphocytes(self) -> int:
        """Live single NK, T and B cells: the denominator of the NK fraction."""
        return self.n_nk + self.of_class("T") + self.of_class("B")

    @property
    def n_live(self) -> int:
        return self.n_nk + int(self.other.sum())

    @property
    def total(self) -> int:
        return self.n_live + self.doublets + self.dead + self.debris + self.beads


def _other_shares(seed: int, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the kinds among T and B cells (sum 1), and of the others relative to all lymphocytes.

    Lymphodepleted patients have almost no B cell for a month and many activated T cells; the product, depleted of CD3
    and selected for CD56, keeps T cells with CD56 and next to no myeloid cells. Some blood holds granulocytes.
    """
    random = rng(seed, "kinds", sample.id)
    own = rng(seed, "kinds", sample.patient.id)  # what the patient keeps
    kinds = list(KINDS)
    b_cells, activated = 0.14, 0.03
    depleted = sample.patient.arm in INFUSED and 0 < sample.day <= 28
    if depleted:
        b_cells, activated = 0.004, 0.12
    mean = {"CD4_T": 0.44, "CD8_T": 0.26, "activated_T": activated, "CD56_T": 0.05, "MAIT": 0.04, "B": b_cells}
    enriched = sample.timepoint == "product" or sample.modality == "rna"
    if enriched:
        mean |= {"CD56_T": 0.35, "MAIT": 0.08}
    spread = 0.35 * own.standard_normal(len(kinds)) + 0.2 * random.standard_normal(len(kinds))
    lymphocytes = np.array([mean.get(kind, 0.0) for kind in kinds]) * np.exp(spread)
    myeloid = {"monocyte": 0.16, "nonclassical": 0.025, "cDC": 0.012, "pDC": 0.007, "ILC": 0.0015, "basophil": 0.012}
    if sample.modality != "rna":  # granulocytes do not survive the way to a 10x chip
        myeloid["neutrophil"] = float(random.choice([0.002, 0.01, 0.05], p=[0.5, 0.35, 0.15]))
    if enriched:
        myeloid = {kind: share * 0.12 for kind, share in myeloid.items()}
    others = np.array([myeloid.get(kind, 0.0) for kind in kinds]) * np.exp(spread)
    return lymphocytes / lymphocytes.sum(), others


def content(size: str, seed: int, sample: Sample) -> Content:
    """How many cells of every kind the file of `sample` holds; drawn once, so that sheets can use it before files.

    Files differ in depth, as in a laboratory: 0.4 to 1.6 times what was aimed at.
    """
    plan = SIZES[size]
    random = rng(seed, "content", sample.id)
    fraction = latent_nk_fraction(size, seed, sample)
    cytometry = sample.modality != "rna"
    depth = float(np.exp(random.uniform(np.log(0.4), np.log(1.6))) * 1.15)
    if cytometry:
        lymphocytes = int(np.clip(plan.nk_target / fraction, *plan.lymphocytes) * depth)
    else:
        lymphocytes = int(plan.rna_cells * 0.84 * depth)
    n_nk = int(random.binomial(lymphocytes, fraction))
    of_lymphocytes, of_others = _other_shares(seed, sample)
    other = random.multinomial(lymphocytes - n_nk, of_lymphocytes) + random.poisson(of_others * lymphocytes)
    live = n_nk + int(other.sum())
    return Content(
        nk=random.multinomial(n_nk, latent_shares(seed, sample.patient, sample.timepoint, modality=sample.modality)),
        other=other,
        doublets=int(live * random.uniform(0.02, 0.07)),
        dead=int(live * random.uniform(0.03, 0.12)),  # rna: low-quality cells with much mitochondrial RNA
        debris=int(live * random.uniform(0.03, 0.06)) if cytometry else 0,
        beads=int(live * random.uniform(0.012, 0.022)) if sample.modality == "cytof" else 0,
    )
