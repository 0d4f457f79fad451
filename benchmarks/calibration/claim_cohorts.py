"""Cohorts as tables, with and without the study's effects, for the chance and the power of the claims.

The generator knows days, patients and noise, and nothing of the claims' own way to make cohorts without effect: shares
are log-ratio normal and multinomial, counts log-normal with the error of a blood count, markers normal about patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.dynamics.repertoire.differential import identity_test, thinned
from cimlnk.stats.composition import jensen_shannon

Floats = NDArray[np.float64]
Columns = Mapping[str, object]  # arrays of one length, or one value for all
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
COUNT_LIMITS = float(np.exp(1.96 * 0.15 * np.sqrt(2)))  # of a fold of two blood counts with an error of 15 %
RECEPTOR_COMBINATIONS, PERMUTATIONS = 24, 199
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


def tables(
    patients: int,
    random: np.random.Generator,
    *,
    effect: bool,
    noise: Noise = USUAL,
    cmv_ratio: float = 1.0,
    rna: bool = True,
    arms: tuple[str, ...] = ("CIML", "IL2_only", "no_cytokine"),
    whole: bool = True,
) -> dict[str, pd.DataFrame]:
    """Evidence of one cohort, `patients` in every arm.

    Parameters
    ----------
    effect
        Plant the study's story: 10- to 50-fold expansion, memory-like cells for months. False: nothing changes after
        infusion and no outcome depends on anything.
    cmv_ratio
        Factor of the folds of patients with CMV viremia.
    whole
        False: markers and diversity of the first arm alone, the only one of which claims ask them.
    """
    rows: dict[str, list[Columns]] = {}

    def add(name: str, frame: Columns) -> None:
        rows.setdefault(name, []).append(frame)

    for arm in arms:
        story = effect and arm != "IL2_only"
        ids = [f"{arm}{i + 1}" for i in range(patients)]
        viremia = np.array(["yes", "no"] * patients, dtype=object)[:patients]
        good = random.permutation(np.arange(patients) % 2 == 0)
        base = np.exp(random.normal(np.log(20), noise.count_patient, patients))
        after = np.array(COUNT_DAYS)[None] > 0
        more = np.where((viremia == "yes")[:, None] & after & story, cmv_ratio, 1.0)
        fold = _folds(arm, effect, patients, random=random) * more
        seen = base[:, None] * fold * np.exp(random.normal(0, noise.count_sample, fold.shape))
        over = seen / seen[:, :1]
        series = {"modality": "cytof", "arm": arm, "population": "NK"}
        add("folds", {
            **series, "patient": np.repeat(ids, len(COUNT_DAYS)), "day": np.tile(COUNT_DAYS, patients),
            "fold_change": over.ravel(), "reason": None,
            "fold_low": over.ravel() / COUNT_LIMITS, "fold_high": over.ravel() * COUNT_LIMITS,
        })  # fmt: skip
        add("kinetics", {
            **series, "patient": ids, "peak_fold": over[:, 1:].max(axis=1), "censored_day": np.nan,
        })  # fmt: skip
        per_ul = dict(zip([(p, d) for p in ids for d in COUNT_DAYS], seen.ravel(), strict=True))
        of_patient = np.log(REST) + random.normal(0, noise.share_patient, (patients, len(REST)))
        lifted = random.normal(0, noise.share_patient, (patients, len(REST))) * 0.5
        marker = {f: random.normal(0, noise.marker_patient, patients) for f in (*MARKERS, "KLRC1", "CD8a", "index")}
        if effect:  # donors' CD8a+ cells, and immature cells, go with a worse outcome
            marker["CD8a"] += np.where(good, -0.5, 0.5)
            of_patient[:, 0] += np.where(good, -0.5, 0.5)
            marker["index"] += np.where(good, 0.25, -0.25)
        slots = SLOTS if arm != "no_cytokine" else (*SLOTS, ("blood", 120))
        add("patients", {
            "patient": ids, "arm": arm, "cmv_viremia": viremia, "response": np.where(good, "yes", "no"),
            "relapse": np.where(good, "no", "yes"), "transplant": "cord", "disease": "AML",
            "dose_per_kg": 8e6, "il2_planned": 7.0, "il2_received": 7.0,
        })  # fmt: skip
        for tissue, day in slots:
            key = (tissue, min(day, 100))
            shift = np.zeros(len(REST))
            if story and key in STORY:
                shift = np.log(np.array(STORY[key]) / REST)
            elif effect and arm == "IL2_only" and tissue == "blood" and day > 0:
                shift = np.log(np.array(IL2_ALONE) / REST)
            sample = np.array([f"{p}_{tissue}{day}" for p in ids], dtype=object)
            keys = {
                "sample": sample, "patient": ids, "day": day, "arm": arm, "tissue_or_product": tissue,
                "timepoint": "pre" if (tissue, day) == ("blood", -7) else f"{tissue}{day}",
            }  # fmt: skip
            add("samples", keys)
            moved = of_patient + shift + lifted * (shift != 0)
            for modality, low, high in (("cytof", 500, 8000), ("rna", 150, 900))[: 2 if rna else 1]:
                logs = moved + random.normal(0, noise.share_sample, moved.shape)
                share = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
                cells = np.exp(random.uniform(np.log(low), np.log(high), patients)).astype(int)
                counts = np.array([random.multinomial(n, s) for n, s in zip(cells, share, strict=True)])
                add(
                    "abundance",
                    _abundance(keys, modality, counts, cells=cells, per_ul=[per_ul.get((p, day), np.nan) for p in ids]),
                )
                if arm != arms[0] and not whole:
                    continue
                index = 0.4 * (-np.log2((share**2).sum(axis=1))) + marker["index"]
                index = index + random.normal(0, noise.marker_sample, patients)
                own = {k: v for k, v in keys.items() if k != "timepoint"}
                add("diversity", {**own, "modality": modality, "inverse_simpson": 20 * 2.0**index})
            if arm != arms[0] and not whole:
                continue
            states = _states(sample, tissue, day, story=story, marker=marker, noise=noise, random=random)
            for part in (*states[0], *_by_population(sample, effect, noise, random=random)):
                add("state_cytof", part)
            if rna:
                add("state_rna", states[1])
    made = {name: _frame(parts) for name, parts in rows.items()}
    mine = made["samples"][made["samples"]["arm"] == arms[0]]
    return {**made, "tests": _donor_identity(mine, effect, noise, random=random)}


def _frame(parts: list[Columns]) -> pd.DataFrame:
    """One table from many small blocks of columns (a thousand small frames would take most of the time)."""
    names = list(dict.fromkeys(c for p in parts for c in p))
    columns: dict[str, list[NDArray]] = {n: [] for n in names}
    for part in parts:
        length = max((len(v) for v in part.values() if np.ndim(v)), default=1)  # type: ignore[arg-type]
        for name in names:
            value = np.asarray(part.get(name, np.nan))
            columns[name].append(np.broadcast_to(value, length) if value.ndim == 0 else value)
    made = {}
    for name, blocks in columns.items():
        text = any(b.dtype.kind in "OU" for b in blocks)
        made[name] = np.concatenate([b.astype(object) for b in blocks] if text else blocks)
    return pd.DataFrame(made)


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


def _abundance(
    keys: Mapping[str, object], modality: str, counts: Floats, *, cells: Floats, per_ul: list[float]
) -> Columns:
    k = len(POPULATIONS)
    share = counts / cells[:, None]
    named = {c: np.repeat(np.asarray(v, dtype=object), k + 1) if np.ndim(v) else v for c, v in keys.items()}
    nk = np.repeat(per_ul, k + 1)
    fraction = np.column_stack([share, np.ones(len(share))]).ravel()
    return {
        **named, "modality": modality, "population": np.tile([*POPULATIONS, "NK"], len(share)), "fraction": fraction,
        "n_cells": np.column_stack([counts, cells]).ravel().astype(float),
        "n_nk": np.repeat(cells, k + 1).astype(float), "nk_per_ul": nk, "cells_per_ul": nk * fraction,
    }  # fmt: skip


def _states(
    sample: NDArray[np.object_], tissue: str, day: int, *, story: bool, marker: Mapping[str, Floats], noise: Noise,
    random: np.random.Generator,
) -> tuple[list[Columns], Columns]:  # fmt: skip
    parts = []
    for feature, (column, level, course) in MARKERS.items():
        value = course.get((tissue, day), level) if story else level
        value = value + marker[feature] + random.normal(0, noise.marker_sample, len(sample))
        parts.append(_entry(sample, feature, column, value=value))
    if tissue == "donor":
        value = -0.8 + marker["CD8a"] + random.normal(0, noise.marker_sample, len(sample))
        parts.append(_entry(sample, "CD8a", "fraction_positive", value=value))
    gene = MARKERS["NKG2A"][2].get((tissue, day), 0.0) if story else 0.0
    value = 0.8 + 0.4 * gene + marker["KLRC1"] + random.normal(0, noise.marker_sample, len(sample))
    return parts, _entry(sample, "KLRC1", "mean", value=value)


def _entry(
    sample: NDArray[np.object_], feature: str, column: str, *, value: Floats, population: str = "NK", n: int = 1000
) -> Columns:
    shown = 1 / (1 + np.exp(-value)) if column == "fraction_positive" else value
    given = {c: shown if c == column else np.nan for c in ("median", "mean", "fraction_positive")}
    return {"sample": sample, "population": population, "feature": feature, "n_cells": n, **given}


def _by_population(
    sample: NDArray[np.object_], effect: bool, noise: Noise, *, random: np.random.Generator
) -> list[Columns]:
    """IFN-gamma and its companions by population, and NKG2C+ shares of memory-like, adaptive and other cells."""
    parts = []
    dim = [p for p in POPULATIONS if p != "CD56bright"]
    latent = random.normal(0, 1, (len(dim), len(sample)))
    for feature in ("IFNg", *RECALL):
        own = random.normal(0, 1, latent.shape)
        value = (-latent if feature == "CD57" else latent) + 0.7 * own if effect else own
        for population, v in zip(dim, value, strict=True):
            parts.append(_entry(sample, feature, "mean", value=v, population=population))
    patient = random.normal(0, noise.marker_patient, len(sample))
    levels = {
        "CD56bright": -4.5,
        "CD56dim_NKG2A": -4.3,
        "adaptive": 2.5,
        "NK": -2.0,
        "memory_like": -3.9 if effect else -2.0,
    }
    for population, level in levels.items():
        value = level + patient + random.normal(0, noise.marker_sample, len(sample))
        parts.append(
            _entry(
                sample,
                "NKG2C",
                "fraction_positive",
                value=value,
                population=population,
                n=1000 if population == "NK" else 150,
            )
        )
    return parts
