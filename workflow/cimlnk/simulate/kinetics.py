"""NK cells per microlitre over time: the latent curve of every patient, and how a laboratory measures it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng

from .design import BOOST_DAYS, CIML, IL2_ONLY, NO_CYTOKINE, NONPERSISTER, STREAMS, Patient, patients

MEASUREMENT_CV = 0.15


@dataclass(frozen=True)
class Kinetics:
    """Parameters of one patient's curve; folds are relative to `baseline_per_ul`, the count at day −7."""

    baseline_per_ul: float
    nadir_fold: float
    peak_fold: float
    peak_day: float
    half_life_days: float
    plateau_fold: float
    boost_fold: float
    other_per_ul: float  # T and B cells before conditioning

    @property
    def doubling_time_days(self) -> float:
        return self.peak_day / float(np.log2(self.peak_fold / self.nadir_fold))

    def nk_per_ul(self, day: float) -> float:
        """Constant before day 0, nadir at day 0, exponential rise to the peak, exponential decay to a plateau.

        A stem-cell boost multiplies what follows, fully after about three weeks.
        """
        if day < 0:
            return self.baseline_per_ul
        if day <= self.peak_day:
            fold = self.nadir_fold * (self.peak_fold / self.nadir_fold) ** (day / self.peak_day)
        else:
            decay = 2.0 ** (-(day - self.peak_day) / self.half_life_days)
            fold = self.plateau_fold + (self.peak_fold - self.plateau_fold) * decay
        if self.boost_fold != 1.0 and day > BOOST_DAYS[0]:
            fold *= 1 + (self.boost_fold - 1) * (1 - np.exp(-(day - BOOST_DAYS[0]) / 10))
        return self.baseline_per_ul * float(fold)

    def lymphocytes_per_ul(self, day: float, conditioned: bool) -> float:
        """NK cells plus T and B cells; lymphodepletion takes T and B cells down to a tenth, back within months."""
        recovery = 1.0
        if conditioned and day >= 0:
            recovery = 0.1 + 1.1 * (1 - np.exp(-day / 45))
        return self.nk_per_ul(day) + self.other_per_ul * float(recovery)


def kinetics(size: str, seed: int) -> dict[str, Kinetics]:
    """Curves of all patients of a cohort.

    CIML: peak fold log-uniform over 10–50 (one patient per stratum, so that six patients span the range), peak at day
    7–14, half-life 5–10 days, plateau 2–8 times the baseline. IL2_only: fold 1.5–3 about day 28, slow. nonpersister:
    early peak as CIML, then loss to below the baseline within weeks (HLA-mismatched donors).
    """
    result = {}
    everyone = patients(size, seed)
    for arm in (CIML, IL2_ONLY, NONPERSISTER, NO_CYTOKINE):
        members = [p for p in everyone if p.arm == arm]
        strata = rng(seed, "kinetics strata", STREAMS[arm]).permutation(len(members))
        for patient, stratum in zip(members, strata, strict=True):
            random = rng(seed, "kinetics", patient.id)
            baseline = float(np.clip(np.exp(random.normal(np.log(25), 0.45)), 10, 60))
            place = (stratum + random.uniform(0.25, 0.75)) / len(members)
            expanded = 10 ** (np.log10(13) + (np.log10(48) - np.log10(13)) * place)
            other = float(np.exp(random.normal(np.log(185), 0.25)))
            boost = 1.25 if "stem_cell_boost" in patient.events.values() else 1.0
            if arm == CIML:
                result[patient.id] = Kinetics(
                    baseline, 0.4, expanded, random.uniform(8, 13), random.uniform(5, 10), random.uniform(2.5, 8),
                    boost, other,
                )  # fmt: skip
            elif arm == IL2_ONLY:
                result[patient.id] = Kinetics(
                    baseline, 1.0, random.uniform(1.5, 3.0), random.uniform(24, 34), random.uniform(25, 40),
                    random.uniform(1.1, 1.5), boost, other,
                )  # fmt: skip
            elif arm == NO_CYTOKINE:  # without cytokine the infused cells do not expand
                result[patient.id] = Kinetics(
                    baseline, 0.6, random.uniform(1.3, 2.5), random.uniform(5, 9), random.uniform(6, 12),
                    random.uniform(0.9, 1.3), boost, other,
                )  # fmt: skip
            else:
                result[patient.id] = Kinetics(
                    baseline, 0.4, expanded * 0.7, random.uniform(6, 8), random.uniform(2, 3), 0.6, boost, other
                )
    return result


def measured(seed: int, patient: Patient, day: int, *, what: str, value: float) -> float:
    """A laboratory's reading of `value`: log-normal noise with a coefficient of variation of 15 %, one decimal."""
    sigma = float(np.sqrt(np.log1p(MEASUREMENT_CV**2)))
    return round(float(value * np.exp(rng(seed, "count", patient.id, day, what).normal(-(sigma**2) / 2, sigma))), 1)


def kinetics_table(size: str, seed: int) -> pd.DataFrame:
    """One row per patient with the parameters of its curve."""
    curves = kinetics(size, seed)
    rows = [
        {"patient": p.id, "arm": p.arm, **asdict(curves[p.id]), "doubling_time_days": curves[p.id].doubling_time_days}
        for p in patients(size, seed)
    ]
    return pd.DataFrame(rows)
