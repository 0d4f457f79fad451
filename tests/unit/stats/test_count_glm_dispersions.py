"""One dispersion per unit, where some units have no error of their own."""

import numpy as np

from cimlnk.stats.count_glm import ql_test


def test_a_unit_without_counts_leaves_the_others_their_own_dispersion():
    rng = np.random.default_rng(1)
    counts = rng.poisson(20, (50, 8)).astype(float)
    counts[0] = 0
    design, offset = np.column_stack([np.ones(8), np.tile([0.0, 1.0], 4)]), np.zeros(8)
    dispersion = np.linspace(0.01, 0.3, 50)
    with_empty = ql_test(counts, design, offset, column=1, dispersion=dispersion)
    without = ql_test(counts[1:], design, offset, column=1, dispersion=dispersion[1:])
    assert np.isnan(with_empty.p[0])
    np.testing.assert_allclose(with_empty.p[1:], without.p, rtol=1e-6)
