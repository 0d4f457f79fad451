"""Levels of programmes against random sets: planted ones are found, random sets give uniform p."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.expression.levels import BIN, matched_levels
from cimlnk.dynamics.expression.signatures import GeneSet

GENES = [f"G{i}" for i in range(1200)]


@pytest.fixture
def cells():
    """log2 CPM of two samples about each gene's usual level."""
    random = np.random.default_rng(0)
    usual = pd.Series(random.gamma(2.0, 2.0, len(GENES)), index=GENES)
    noise = random.normal(0, 0.5, (len(GENES), 2))
    return pd.DataFrame(usual.to_numpy()[:, None] + noise, index=GENES, columns=["a", "b"]), usual


def test_a_planted_programme_is_found_where_it_is_and_with_its_size(cells):
    logs, usual = cells
    up, down = tuple(GENES[:12]), tuple(GENES[20:30])
    logs.loc[list(up), "a"] += 1.0
    logs.loc[list(down), "a"] -= 0.5
    found = matched_levels(logs, usual, [GeneSet("on", up, ()), GeneSet("both", up, down), GeneSet("few", up[:3], ())])
    assert list(found.level.index) == ["on", "both"]
    assert found.level.loc["on", "a"] == pytest.approx(1.0, abs=0.35)  # noise of 12 genes: 0.14, and of the bins
    assert found.level.loc["both", "a"] > found.level.loc["on", "a"]
    assert found.p.loc["on", "a"] == found.p_floor and found.p.loc["on", "b"] > 0.01


def test_random_sets_have_uniform_p(cells):
    logs, usual = cells
    random = np.random.default_rng(1)
    sets = [GeneSet(f"s{i}", tuple(random.choice(GENES, 10, replace=False)), ()) for i in range(200)]
    p = matched_levels(logs, usual, sets, n_sets=199).p["a"]
    # 200 nearly independent sets: 10 +- 3 below .05; beyond 4 standard deviations on neither side
    assert 0 <= (p < 0.05).sum() <= 22 and 0.4 < p.mean() < 0.6


def test_genes_that_are_expressed_more_are_no_higher_level(cells):
    """The null of plain means: a set of the most expressed genes would be above any random set."""
    logs, usual = cells
    top = tuple(usual.nlargest(300).index[20:32])
    found = matched_levels(logs, usual, [GeneSet("top", top, ())])
    assert (found.p.loc["top"] > 0.05).all()


def test_the_same_seed_gives_the_same_sets_and_a_short_list_of_genes_still_works(cells):
    logs, usual = cells
    one = matched_levels(logs, usual, [GeneSet("s", tuple(GENES[:6]), ())], seed=3)
    other = matched_levels(logs.iloc[::-1], usual, [GeneSet("s", tuple(GENES[:6]), ())], seed=3)
    pd.testing.assert_frame_equal(one.level, other.level)
    few = matched_levels(logs.head(BIN), usual.head(BIN), [GeneSet("s", tuple(GENES[:6]), ())])
    assert np.isfinite(few.level.to_numpy()).all()
