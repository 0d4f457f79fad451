"""Matrices for the benchmarks: like mass cytometry (cells x 35 markers), like single-cell RNA (cells x 50 PCs), real.

``python benchmarks/data.py FOLDER cytof 100000`` writes ``cytof_100000_X.npy`` and ``cytof_100000_y.npy``.

The first two have lineages made of subsets, four of which hold 0.1 to 0.4 % of the cells, gradients between sisters,
and heavy tails. The first has exact zeros, doublets and small shifts between donors; the second a decaying spectrum
with an isotropic noise floor, which is hard for every approximate neighbour search. The populations are the same for
every number of cells. The others are all events of real data under ``$CIMLNK_TEST_DATA``, without labels: ``bcrxl``
(Bodenmiller 2012), ``imubac`` (Krieg 2018), ``plex`` (Zunder 2015) and ``dcmononk`` (HIPC, flow cytometry).
"""

from __future__ import annotations

import csv
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RARE = np.array([0.001, 0.001, 0.002, 0.004])
CHUNK = 250_000


def shares(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Population sizes, log-normal but for the four rare ones at the end."""
    w = np.exp(rng.normal(0, 1.1, count))
    w[:-4] *= (1 - RARE.sum()) / w[:-4].sum()
    w[-4:] = RARE
    w = np.maximum(w, 0.001)
    return w / w.sum()


def sisters(rng: np.random.Generator, lineage: NDArray[np.int64]) -> dict[int, int]:
    """For about half of the common populations one of the same lineage towards which some of its cells lean."""
    lean = {}
    for k in range(len(lineage) - 4):
        others = [j for j in range(len(lineage) - 4) if j != k and lineage[j] == lineage[k]]
        if others and rng.random() < 0.5:
            lean[k] = int(rng.choice(others))
    return lean


def centres_of(
    y: NDArray[np.int64], centres: NDArray[np.float64], lean: dict[int, int], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Centre of every cell: its population's, or a point up to half-way to the sister's."""
    out = centres[y].copy()
    for k, sister in lean.items():
        rows = np.flatnonzero(y == k)
        rows = rows[rng.random(len(rows)) < 0.45]
        part = 0.5 * rng.beta(1.0, 1.4, (len(rows), 1))
        out[rows] += part * (centres[sister] - centres[k])
    return out


def cytof(n: int, markers: int = 35, count: int = 30) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """arcsinh(counts / 5) of `n` cells."""
    plan = np.random.default_rng(2024)
    lineage = plan.integers(0, 6, count)
    base = plan.choice([0.1, 0.5, 1.3, 2.6, 3.9], p=[0.45, 0.2, 0.12, 0.13, 0.1], size=(6, markers))
    centres = base[lineage]
    for k in range(count):
        changed = plan.choice(markers, plan.integers(3, 7), replace=False)
        step = plan.choice([-1.0, 1.0], len(changed)) * plan.uniform(0.7, 2.2, len(changed))
        centres[k, changed] = np.clip(centres[k, changed] + step, 0.05, 4.8)
    width = plan.uniform(0.25, 0.55, (count, markers))
    common = plan.normal(0, 0.12, (3, markers))
    donors = plan.normal(0, 0.06, (8, markers))
    lean, w = sisters(plan, lineage), shares(plan, count)
    rng = np.random.default_rng(n)
    y = rng.choice(count, n, p=w)
    X = np.empty((n, markers), np.float32)
    for a in range(0, n, CHUNK):
        part = y[a : a + CHUNK]
        m = centres_of(part, centres, lean, rng=rng)
        noise = rng.standard_normal(m.shape)
        heavy = rng.random(len(part)) < 0.05
        noise[heavy] = rng.standard_t(3, (int(heavy.sum()), markers))
        z = m + width[part] * noise * np.clip(m / 1.5, 0.35, 1.0)
        z += (rng.standard_normal((len(part), 3)) @ common) * np.clip(m, 0.2, 1.5)
        z += donors[rng.integers(0, 8, len(part))] * np.clip(m, 0, 1)
        counts = np.maximum(5 * np.sinh(np.clip(z, -0.5, 7.0)), 0)
        counts[rng.random(counts.shape) < 0.85 * np.exp(-counts / 1.6)] = 0
        double = np.flatnonzero(rng.random(len(part)) < 0.01)
        counts[double] += counts[rng.integers(0, len(part), len(double))]
        X[a : a + CHUNK] = np.arcsinh(counts / 5)
    return X, y.astype(np.int16)


def rna(n: int, components: int = 50, count: int = 25) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Principal components of `n` cells."""
    plan = np.random.default_rng(2025)
    spectrum = 12 * np.arange(1, components + 1) ** -0.62
    lineage = plan.integers(0, 5, count)
    base = plan.normal(0, 1.0, (5, components))
    fade = np.exp(-np.arange(components) / 16)
    centres = (base[lineage] + plan.normal(0, 0.65, (count, components))) * spectrum * fade
    width = np.maximum(0.3 * spectrum, 0.9) * plan.uniform(0.7, 1.25, (count, 1))
    lean, w = sisters(plan, lineage), shares(plan, count)
    rng = np.random.default_rng(n)
    y = rng.choice(count, n, p=w)
    m = centres_of(y, centres, lean, rng=rng)
    noise = rng.standard_normal(m.shape)
    heavy = rng.random(n) < 0.08
    noise[heavy] = rng.standard_t(3, (int(heavy.sum()), components))
    return (m + width[y] * noise).astype(np.float32), y.astype(np.int16)


def real(name: str) -> Path:
    """A folder of the real data."""
    return Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / name


def events(path: Path, channels: list[str]) -> NDArray[np.float64]:
    """The channels of a file's events, as they are stored."""
    import flowio

    with warnings.catch_warnings(action="ignore"):  # the files' offsets are off by one, as their source says
        data = flowio.FlowData(path, ignore_offset_error=True)
    values = np.reshape(data.events, (-1, data.channel_count))
    return values[:, [data.pnn_labels.index(c) for c in channels]]


def counts(paths: list[Path], channels: list[str]) -> NDArray[np.float32]:
    """arcsinh(counts / 5) of all events of mass cytometry files."""
    return np.concatenate([np.arcsinh(events(p, channels) / 5).astype(np.float32) for p in paths])


def listed(path: Path, column: str, keep: Callable[[dict[str, str]], bool] = lambda row: True) -> list[str]:
    """A column of a sheet."""
    with path.open() as f:
        return [row[column] for row in csv.DictReader(f) if keep(row)]


def bcrxl() -> NDArray[np.float32]:
    """The lineage and signalling markers of all 16 files."""
    folder = real("cytof_bcrxl")
    channels = listed(folder / "panel.csv", "fcs_colname", lambda row: row["marker_class"] in ("type", "state"))
    return counts(sorted((folder / "fcs").glob("*.fcs")), channels)


def imubac() -> NDArray[np.float32]:
    """The markers of all files of both batches."""
    folder = real("cytof_imubac_2batches")
    return counts(sorted((folder / "fcs").glob("*.fcs")), listed(folder / "PanelInfo_Data23_Panel3.csv", "channel"))


def plex() -> NDArray[np.float32]:
    """Six barcode channels and two of DNA: 20 dense groups, their doublets, and debris."""
    metals = [f"(Pd{mass})Di" for mass in (102, 104, 105, 106, 108, 110)] + ["(Ir191)Di", "(Ir193)Di"]
    return counts([real("cytof_debarcode_20plex") / "sample_barcoded_file.fcs"], metals)


def dcmononk() -> NDArray[np.float32]:
    """Scatter and the eight colours of one file of flow cytometry, on its own scale divided by 1,000."""
    path = real("flow_dcmononk") / "DC_MONO_NK_12828001_001.fcs"
    scatter = np.log10(np.maximum(events(path, ["FSC-A", "SSC-A"]), 1))
    colours = events(path, ["Live", "CD56", "CD123", "CD11c", "CD16", "Lineage", "CD14", "HLADR"]) / 1000
    return np.column_stack([scatter, colours]).astype(np.float32)


REAL = {"bcrxl": bcrxl, "imubac": imubac, "plex": plex, "dcmononk": dcmononk}


def make(folder: Path, kind: str, n: int) -> Path:
    """Write the matrix and its populations unless they are there; returns the common beginning of their paths."""
    stem = folder / f"{kind}_{n}"
    if not Path(f"{stem}_y.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if kind in REAL:
            X, y = REAL[kind](), np.empty(0, np.int16)  # no labels
        else:
            X, y = {"cytof": cytof, "rna": rna}[kind](n)
        np.save(f"{stem}_X.npy", X)
        np.save(f"{stem}_y.npy", y)
    return stem


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
