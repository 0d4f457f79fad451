"""A cohort whose numbers are known by construction, and what a report's tests do with it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from cimlnk.common.tables import Schema, write_table
from cimlnk.report.run import Run

CONFIG = {
    "cohort": {"id": "x", "title": "Known cohort"}, "simulate": None,
    "claims": {"arms": {"treated": "CIML"}, "bounds": {"C01": {"low": 10}}},
}  # fmt: skip
# patient: arm, NK/µL before, folds by day
COURSES = {
    "P1": ("CIML", 20.0, {7: 12.0, 14: 40.0, 60: 8.0}),
    "P2": ("CIML", 10.0, {7: 3.0, 14: 20.0, 60: 1.5}),
    "P3": ("CIML", 30.0, {7: 6.0, 14: 4.0, 60: 3.0}),
    "P4": ("CIML", np.nan, {7: np.nan, 14: np.nan, 60: np.nan}),
    "C1": ("IL2", 25.0, {7: 1.2, 14: 1.4, 60: 1.1}),
    "C2": ("IL2", 25.0, {7: 1.5, 14: 1.1, 60: 0.9}),
}  # fmt: skip
LOOSE = Schema("loose", {}, extra=True)


def tables():
    samples, abundance, folds, kinetics = [], [], [], []
    for patient, (arm, before, course) in COURSES.items():
        who = {"modality": "cytof", "patient": patient, "arm": arm, "population": "NK"}
        for day, fold in {-7: 1.0, **course}.items():
            sample = f"{patient}_D{day}"
            samples.append(
                {
                    "sample": sample, "patient": patient, "day": day, "timepoint": f"D{day}", "arm": arm, "batch": "1",
                    "tissue_or_product": "blood", "modality": "cytof",
                }
            )  # fmt: skip
            place = {"sample": sample, "day": day, "timepoint": f"D{day}", "tissue_or_product": "blood"}
            share = 0.6 if day > 0 and arm == "CIML" else 0.25
            for population, fraction in (("NK", 1.0), ("memory_like", share), ("CD56bright", 1 - share)):
                count = before * fold * fraction
                limits = {"cells_per_ul": count, "cells_per_ul_low": count * 0.8, "cells_per_ul_high": count * 1.25}
                row = {**who, **place, **limits, "population": population, "fraction": fraction, "reason": None}
                abundance.append(row | {"n_cells": 100.0, "n_nk": 100.0, "nk_per_ul": before * fold})
            folds.append({**who, "day": day, "fold_change": fold if np.isfinite(before) else np.nan})
        peak = max(course, key=lambda d: course[d]) if np.isfinite(before) else np.nan
        most = course[peak] if np.isfinite(before) else np.nan
        kinetics.append(
            {
                **who, "baseline_per_ul": before, "peak_day": peak, "peak_from": peak, "peak_fold": most,
                "peak_fold_low": most * 0.7, "peak_fold_high": most * 1.4, "last_day": 60.0,
                "last_fold": course[60] if most == most else np.nan,
                "reason": None if most == most else "baseline not measured: no count",
            }
        )  # fmt: skip
    tests = pd.DataFrame(
        {
            "test": "absolute", "modality": "cytof", "population": "NK", "feature": None, "primary": True,
            "contrast": ["CIML: D7 vs pre", "CIML: D14 vs pre"], "n_patients": 3, "effect": [2.0, 3.0],
            "effect_low": [1.0, 2.0], "effect_high": [3.0, 4.0], "p": [0.02, 0.004], "fdr": 0.01,
            "method": "linear_mixed",
        }
    )  # fmt: skip
    release = pd.DataFrame(
        {
            "sample": ["a", "b"], "patient": ["P1", "P2"], "purity": [0.91, 0.79], "purity_low": [0.9, 0.77],
            "purity_high": [0.92, 0.81], "bound": 0.8, "decision": ["released", "borderline"], "reason": None,
        }
    )  # fmt: skip
    told = pd.DataFrame(
        {
            "modality": "cytof", "sample": ["P3_D7", None], "kind": ["few cells", "x"], "subject": None, "stage": "s",
            "severity": ["serious", "note"], "text": ["only 12 NK cells", "y"], "remedy": "",
        }
    )  # fmt: skip
    summary = pd.DataFrame({"sample": ["P1_D7", "C2_D60"], "left_out": [False, True], "reason": [None, "empty file"]})
    return {
        "cohort/samples": pd.DataFrame(samples), "dynamics/abundance": pd.DataFrame(abundance),
        "dynamics/folds": pd.DataFrame(folds), "dynamics/kinetics": pd.DataFrame(kinetics), "dynamics/tests": tests,
        "dynamics/release": release, "quality/warnings": told, "cytof/summary": summary,
        "cytof/populations": pd.DataFrame({"cell": ["a"]}),
    }  # fmt: skip


def run_of(root, without=()):
    files = [p for p in sorted(root.rglob("*.parquet")) if not any(w in str(p) for w in without)]
    return Run(root, files, CONFIG)


def changed(tmp_path, **edits):
    """The cohort with some of its tables edited, or added."""
    known = tables()
    for name, edit in edits.items():
        known[name.replace("__", "/")] = edit(known.get(name.replace("__", "/")))
    for name, table in known.items():
        write_table(table, tmp_path / f"{name}.parquet", LOOSE)
    return run_of(tmp_path)


def pages_of(pdf: bytes) -> int:
    """How many pages a PDF has."""
    return len(re.findall(rb"/Type /Page\b", pdf))
