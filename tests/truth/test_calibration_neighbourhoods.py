"""Calibration of neighbourhood abundance: 500 null data sets, coverage, and why counts need more than Poisson."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cimlnk.dynamics.contrasts import Contrast
from cimlnk.dynamics.designs import contrast_design
from cimlnk.dynamics.neighbourhoods.differential import neighbourhood_tests
from cimlnk.stats.count_glm import fit_nb

pytestmark = pytest.mark.slow
TIMES = {"pre": -7, "D7": 7, "D28": 28, "D60": 60}
POPULATIONS, EACH = 5, 30


def samples(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"sample": f"P{i}_{t}", "patient": f"P{i}", "day": d, "timepoint": t, "arm": "CIML"}
            for i in range(n)
            for t, d in TIMES.items()
        ]
    )


def cohort(seed: int, n: int = 6, restless: bool = False, effect: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 150 overlapping neighbourhoods of 5 populations and the cells per sample.

    Patients differ (log sd 0.5 per neighbourhood, 0.4 per population), a sample's populations vary by log sd 0.4 and
    its neighbourhoods by 0.2 more, samples hold 1,000 to 4,000 cells, a neighbourhood about 12 of a sample's.
    """
    rng = np.random.default_rng(seed)
    s = n * 4
    patient, time = np.repeat(np.arange(n), 4), np.tile(np.arange(4), n)
    population = np.repeat(np.arange(POPULATIONS), EACH)
    u = len(population)
    wild = np.array([1.0, 1.6, 1.0, 0.7] if restless else [1.0] * 4)[time]
    eta = np.log(0.006) + rng.normal(0, 0.6, (u, 1)) + rng.normal(0, 0.5, (u, n))[:, patient]
    eta = eta + rng.normal(0, 0.4, (POPULATIONS, n))[population][:, patient]
    eta = eta + (0.4 * wild * rng.normal(size=(POPULATIONS, s)))[population] + 0.2 * wild * rng.normal(size=(u, s))
    eta = eta + effect * np.log(2) * np.outer(population == 0, time == 1)
    cells = np.exp(rng.uniform(np.log(1000), np.log(4000), s)).astype(int)
    return rng.poisson(np.exp(eta) * cells), cells


@pytest.mark.parametrize(("n", "restless"), [(6, False), (6, True), (4, False)])
def test_type_one_error_and_coverage(n, restless):
    sheet = samples(n)
    sheet = sheet[sheet["timepoint"].isin(["pre", "D7"])]
    p, covered = [], []
    for seed in range(500):
        counts, cells = cohort(seed, n, restless)
        keep = sheet.index.to_numpy()
        table = neighbourhood_tests(
            counts[:, keep], cells[keep], np.ones(len(counts)), samples=sheet, baselines=["pre"]
        )
        p.append((table["p"] < 0.05).mean())
        covered.append(((table["effect_low"] < 0) & (table["effect_high"] > 0))[table["p"].notna()].mean())
    print(f"\nneighbourhoods, n = {n}, restless {restless}: type I {np.mean(p):.3f}, coverage {np.mean(covered):.3f}")
    # neighbourhoods of a data set move together: the rate of one data set has an sd of about 5 %, of 500 0.25 %
    assert 0.03 <= np.mean(p) <= 0.07
    assert 0.93 <= np.mean(covered) <= 0.97


def test_spatial_fdr_rarely_finds_anything_where_nothing_is():
    sheet = samples(6)
    found = []
    for seed in range(100):
        counts, cells = cohort(seed)
        table = neighbourhood_tests(counts, cells, np.ones(len(counts)), samples=sheet, baselines=["pre"])
        found.append(table.groupby("contrast")["fdr"].min().lt(0.1).mean())
    print(f"\nneighbourhoods, data sets with any hit at spatial FDR 0.1: {np.mean(found):.3f}")
    # 300 contrasts at 10 %: binomial standard error 1.7 %
    assert np.mean(found) <= 0.15


def test_poisson_counting_error_alone_fails():
    sheet = samples(6)
    rate = []
    for seed in range(100):
        counts, cells = cohort(seed)
        columns, _, design, tested = contrast_design(sheet, Contrast("CIML", "D7", "pre"), cells)
        y, offset = counts[:, columns].astype(float), np.log(cells[columns])
        full, less = (
            fit_nb(y, design, offset, dispersion=0.0),
            fit_nb(y, np.delete(design, tested, axis=1), offset, dispersion=0.0),
        )
        rate.append((stats.chi2.sf(less.deviance - full.deviance, 1) < 0.05).mean())
    print(f"\nneighbourhoods, Poisson regression: type I {np.mean(rate):.3f}")
    assert np.mean(rate) > 0.2


def test_a_fourfold_rise_is_found_and_placed_right():
    sheet = samples(6)
    power, false = [], []
    for seed in range(100):
        counts, cells = cohort(seed, effect=2.0)
        table = neighbourhood_tests(counts, cells, np.ones(len(counts)), samples=sheet, baselines=["pre"])
        hit = (table[table["contrast"] == "CIML: D7 vs pre"]["fdr"] < 0.1).to_numpy()
        power.append(hit[:EACH].mean())
        false.append((hit[EACH:].sum()) / max(1, hit.sum()))
    print(f"\nneighbourhoods, +2 log2 in one of five populations: power {np.mean(power):.3f}, FDP {np.mean(false):.3f}")
    assert np.mean(power) > 0.5
