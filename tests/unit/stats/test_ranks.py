"""Mid-ranks against scipy's, and the tails of t and F that are taken from its special functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from cimlnk.stats.ranks import mid_ranks


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_the_ranks_of_scipy(levels):
    values = np.random.default_rng(levels).integers(-levels, levels, 300) / 7
    np.testing.assert_array_equal(mid_ranks(values), stats.rankdata(values))
    assert mid_ranks([]).shape == (0,)


def test_the_tails_of_scipy():
    """Equal in every bit: what was computed by scipy.stats before stays what it was."""
    rng = np.random.default_rng(0)
    df = np.concatenate([rng.uniform(0.3, 200, 500), np.arange(1, 100), [np.nan, 0, -1, np.inf]])
    x = np.abs(rng.normal(size=len(df)) * 5)
    np.testing.assert_array_equal(special.stdtrit(df, 0.975), stats.t.ppf(0.975, df))
    np.testing.assert_array_equal(special.stdtr(df, -x), stats.t.sf(x, df))
    np.testing.assert_array_equal(special.fdtrc(1, df, x), stats.f.sf(x, 1, df))
    np.testing.assert_array_equal(special.pdtrc(np.arange(len(df)), x), stats.poisson.sf(np.arange(len(df)), x))
