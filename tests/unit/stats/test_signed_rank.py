import numpy as np
import pytest
from scipy import stats

from cimlnk.stats.exact import relabel, sign_flip
from cimlnk.stats.signed_rank import signed_rank


def test_p_equals_scipys_exact_test_without_ties():
    rng = np.random.default_rng(0)
    diff = rng.normal(0.5, 1.0, (40, 6))
    expected = [stats.wilcoxon(d, mode="exact").pvalue for d in diff]
    np.testing.assert_allclose(signed_rank(diff).p, expected)


def test_six_patients_reach_one_in_thirty_two_and_no_less():
    result = signed_rank(np.array([[1.0, 2, 3, 4, 5, 6], [-1.0, 2, 3, 4, 5, 6]]))
    assert result.p[0] == result.p_floor[0] == 2 / 64 and result.p[1] == 4 / 64


def test_five_patients_have_no_95_percent_interval_and_it_says_so():
    result = signed_rank(np.array([[1.0, 2, 3, 4, 5, np.nan]]))
    assert np.isnan(result.low[0]) and np.isnan(result.high[0])
    assert "0.0625" in result.reason[0] and result.effect[0] == 3.0


def test_interval_of_six_is_the_range_of_walsh_averages_and_covers():
    result = signed_rank(np.array([[1.0, 2, 3, 4, 5, 6.5]]))
    assert (result.low[0], result.high[0]) == (1.0, 6.5)  # one average cut off on each side: 62 of 64 patterns
    rng = np.random.default_rng(1)
    many = signed_rank(rng.normal(0.0, 1.0, (4000, 8)))
    # exact level for n = 8 with three averages cut off is 0.961; 4000 repeats, 3 standard errors 0.009
    assert np.mean((many.low <= 0) & (many.high >= 0)) == pytest.approx(0.961, abs=0.009)


def test_ties_and_zeros_keep_p_exact():
    # |d| ranks 0 (dropped), 2.5, 2.5, 4: of 8 patterns of three ranks only the two extremes are as far out
    result = signed_rank(np.array([[0.0, 1.0, 1.0, 2.0]]))
    assert result.p[0] == pytest.approx(2 / 8)


def test_too_few_patients_give_a_reason():
    result = signed_rank(np.array([[1.0, np.nan, 2.0]]))
    assert np.isnan(result.p[0]) and "2 patients" in result.reason[0]


def test_zeros_and_ties_raise_the_floor():
    d = np.array([[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]])
    for test in (signed_rank, sign_flip):
        assert test(d).p[0] == pytest.approx(0.25) and test(d).p_floor[0] == pytest.approx(0.25)
    # two arms of three whose values are tied in pairs: two dealings of twenty reach each extreme, not one
    apart = relabel(np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 0.0]]))
    assert apart.p[0] == pytest.approx(apart.p_floor[0]) and apart.p_floor[0] > 2 / 20
