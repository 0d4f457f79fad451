import numpy as np

from cimlnk.stats.diversity import inverse_simpson, rarefied


def test_the_interval_is_about_the_value_and_a_larger_sample_is_not_more_diverse():
    p = np.array([0.3, 0.2] + [0.05] * 10)
    truth = float(inverse_simpson(p))
    held, small, large = 0, [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        found = rarefied(random.multinomial(300, p), 300, 200, random=random)
        held += found.low <= 1 / (1 / truth + 1 / 300) <= found.high  # what a sample of 300 shows on average
        small.append(found.inverse_simpson)
        large.append(rarefied(random.multinomial(5000, p), 300, 200, random=random).inverse_simpson)
        assert found.low < found.inverse_simpson < found.high
    assert held >= 51  # 95 % of 60, less two and a half standard errors of a share of 60 and the percentile's bias
    assert abs(np.mean(small) / np.mean(large) - 1) < 0.03
