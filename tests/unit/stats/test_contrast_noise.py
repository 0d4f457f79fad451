"""Level of tests whose noise is learnt from all days, where one day is noisier than the model of all days knows."""

import numpy as np
import pytest
from scipy import stats

from cimlnk.stats.contrast_noise import contrast_noise, day_factors, widened
from cimlnk.stats.moderation import effective_rows
from cimlnk.stats.paired import moderated_paired

PATIENTS, DAYS = 6, 4
DF = (PATIENTS - 1) * (DAYS - 1)
COHORTS = 300
# 300 cohorts of six rows: the standard error of a rate of .05 is .005 (rows of their own) to .013 (rows alike)
HIGHEST = {"apart": 0.065, "alike": 0.076}


def drawn(noisy, *, rows, alike, seed, cohorts=COHORTS):
    """Values (cohorts × rows × patients × days) without effect, rows of unequal scale, day 1 `noisy` times as noisy."""
    random = np.random.default_rng(seed)
    scale = np.exp(random.normal(0, 0.7, (cohorts, rows, 1, 1)))
    noise = random.normal(size=(cohorts, 1 if alike else rows, PATIENTS, DAYS)) + np.zeros((1, rows, 1, 1))
    return noise * scale * np.where(np.arange(DAYS) == 1, noisy, 1.0)


def model(values):
    """Of one cohort: effects of day 1 against day 0, residuals, and the one variance that a model of all days has."""
    residual = values - values.mean(axis=1, keepdims=True)
    within = residual - residual.mean(axis=2, keepdims=True)
    variance = (within**2).sum(axis=(1, 2), keepdims=True) / DF + np.zeros_like(values)
    return (values[..., 1] - values[..., 0]).mean(axis=1), residual, variance


def p_values(values, *, scaled=True):
    effect, residual, variance = model(values)
    se, df = np.sqrt(2 * variance[:, 0, 0] / PATIENTS), np.full(len(values), float(DF))
    if scaled:
        se, df = widened(se, df, contrast_noise(residual, variance, after=1, before=0))
    return 2 * stats.t.sf(np.abs(effect) / se, df)


def rate(cohorts, **how):
    return float(np.mean([p_values(values, **how) < 0.05 for values in cohorts]))


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("noisy", [0.5, 2.5])
def test_a_contrast_keeps_its_level_whatever_its_noise(noisy, alike):
    found = rate(drawn(noisy, rows=6, alike=alike, seed=1))
    assert 0.02 <= found <= HIGHEST["alike" if alike else "apart"]


def test_the_model_alone_does_not():
    assert rate(drawn(2.5, rows=6, alike=False, seed=1), scaled=False) > 0.1


def test_no_more_is_lost_of_an_effect_than_of_a_model_that_knows_the_noise():
    cohorts = drawn(1.0, rows=7, alike=False, seed=2)
    cohorts[..., 1] += 1.2 * np.abs(cohorts).mean(axis=(2, 3))[..., None] / 0.8
    known, learnt = rate(cohorts, scaled=False), rate(cohorts)
    paired = np.mean([moderated_paired(v[..., 1] - v[..., 0]).p < 0.05 for v in cohorts])
    assert known - 0.04 < learnt and learnt > paired + 0.02


def test_a_row_that_is_noisier_than_the_others_is_believed_less_than_by_the_model_alone():
    cohorts = drawn(1.0, rows=8, alike=False, seed=2)
    cohorts[:, 0, :, 1] *= np.sqrt(11)  # its difference has six times the variance
    only, alone = (np.mean([p_values(v, scaled=s)[0] < 0.05 for v in cohorts]) for s in (True, False))
    # one row of eight is shrunk towards seven that are quieter, so that .05 is out of reach
    assert only < 0.12 and only < alone


def test_a_single_row_becomes_the_paired_t_test():
    values = drawn(1.0, rows=1, alike=False, seed=3, cohorts=1)[0]
    _, residual, variance = model(values)
    se, df = widened(
        np.sqrt(2 * variance[:, 0, 0] / 6), np.array([15.0]), contrast_noise(residual, variance, after=1, before=0)
    )
    d = values[0, :, 1] - values[0, :, 0]
    assert se[0] == pytest.approx(d.std(ddof=1) / np.sqrt(6)) and df[0] == pytest.approx(5)


def test_two_days_alone_are_the_paired_t_test_too():
    values = drawn(1.0, rows=5, alike=False, seed=3, cohorts=1)[0][..., :2]
    residual = values - values.mean(axis=1, keepdims=True)
    found = contrast_noise(residual, np.ones_like(values), after=1, before=0)
    d = values[..., 1] - values[..., 0]
    np.testing.assert_allclose(found.factor, d.var(axis=1, ddof=1) / 2)
    np.testing.assert_allclose(found.freedom(5.0), 5.0)


def test_without_differences_the_models_noise_is_all_that_is_known():
    residual = np.full((1, 3, 3), np.nan)
    residual[0, 0] = [0.0, 1.0, 0.5]
    residual[0, 1:, 0] = [0.4, -0.2]
    found = contrast_noise(residual, np.ones_like(residual), after=1, before=0)
    se, df = widened(np.array([0.2]), np.array([9.0]), found)
    assert (se[0], df[0]) == (0.2, 9.0)


def test_many_rows_leave_nearly_the_degrees_of_freedom_of_the_model():
    _, residual, variance = model(drawn(1.0, rows=40, alike=False, seed=3, cohorts=1)[0])
    _, df = widened(np.ones(40), np.full(40, 15.0), contrast_noise(residual, variance, after=1, before=0))
    assert (df > 11).all() and (df <= 15).all()


def test_day_factors_find_the_noise_of_days():
    random = np.random.default_rng(6)
    values = random.normal(size=(4000, 8, 5)) * [1, 1, 3, 1, 0.5] * np.exp(random.normal(0, 1, (4000, 1, 1)))

    def found(values):
        level = day_factors(values - np.nanmean(values, axis=1, keepdims=True), np.ones_like(values))
        return level / np.cbrt(level[[0, 1, 3]].prod())

    # the noise of the quietest day is what is left of that of the others: its standard error is 4 %
    np.testing.assert_allclose(found(values), [1, 1, 9, 1, 0.25], rtol=0.15)
    values[:, random.random((8, 5)) < 0.2] = np.nan
    np.testing.assert_allclose(found(values), [1, 1, 9, 1, 0.25], rtol=0.15)
    assert (day_factors(values[..., :2], np.ones((4000, 8, 2))) == 1).all()  # two days cannot say which is the noisier


def test_arms_keep_their_own_noise():
    random = np.random.default_rng(4)
    quiet, loud = (
        contrast_noise(s * random.normal(size=(30, n, 4)), np.ones((30, n, 4)), after=1, before=0)
        for s, n in ((1, 8), (3, 4))
    )
    se, df = widened(np.ones(30), np.full(30, 30.0), quiet, loud)
    assert np.median(se**2) == pytest.approx((1 / 8 + 9 / 4) / (1 / 8 + 1 / 4), rel=0.3)
    assert (df < 31).all() and np.median(df) < np.median(quiet.freedom(30.0))


def test_rows_that_move_together_do_not_know_their_variance_better():
    """Counts of eight populations share one count of NK cells: with the degrees of freedom of eight, p is too small."""
    random = np.random.default_rng(5)
    shared = random.normal(0, 1, (1200, 1, PATIENTS)) + random.normal(0, 0.25, (1200, 8, PATIENTS))
    assert np.mean([moderated_paired(d).p < 0.05 for d in shared]) <= 0.055  # .037; with eight rows .067
    assert effective_rows(shared[0] - shared[0].mean(axis=1, keepdims=True)) < 2
