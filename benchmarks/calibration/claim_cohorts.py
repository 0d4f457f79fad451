"""Cohorts as tables, with and without the study's effects, for the chance and the power of the claims.

The generator knows days, patients and noise, and nothing of the claims' own way to make cohorts without effect: shares
are log-ratio normal and multinomial, counts log-normal with the error of a blood count, markers normal about patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.dynamics.repertoire.differential import identity_test, thinned
from cimlnk.stats.composition import jensen_shannon

Floats = NDArray[np.float64]
POPULATIONS = (
    "CD56bright", "CD56dim_NKG2A", "CD56dim_KIR", "CD56dim_CD57", "adaptive", "CIML_activated", "proliferating",
    "memory_like",
)  # fmt: skip
COUNT_DAYS = (-7, 3, 7, 10, 14, 21, 28, 45, 60, 100)
SLOTS = (
    ("donor", -30), ("blood", -7), ("product", 0), ("blood", 7), ("blood", 14), ("blood", 28), ("blood", 60),
    ("blood", 100),
)  # fmt: skip
# Shares at rest, and what the study's story makes of them, in the order of POPULATIONS.
REST = np.array([0.10, 0.31, 0.24, 0.17, 0.09, 0.01, 0.03, 0.05])
STORY = {
    ("product", 0): (0.02, 0.06, 0.04, 0.03, 0.02, 0.78, 0.03, 0.02),
    ("blood", 7): (0.20, 0.06, 0.04, 0.02, 0.02, 0.05, 0.55, 0.06),
    ("blood", 14): (0.22, 0.08, 0.05, 0.03, 0.02, 0.02, 0.28, 0.30),
    ("blood", 28): (0.20, 0.14, 0.09, 0.05, 0.03, 0.01, 0.08, 0.40),
    ("blood", 60): (0.15, 0.23, 0.17, 0.09, 0.05, 0.01, 0.03, 0.27),
    ("blood", 100): (0.13, 0.28, 0.21, 0.12, 0.07, 0.01, 0.03, 0.15),
}
IL2_ALONE = (0.35, 0.24, 0.17, 0.10, 0.06, 0.01, 0.04, 0.03)
# feature: column, level at rest, and the story by slot (absent: as at rest); shares as log odds.
MARKERS: dict[str, tuple[str, float, Mapping[tuple[str, int], float]]] = {
    "NKG2A": (
        "fraction_positive", 0.0,
        {("blood", 7): 1.5, ("blood", 14): 1.4, ("blood", 28): 1.2, ("blood", 60): 0.8, ("product", 0): 1.0},
    ),
    "CD25": ("median", 0.3, {("product", 0): 3.8, ("blood", 7): 1.0, ("blood", 14): 0.5}),
    "CD69": ("median", 0.4, {("product", 0): 4.0, ("blood", 7): 1.0, ("blood", 14): 0.6}),
    "Ki-67": ("fraction_positive", -3.0, {("blood", 7): 0.8, ("blood", 14): -0.3, ("blood", 28): -1.8}),
    "CD56": ("median", 3.3, {("blood", 7): 4.4, ("blood", 14): 4.2, ("blood", 28): 3.9, ("product", 0): 4.0}),
    "CD16": (
        "fraction_positive", 2.2,
        {("blood", 7): 0.0, ("blood", 14): 0.4, ("blood", 28): 1.0, ("product", 0): -0.8},
    ),
}  # fmt: skip
RECEPTOR_COMBINATIONS, PERMUTATIONS = 24, 199
NKG2C = {"CD56bright": -4.5, "CD56dim_NKG2A": -4.3, "adaptive": 2.5, "NK": -2.0}  # log odds of NKG2C+
NAMED_CELLS = 150
RECALL = ("CD94", "NKG2A", "NKG2C", "CD69", "CD57")


@dataclass(frozen=True)
class Noise:
    """Standard deviations: of a patient from the others, and of a sample from its patient."""

    count_patient: float = 0.45  # natural logarithm of NK/µL
    count_sample: float = 0.35
    share_patient: float = 0.45  # log-ratio
    share_sample: float = 0.25
    marker_patient: float = 0.25  # arcsinh, or log odds
    marker_sample: float = 0.2


USUAL, NOISY = Noise(), Noise(0.6, 0.55, 0.7, 0.5, 0.4, 0.4)


@dataclass(frozen=True)
class Measured:
    """What was measured of one arm, as arrays; patients first.

    Parameters
    ----------
    slots
        (tissue, day) of the samples.
    count, fold
        NK/µL and folds on COUNT_DAYS.
    cells
        By modality: NK cells by slot and population.
    index
        By modality: log2 of the diversity by slot.
    markers
        By feature: value by slot (arcsinh or log odds); ``KLRC1`` is that of RNA.
    dim
        Features (IFNg, then RECALL) × slots × patients × CD56dim populations.
    nkg2c
        By population: log odds of NKG2C+ by slot.
    """

    arm: str
    patients: tuple[str, ...]
    slots: tuple[tuple[str, int], ...]
    viremia: NDArray[np.object_]
    good: NDArray[np.bool_]
    count: Floats
    fold: Floats
    cells: Mapping[str, NDArray[np.int64]]
    index: Mapping[str, Floats]
    markers: Mapping[str, Floats]
    dim: Floats
    nkg2c: Mapping[str, Floats]

    def keys(self, slot: tuple[str, int]) -> dict[str, Any]:
        """SAMPLES columns of a slot, one row a patient."""
        tissue, day = slot
        return {
            "sample": np.array([f"{p}_{tissue}{day}" for p in self.patients], dtype=object), "patient": self.patients,
            "day": day, "arm": self.arm, "tissue_or_product": tissue,
            "timepoint": "pre" if slot == ("blood", -7) else f"{tissue}{day}",
        }  # fmt: skip

    def samples(self) -> pd.DataFrame:
        """SAMPLES."""
        columns = [self.keys(s) for s in self.slots]
        n = len(self.patients)
        return pd.DataFrame(
            {name: np.concatenate([np.broadcast_to(np.asarray(c[name]), n) for c in columns]) for name in columns[0]}
        ).astype({"sample": object, "patient": object})


@dataclass(frozen=True)
class Cohort:
    """The arms, and what the run's own test makes of the first arm's receptor combinations."""

    arms: tuple[Measured, ...]
    identity: pd.DataFrame


def cohort(
    patients: int,
    random: np.random.Generator,
    *,
    effect: bool,
    noise: Noise = USUAL,
    cmv_ratio: float = 1.0,
    rna: bool = True,
    arms: tuple[str, ...] = ("CIML", "IL2_only", "no_cytokine"),
    identity: bool = True,
) -> Cohort:
    """One cohort, `patients` in every arm.

    Parameters
    ----------
    effect
        Plant the study's story: 10- to 50-fold expansion, memory-like cells for months. False: nothing changes after
        infusion and no outcome depends on anything.
    cmv_ratio
        Factor of the folds of patients with CMV viremia.
    identity
        Make the run's test of donors too, which takes most of the time.
    """
    made = tuple(_arm(a, patients, random, effect=effect, noise=noise, cmv_ratio=cmv_ratio, rna=rna) for a in arms)
    tested = _donor_identity(made[0].samples(), effect, noise, random=random) if identity else pd.DataFrame()
    return Cohort(made, tested)


def _arm(
    arm: str,
    n: int,
    random: np.random.Generator,
    *,
    effect: bool,
    noise: Noise,
    cmv_ratio: float,
    rna: bool,
) -> Measured:
    story = effect and arm != "IL2_only"
    viremia = np.array(["yes", "no"] * n, dtype=object)[:n]
    good = random.permutation(np.arange(n) % 2 == 0)
    base = np.exp(random.normal(np.log(20), noise.count_patient, n))
    after = np.array(COUNT_DAYS)[None] > 0
    more = np.where((viremia == "yes")[:, None] & after & story, cmv_ratio, 1.0)
    fold = _folds(arm, effect, n, random=random) * more
    count = base[:, None] * fold * np.exp(random.normal(0, noise.count_sample, fold.shape))
    of_patient = np.log(REST) + random.normal(0, noise.share_patient, (n, len(REST)))
    lifted = random.normal(0, noise.share_patient, (n, len(REST))) * 0.5
    level = {f: random.normal(0, noise.marker_patient, n) for f in (*MARKERS, "KLRC1", "CD8a", "index")}
    if effect:  # donors' CD8a+ cells, and immature cells, go with a worse outcome
        level["CD8a"] += np.where(good, -0.5, 0.5)
        of_patient[:, 0] += np.where(good, -0.5, 0.5)
        level["index"] += np.where(good, 0.25, -0.25)
    slots = SLOTS if arm != "no_cytokine" else (*SLOTS, ("blood", 120))
    shift = np.zeros((len(slots), len(REST)))
    for i, (tissue, day) in enumerate(slots):
        key = (tissue, min(day, 100))
        if story and key in STORY:
            shift[i] = np.log(np.array(STORY[key]) / REST)
        elif effect and arm == "IL2_only" and tissue == "blood" and day > 0:
            shift[i] = np.log(np.array(IL2_ALONE) / REST)
    moved = of_patient[:, None] + shift + lifted[:, None] * (shift != 0)
    cells, index = {}, {}
    for modality, low, high in (("cytof", 500, 8000), ("rna", 150, 900))[: 2 if rna else 1]:
        logs = moved + random.normal(0, noise.share_sample, moved.shape)
        share = np.exp(logs) / np.exp(logs).sum(axis=-1, keepdims=True)
        total = np.exp(random.uniform(np.log(low), np.log(high), share.shape[:2])).astype(np.int64)
        cells[modality] = random.multinomial(total, share)
        mixed = -0.4 * np.log2((share**2).sum(axis=-1)) + level["index"][:, None]
        index[modality] = np.log2(20) + mixed + random.normal(0, noise.marker_sample, mixed.shape)
    markers = {}
    for feature, (_, rest, course) in (*MARKERS.items(), ("CD8a", ("", -0.8, {})), ("KLRC1", ("", 0.8, {}))):
        gene = {k: 0.8 + 0.4 * v for k, v in MARKERS["NKG2A"][2].items()}
        planted = gene if feature == "KLRC1" else course
        value = np.array([planted.get(s, rest) if story else rest for s in slots])
        markers[feature] = value + level[feature][:, None] + random.normal(0, noise.marker_sample, (n, len(slots)))
    shape = (len(slots), n, len(POPULATIONS) - 1)
    latent, dim = random.normal(0, 1, shape), random.normal(0, 1, (1 + len(RECALL), *shape))
    if effect:
        for k, feature in enumerate(("IFNg", *RECALL)):
            dim[k] = 0.7 * dim[k] + (-latent if feature == "CD57" else latent)
    patient = random.normal(0, noise.marker_patient, (n, len(slots)))
    positive = {**NKG2C, "memory_like": -3.9 if effect else NKG2C["NK"]}
    nkg2c = {p: v + patient + random.normal(0, noise.marker_sample, patient.shape) for p, v in positive.items()}
    ids = tuple(f"{arm}{i + 1}" for i in range(n))
    return Measured(arm, ids, slots, viremia, good, count, count / count[:, :1], cells, index, markers, dim, nkg2c)


def _donor_identity(samples: pd.DataFrame, effect: bool, noise: Noise, *, random: np.random.Generator) -> pd.DataFrame:
    """What the run's own test makes of receptor combinations: log shares by day, with the donors' own or without."""
    donors, of_donor = np.unique(samples["patient"], return_inverse=True)
    times, of_time = np.unique(samples["timepoint"], return_inverse=True)
    common = random.normal(0, 1, RECEPTOR_COMBINATIONS)
    by_time = random.normal(0, noise.share_sample, (len(times), RECEPTOR_COMBINATIONS))
    own = random.normal(0, noise.share_patient if effect else 0.0, (len(donors), RECEPTOR_COMBINATIONS))
    logs = common + by_time[of_time] + own[of_donor]
    logs = logs + random.normal(0, noise.share_sample, logs.shape)
    share = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    cells = np.exp(random.uniform(np.log(500), np.log(8000), len(share))).astype(int)
    counts = pd.DataFrame(
        [random.multinomial(n, s) for n, s in zip(cells, share, strict=True)], index=samples["sample"].to_numpy()
    )
    small = thinned(counts, 100, int(random.integers(2**31)))
    of = samples.set_index("sample", drop=False).loc[small.index]
    found = identity_test(
        jensen_shannon(small.to_numpy()), of, modality="cytof", what="donor_receptors", permutations=PERMUTATIONS,
        seed=int(random.integers(2**31)),
    )  # fmt: skip
    return found.assign(table="repertoire_tests")


def _folds(arm: str, effect: bool, n: int, *, random: np.random.Generator) -> Floats:
    """True folds, patients × COUNT_DAYS: rise to a peak, half-life, plateau (the study's 10- to 50-fold)."""
    days = np.array(COUNT_DAYS, float)[None]
    if not effect:
        return np.ones((n, len(COUNT_DAYS)))
    low, high, plateau = (12, 45, (3, 8)) if arm != "IL2_only" else (1.5, 3, (1.2, 2))
    peak = np.exp(random.uniform(np.log(low), np.log(high), (n, 1)))
    day, half = random.uniform(8, 13, (n, 1)), random.uniform(5, 10, (n, 1))
    level = np.minimum(random.uniform(*plateau, (n, 1)), peak)
    rise = np.exp(np.log(0.5) + (np.log(peak) - np.log(0.5)) * np.clip(days, 0, None) / day)
    fall = level + (peak - level) * 0.5 ** ((days - day) / half)
    return np.where(days < 0, 1.0, np.where(days <= day, rise, fall))
