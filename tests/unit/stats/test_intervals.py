import numpy as np
import pytest
from scipy import stats

from cimlnk.stats.intervals import label_variance, log_limits, product_limits, share_interval


@pytest.mark.parametrize("truth", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("rho", [0.0, 0.002])
def test_share_interval_covers_overdispersed_counts_at_its_level(truth, rho):
    rng = np.random.default_rng(1)
    n = 2000
    p = rng.beta(truth * (1 / rho - 1), (1 - truth) * (1 / rho - 1), 4000) if rho else np.full(4000, truth)
    _, low, high = share_interval(rng.binomial(n, p), n, overdispersion=rho)
    covered = np.mean((low <= truth) & (truth <= high))
    # 4000 repeats: three standard errors of 0.95 are 0.010; the moment-matched beta adds its own approximation
    assert 0.935 <= covered <= 0.965


def test_without_overdispersion_it_is_the_jeffreys_interval():
    _, low, high = share_interval([0, 7, 50], 50, overdispersion=0.0)
    a, b = np.array([0.5, 7.5, 50.5]), np.array([50.5, 43.5, 0.5])
    # the variance uses the smoothed share, so the effective number differs from n only where the cap at n bites
    np.testing.assert_allclose(low[1], stats.beta.ppf(0.025, a, b)[1], rtol=1e-9)
    np.testing.assert_allclose(high[:2], stats.beta.ppf(0.975, a, b)[:2], rtol=1e-9)
    assert low[0] == 0.0 and high[2] == 1.0


def test_no_cells_at_all_give_nan_not_zero():
    share, low, high = share_interval([0.0, np.nan], [0.0, 10.0], overdispersion=0.001)
    assert np.isnan([share, low, high]).all()


def test_gate_and_labels_widen_the_interval():
    plain = share_interval(100, 1000, overdispersion=0.0)
    gated = share_interval(100, 1000, overdispersion=0.0, gate_sd=0.1)
    labelled = share_interval(100, 1000, overdispersion=0.0, variance=300.0)
    assert gated[1] < plain[1] and gated[2] > plain[2]
    assert labelled[1] < plain[1] and labelled[2] > plain[2]


def test_label_variance_matches_simulated_relabelling_and_is_zero_for_sure_labels():
    cells = np.array([[400.0, 500.0, 100.0]])
    assert (label_variance(cells, cells * 0, cells * 0, root_doubt=cells * 0, correlation=0.01) == 0).all()
    c = 0.9
    spread = c * (1 - c)
    rng = np.random.default_rng(2)
    start = np.repeat([0, 1, 2], cells[0].astype(int))
    totals = []
    for _ in range(4000):
        moves = rng.random(1000) > c
        label = start.copy()
        for k in range(3):
            others = [j for j in range(3) if j != k]
            weight = cells[0, others] / cells[0, others].sum()
            mine = moves & (start == k)
            label[mine] = rng.choice(others, mine.sum(), p=weight)
        totals.append(np.bincount(label, minlength=3))
    variance = label_variance(
        cells, cells * (1 - c), cells * spread, root_doubt=cells * np.sqrt(spread), correlation=0.0
    )[0]
    seen = np.var(totals, axis=0)
    # 4000 repeats: the standard error of a variance is 2.2 %; three of them
    np.testing.assert_allclose(variance, seen, rtol=0.07)


def test_ratio_limits_cover_for_lognormal_errors():
    rng = np.random.default_rng(3)
    a, b = 200 * np.exp(rng.normal(0, 0.15, 20000)), 20 * np.exp(rng.normal(0, 0.15, 20000))
    low, high = product_limits((a, *log_limits(a, 0.15)), (b, *log_limits(b, 0.15)), sign=-1)
    assert np.mean((low <= 10) & (high >= 10)) == pytest.approx(0.95, abs=0.006)  # exact method; 4 standard errors


def test_product_with_a_zero_share_starts_at_zero_and_has_a_finite_upper_limit():
    low, high = product_limits((100.0, 70.0, 140.0), (0.0, 0.0, 0.004))
    assert low == 0.0 and 0.2 < high < 1.0
