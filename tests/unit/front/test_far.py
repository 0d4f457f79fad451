"""Cells far from every known one: a share that the counts bear out is strange, another is said to be untold."""

import numpy as np
import pytest

from cimlnk.front.far import Far, by_chance, far_of, limits


def test_limits_hold_their_level_where_the_share_is_known():
    rng = np.random.default_rng(1)
    hits = rng.binomial(40, 0.15, 20_000)
    low, high = limits(hits, np.full(len(hits), 40))
    assert (low > 0.15).mean() <= 0.05 and (high < 0.15).mean() <= 0.0546  # .05 and three errors of 20,000
    assert limits(np.array([0, 5]), np.array([5, 5]))[0][0] == 0 and limits(np.array([5]), np.array([5]))[1][0] == 1


@pytest.mark.parametrize("n", [8, 20, 60, 400])
def test_like_cells_are_hardly_ever_called_strange_however_few_are_known(n):
    """Distances of known and new cells from one law, 40 new cells a sample."""
    rng, called = np.random.default_rng(2), []
    for _ in range(2000):
        reach, new = rng.exponential(size=n), rng.exponential(size=40)
        labels = np.zeros(n, int)
        far = far_of(new / np.quantile(reach, 0.99), np.zeros(40, int), by_chance(reach, labels))
        called.append(far.strange)
    assert np.mean(called) < 0.01


def test_a_sample_of_strangers_is_called_with_many_known_cells_and_untold_with_few():
    labels = np.zeros(400, int)
    many = by_chance(np.arange(400.0), labels)
    assert far_of(np.full(30, 2.0), np.zeros(30, int), many).strange
    few = Far(6 / 45, float(limits(np.array([6]), np.array([45]))[0][0]), 0.09)
    assert few.untold and not few.strange
    assert far_of(np.full(30, 2.0), np.zeros(30, int), by_chance(np.arange(10.0), labels[:10])).strange
    assert not Far(0.02, 0.01, 0.03).untold


def test_a_cluster_without_known_cells_tells_nothing():
    assert by_chance(np.arange(4.0), np.array([0, 0, 2, 2]))[1] == 1
