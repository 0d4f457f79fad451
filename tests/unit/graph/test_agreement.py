import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from cimlnk.graph import adjusted_rand


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_rand_equals_scikit_learn(seed):
    random = np.random.default_rng(seed)
    a = random.integers(0, 6, 500)
    b = np.where(random.random(500) < 0.7, a, random.integers(0, 4, 500))
    assert adjusted_rand(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    assert adjusted_rand(np.zeros(4, int), np.zeros(4, int)) == 1.0
