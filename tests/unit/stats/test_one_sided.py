"""Exact one-sided tests and permutations of centroids, against enumeration by other code and on nulls."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from cimlnk.stats.centroids import groups_within_blocks, two_groups
from cimlnk.stats.composition import clr
from cimlnk.stats.one_sided import rank_sum, rise


def test_rank_sum_agrees_with_scipy_without_ties():
    random = np.random.default_rng(2)
    for _ in range(20):
        x, y = random.normal(size=5), random.normal(1, size=6)
        assert rank_sum(x, y).p[0] == pytest.approx(mannwhitneyu(x, y, method="exact", alternative="greater").pvalue)
        both = rank_sum(x, y, two_sided=True)
        assert both.p[0] == pytest.approx(mannwhitneyu(x, y, method="exact").pvalue)
    assert both.p_floor == pytest.approx(2 / 462)


def test_rise_counts_sign_patterns():
    assert rise(np.array([1.0, 2.0, 3.0])).p == [0.125]
    assert rise(-np.array([1.0, 2.0, 3.0])).p == [1.0]
    # two of eight patterns reach 1 + 2 - 0.5
    assert rise(np.array([1.0, 2.0, -0.5])).p == [0.25]
    assert rise(np.zeros((1, 4))).p == [1.0]


def test_one_sided_tests_keep_their_level():
    # 4,000 nulls: standard error 0.0035
    random = np.random.default_rng(3)
    assert (rise(random.normal(size=(4000, 6))).p <= 0.05).mean() < 0.06
    assert (rank_sum(random.normal(size=(4000, 4)), random.normal(size=(4000, 5))).p <= 0.05).mean() < 0.06


def test_centroids_within_blocks_find_groups_and_not_blocks():
    random = np.random.default_rng(5)
    blocks, labels = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    x = random.normal(size=(300, 24, 5)) + 3 * random.normal(size=(300, 6, 5))[:, blocks]
    tested, _ = groups_within_blocks(x, labels, blocks, permutations=99)
    assert 0.015 <= (tested.p <= 0.05).mean() <= 0.09  # 300 nulls: standard error 0.013
    shifted, share = groups_within_blocks(x + 2.0 * (labels == 1)[None, :, None], labels, blocks, permutations=99)
    assert (shifted.p <= 0.05).mean() > 0.95 and share.mean() > 0.3


def test_centroids_within_blocks_know_how_few_orders_there_are():
    tested, _ = groups_within_blocks(
        np.random.default_rng(0).normal(size=(2, 4, 3)), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    )
    assert tested.p_floor == 0.25 and (tested.p >= 0.25).all()


def test_two_groups_of_vectors():
    random = np.random.default_rng(6)
    x, y = random.normal(size=(500, 6, 4)), random.normal(size=(500, 6, 4))
    tested, _ = two_groups(x, y)
    assert (tested.p <= 0.05).mean() < 0.09 and tested.p_floor == pytest.approx(2 / 924)
    assert (two_groups(x + 2, y)[0].p <= 0.05).mean() > 0.95
    assert two_groups(x[:, :3], y[:, :3])[0].p_floor == pytest.approx(0.1)


def test_log_ratios_do_not_follow_depth():
    shares = np.array([0.5, 0.5, 0.0])
    assert clr(shares).sum() == pytest.approx(0)
    deep, shallow = np.array([4000, 3999, 1]) / 8000, np.array([250, 250, 0]) / 500
    assert np.abs(clr(deep) - clr(shallow)).max() < 0.1
