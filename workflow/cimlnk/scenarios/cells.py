"""Cells of a situation: files of the generator with chosen populations, panel and scale, and their truth.

Values are drawn by :mod:`cimlnk.simulate`, which knows neither lineage calls nor names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.simulate.cytof import Run, make_nk, make_other, run_of
from cimlnk.simulate.design import CIML, IL2_ONLY, Patient
from cimlnk.simulate.latent import POPULATIONS, Setting
from cimlnk.simulate.proteins import KINDS, MARKERS
from cimlnk.simulate.repertoire import repertoire

RESTING = {"CD56bright": 0.12, "CD56dim_NKG2A": 0.34, "CD56dim_KIR": 0.24, "CD56dim_CD57": 0.20, "adaptive": 0.10}
PRODUCT = {"CIML_activated": 0.84, "CD56bright": 0.05, "CD56dim_NKG2A": 0.05, "CD56dim_KIR": 0.03, "CD56dim_CD57": 0.03}
WEEK = {"proliferating": 0.60, "CIML_activated": 0.08, "CD56bright": 0.12, "CD56dim_NKG2A": 0.06, "CD56dim_KIR": 0.05,
        "CD56dim_CD57": 0.03, "memory_like": 0.06}  # fmt: skip
MONTH = {"memory_like": 0.40, "CD56bright": 0.17, "CD56dim_NKG2A": 0.18, "CD56dim_KIR": 0.12, "CD56dim_CD57": 0.08,
         "adaptive": 0.05}  # fmt: skip
BLOOD = {"CD4_T": 450, "CD8_T": 270, "activated_T": 30, "CD56_T": 40, "MAIT": 40, "B": 140, "monocyte": 160,
         "nonclassical": 25, "cDC": 15, "pDC": 10, "ILC": 3, "neutrophil": 15, "basophil": 12}  # fmt: skip
# Fluorescence: counts become light of this many units per ion, with the noise of detector and compensation.
LIGHT_PER_COUNT, LIGHT_NOISE, LIGHT_COFACTOR = 60.0, 90.0, 150.0

Shares = Mapping[str, float]


@dataclass(frozen=True)
class File:
    """One file: its NK populations by share, how many NK cells, the other cells by kind."""

    patient: str
    timepoint: str
    shares: Shares
    n_nk: int = 500
    others: Mapping[str, int] = field(default_factory=lambda: BLOOD)
    infused: bool = True
    cmv: bool = True
    batch: str = "day1"

    @property
    def name(self) -> str:
        return f"{self.patient}_{self.timepoint}"

    @property
    def tissue(self) -> str:
        return self.timepoint if self.timepoint in ("donor", "product") else "blood"


class Cohort(NamedTuple):
    """Live single cells of several files.

    Attributes
    ----------
    values
        Cells × markers, analysis scale (float32).
    markers, cofactors
        Of the columns.
    file
        Index into `files` of every cell.
    kind
        The population of NK cells, else the kind of cell (object).
    also
        A second name that holds; empty if there is none (object).
    """

    values: NDArray[np.float32]
    markers: list[str]
    cofactors: NDArray[np.float64]
    file: NDArray[np.intp]
    kind: NDArray[np.object_]
    also: NDArray[np.object_]
    files: tuple[File, ...]

    @property
    def nk(self) -> NDArray[np.bool_]:
        """True NK cells."""
        return np.isin(self.kind, POPULATIONS)

    @property
    def batch(self) -> NDArray[np.object_]:
        return np.array([f.batch for f in self.files], dtype=object)[self.file]

    def only(self, rows: NDArray[np.bool_]) -> Cohort:
        """The cells `rows`."""
        return self._replace(values=self.values[rows], file=self.file[rows], kind=self.kind[rows], also=self.also[rows])

    def with_markers(self, markers: Sequence[str]) -> Cohort:
        """The same cells measured with fewer markers."""
        at = [self.markers.index(m) for m in markers]
        return self._replace(values=self.values[:, at], markers=list(markers), cofactors=self.cofactors[at])


def course(patient: str, batch: str, **changes: Any) -> list[File]:
    """An infused patient: blood before, product, blood on day 7 and day 28."""
    parts = (("pre", RESTING), ("product", PRODUCT), ("D7", WEEK), ("D28", MONTH))
    little = {kind: max(n // 12, 1) for kind, n in BLOOD.items()}
    files = [
        File(patient, timepoint, shares, others=little if timepoint == "product" else BLOOD, batch=batch)
        for timepoint, shares in parts
    ]
    return [replace(f, **changes) for f in files]


def without(files: Sequence[File], *populations: str) -> list[File]:
    """The same files without some populations; the other shares grow."""
    return [File(**{**vars(f), "shares": {k: v for k, v in f.shares.items() if k not in populations}}) for f in files]


def make(
    files: Sequence[File],
    seed: int,
    *,
    markers: Sequence[str] = MARKERS,
    fluorescence: bool = False,
    change: Callable[[np.ndarray, NDArray[np.object_]], np.ndarray] | None = None,
) -> Cohort:
    """Draw the cells of `files`.

    Parameters
    ----------
    markers
        What the panel measures.
    fluorescence
        Light of a flow cytometer in place of ion counts: values below zero, cofactor 150.
    change
        Applied to the expected counts (cells × MARKERS) of every file, given the kinds of its cells.
    """
    values, file, kinds, also = [], [], [], []
    for number, f in enumerate(files):
        random = rng(seed, "scenario", f.name, f.batch)
        patient = _patient(f)
        donor, run = repertoire(seed, patient), run_of(seed, f.batch)
        mature = np.array([f.shares.get(p, 0.0) for p in POPULATIONS[:4]])
        lived = Setting(f.timepoint, f.infused, f.cmv, mature if mature.sum() > 0 else np.ones(4))
        share = np.array([f.shares.get(p, 0.0) for p in POPULATIONS])
        numbers = dict(zip(POPULATIONS, random.multinomial(f.n_nk, share / share.sum()), strict=True)) | dict(f.others)
        counts, names, seconds = [], [], []
        for kind in (*POPULATIONS, *KINDS):
            n = int(numbers.get(kind, 0))
            if n == 0:
                continue
            made = (
                make_nk(random, kind, n, lived=lived, donor=donor, run=run)
                if kind in POPULATIONS
                else make_other(random, kind, n, donor=donor, run=run)
            )
            counts.append(made.counts)
            names.append(np.full(n, kind, dtype=object))
            seconds.append(made.also)
        expected, kind_of = np.concatenate(counts), np.concatenate(names)
        if change is not None:
            expected = change(expected, kind_of)
        values.append(_measured(random, expected, run, fluorescence=fluorescence))
        file.append(np.full(len(expected), number))
        kinds.append(kind_of)
        also.append(np.concatenate(seconds))
    table = np.concatenate(values).astype(np.float32)
    at = [MARKERS.index(m) for m in markers]
    cofactor = LIGHT_COFACTOR if fluorescence else 5.0
    return Cohort(
        table[:, at],
        list(markers),
        np.full(len(at), cofactor),
        np.concatenate(file),
        np.concatenate(kinds),
        np.concatenate(also),
        tuple(files),
    )


def _patient(f: File) -> Patient:
    """The recipient of a file; donor and repertoire are named by it."""
    return Patient(f.patient, CIML if f.infused else IL2_ONLY, 1, "AML", 1e7, 7, 7, False, f.cmv, 0, "nk")


def _measured(random: np.random.Generator, expected: np.ndarray, run: Run, *, fluorescence: bool) -> np.ndarray:
    if fluorescence:
        light = LIGHT_PER_COUNT * random.poisson(expected) + LIGHT_NOISE * random.standard_normal(expected.shape)
        return np.arcsinh(light / LIGHT_COFACTOR)
    counts = random.poisson(expected).astype(float)
    if not run.whole_counts:
        counts = counts - random.random(counts.shape)
    return np.arcsinh(np.maximum(counts, 0 if run.whole_counts else -1) / 5)
