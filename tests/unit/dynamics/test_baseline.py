"""One place says what a baseline is, and day 0 belongs to it where the sheet says so."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.folds import make_folds
from cimlnk.dynamics.baseline import at_baseline, before_infusion
from cimlnk.dynamics.kinetics.summary import make_kinetics


def course(first_day, sd=0.0):
    """NK/µL of four patients with the first sample on `first_day`, a ten-fold rise to day 10 and a fall after it."""
    random = np.random.default_rng(1)
    days = [first_day, 3, 7, 10, 14, 21, 28, 60]
    level = np.array([20, 18, 90, 210, 150, 80, 60, 50.0])
    rows = []
    for patient in ("P1", "P2", "P3", "P4"):
        for i, (day, value) in enumerate(zip(days, level * np.exp(random.normal(0, sd, 8)), strict=True)):
            rows.append({
                "modality": "cytof", "sample": None, "patient": patient, "day": day, "arm": "CIML",
                "timepoint": "pre" if i == 0 else f"D{day}", "tissue_or_product": "blood", "population": "NK",
                "n_cells": np.nan, "n_nk": np.nan, "nk_per_ul_source": "counts", "cells_per_ul": value,
                "cells_per_ul_low": value * 0.75, "cells_per_ul_high": value * 1.33, "reason": None,
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_day_0_is_before_infusion_only_at_the_baseline_time_point():
    blood = pd.DataFrame({
        "patient": ["a", "a", "b", "b", "c", "c"], "day": [0, 7, 0, 7, -14, -3],
        "timepoint": ["pre", "D7", "D0", "D7", "screening", "visit"],
    })  # fmt: skip
    assert before_infusion(blood, "pre").tolist() == [True, False, False, False, True, True]
    # b was first seen on day 0 after infusion: it has no baseline; c has its latest day before it
    assert at_baseline(blood, "pre").tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("first_day", [-1, 0])
def test_a_baseline_on_day_0_gives_folds_and_a_fit_like_the_day_before(first_day):
    abundance = course(first_day, sd=0.05)
    folds = make_folds(abundance, "pre")
    counts = pd.DataFrame({"patient": ["P1"], "day": [3], "event": [None]})
    settings = {"min_days": 5, "censor_events": [], "pooling": True, "draws": 200}
    kinetics, _ = make_kinetics(abundance, folds, counts, baseline_timepoint="pre", settings=settings, seed=1)
    assert kinetics["model_reason"].isna().all()
    assert kinetics["model_peak_fold"].between(7, 15).all() and kinetics["peak_fold"].between(7, 15).all()
