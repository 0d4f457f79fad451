"""Genes at a common depth: exact on thinned molecules, and level where only the sequencing differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cimlnk.populations.depth import at_depth, common_depth


def test_expectations_are_those_of_drawn_molecules():
    rng = np.random.default_rng(1)
    counts, depths = np.array([[1.0, 7.0, 60.0, 0.0]]), np.array([4000.0])
    expected, detection = at_depth(counts, depths, 1000.0)
    drawn = rng.binomial(counts[0].astype(int), 0.25, size=(200_000, 4))
    assert detection[0] == pytest.approx((drawn > 0).mean(axis=0), abs=0.005)
    # 60 molecules are beyond the exact sum: log of the mean instead of mean of the log, high by half the variance
    assert expected[0] == pytest.approx(np.log1p(10 * drawn).mean(axis=0), abs=0.03)


def test_a_cell_at_the_common_depth_stays_as_it_is():
    counts = np.array([[3.0, 0.0, 1.0]])
    expected, detection = at_depth(counts, np.array([1000.0]), 1000.0)
    assert expected == pytest.approx(np.log1p(counts * 10)) and detection.tolist() == [[1.0, 0.0, 1.0]]


def test_the_common_depth_is_what_the_shallowest_sample_reaches():
    deep, shallow = np.full(100, 5000.0), np.linspace(1000, 2000, 101)
    assert common_depth([deep, shallow, np.zeros(0)]) == pytest.approx(1100)
    assert common_depth([np.full(10, 40.0)]) == 500.0
    assert np.isnan(common_depth([]))


def test_equal_expression_at_unequal_depth_is_no_difference():
    """Six samples at 1,500 and six at 3,000 molecules a cell: at most 7 % of 300 genes at p < .05, both measures.

    As counted, four fifths are: the same cells without the common depth are the control.
    """
    rng = np.random.default_rng(2)
    level = 10 ** rng.uniform(-0.7, 1.5, 300)  # molecules per 10,000
    depth_of = [1500.0] * 6 + [3000.0] * 6
    cells = []
    for mean in depth_of:
        depths = rng.lognormal(np.log(mean), 0.25, 120)
        cells.append((rng.poisson(level * depths[:, None] / 1e4 * rng.lognormal(0, 0.1, 300)).astype(float), depths))
    depth = common_depth([d for _, d in cells])
    log, seen, counted = [], [], []
    for counts, depths in cells:
        deep = depths >= depth
        expected, detection = at_depth(counts[deep], depths[deep], depth)
        log.append(expected.mean(axis=0))
        seen.append(detection.mean(axis=0))
        counted.append((counts > 0).mean(axis=0))
    rates = [(stats.ttest_ind(np.array(x)[:6], np.array(x)[6:]).pvalue < 0.05).mean() for x in (log, seen, counted)]
    assert rates[0] <= 0.07 and rates[1] <= 0.07
    assert rates[2] > 0.5
