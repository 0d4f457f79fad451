"""Cohorts of :mod:`.claim_cohorts` as the tables of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .claim_cohorts import COUNT_DAYS, MARKERS, NAMED_CELLS, POPULATIONS, RECALL, Measured, cohort

Floats = NDArray[np.float64]
Columns = Mapping[str, Any]  # arrays of one length, or one value for all
COUNT_LIMITS = float(np.exp(1.96 * 0.15 * np.sqrt(2)))  # of a fold of two blood counts with an error of 15 %


def tables(
    patients: int, random: np.random.Generator, *, states: bool = True, **options: Any
) -> dict[str, pd.DataFrame]:
    """The tables of a run over :func:`cohort`, which has the parameters; those of markers unless `states` is False."""
    made = cohort(patients, random, **options)
    rows: dict[str, list[Columns]] = {}
    for arm in made.arms:
        for name, frame in _arm_tables(arm, states=states):
            rows.setdefault(name, []).append(frame)
    return {**{name: _frame(parts) for name, parts in rows.items()}, "tests": made.identity}


def _arm_tables(m: Measured, *, states: bool) -> Iterator[tuple[str, Columns]]:
    n = len(m.patients)
    series = {"modality": "cytof", "arm": m.arm, "population": "NK"}
    yield "folds", {
        **series, "patient": np.repeat(m.patients, len(COUNT_DAYS)), "day": np.tile(COUNT_DAYS, n),
        "fold_change": m.fold.ravel(), "reason": None,
        "fold_low": m.fold.ravel() / COUNT_LIMITS, "fold_high": m.fold.ravel() * COUNT_LIMITS,
    }  # fmt: skip
    yield "kinetics", {
        **series, "patient": m.patients, "peak_fold": m.fold[:, 1:].max(axis=1), "censored_day": np.nan,
    }  # fmt: skip
    yield "patients", {
        "patient": m.patients, "arm": m.arm, "cmv_viremia": m.viremia, "response": np.where(m.good, "yes", "no"),
        "relapse": np.where(m.good, "no", "yes"), "transplant": "cord", "disease": "AML", "dose_per_kg": 8e6,
        "il2_planned": 7.0, "il2_received": 7.0,
    }  # fmt: skip
    per_ul = {d: m.count[:, i] for i, d in enumerate(COUNT_DAYS)}
    dim = [p for p in POPULATIONS if p != "CD56bright"]
    for i, slot in enumerate(m.slots):
        keys = m.keys(slot)
        sample = keys["sample"]
        own = {k: v for k, v in keys.items() if k != "timepoint"}
        yield "samples", keys
        for modality, cells in m.cells.items():
            nk = per_ul.get(slot[1], np.full(n, np.nan))
            yield "abundance", _abundance(keys, modality, cells[:, i], per_ul=nk)
            yield "diversity", {**own, "modality": modality, "inverse_simpson": 2.0 ** m.index[modality][:, i]}
        if not states:
            continue
        for feature, value in m.markers.items():
            column = {"CD8a": "fraction_positive", "KLRC1": "mean"}.get(feature) or MARKERS[feature][0]
            if feature == "KLRC1" and "rna" not in m.cells:
                continue
            table = "state_rna" if feature == "KLRC1" else "state_cytof"
            yield table, _entry(sample, feature, column, value=value[:, i])
        for k, feature in enumerate(("IFNg", *RECALL)):
            for j, population in enumerate(dim):
                yield "state_cytof", _entry(sample, feature, "mean", value=m.dim[k, i, :, j], population=population)
        for population, value in m.nkg2c.items():
            size = 1000 if population == "NK" else NAMED_CELLS
            yield (
                "state_cytof",
                _entry(sample, "NKG2C", "fraction_positive", value=value[:, i], population=population, n=size),
            )


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


def _abundance(keys: Mapping[str, object], modality: str, counts: NDArray[np.int64], *, per_ul: Floats) -> Columns:
    k, cells = len(POPULATIONS), counts.sum(axis=1)
    named = {c: np.repeat(np.asarray(v, dtype=object), k + 1) if np.ndim(v) else v for c, v in keys.items()}
    nk = np.repeat(per_ul, k + 1)
    fraction = np.column_stack([counts / cells[:, None], np.ones(len(cells))]).ravel()
    return {
        **named, "modality": modality, "population": np.tile([*POPULATIONS, "NK"], len(cells)), "fraction": fraction,
        "n_cells": np.column_stack([counts, cells]).ravel().astype(float),
        "n_nk": np.repeat(cells, k + 1).astype(float), "nk_per_ul": nk, "cells_per_ul": nk * fraction,
    }  # fmt: skip


def _entry(
    sample: NDArray[np.object_], feature: str, column: str, *, value: Floats, population: str = "NK", n: int = 1000
) -> Columns:
    shown = 1 / (1 + np.exp(-value)) if column == "fraction_positive" else value
    given = {c: shown if c == column else np.nan for c in ("median", "mean", "fraction_positive")}
    return {"sample": sample, "population": population, "feature": feature, "n_cells": n, **given}
