"""Level of tests whose noise is learnt from all days, where one day is noisier than the model of all days knows."""

import numpy as np
import pytest
from scipy import stats

from cimlnk.stats.contrast_noise import contrast_noise, widened
from cimlnk.stats.moderation import effective_rows
from cimlnk.stats.paired import moderated_paired

PATIENTS, DF, COHORTS = 6, 15, 800  # six patients at four time points leave 15 degrees of freedom
# 800 cohorts of six rows: the standard error of a rate of .05 is .0034 (rows of their own) to .0077 (rows alike)
HIGHEST = {"apart": 0.062, "alike": 0.07}


def drawn(ratio, *, rows, alike, seed, cohorts=COHORTS):
    """Differences (cohorts × rows × patients) of a variance `ratio` times the model's, and what the model says of it.

    The model's variance is that of all days together, so that one noisy day raises it too.
    """
    random = np.random.default_rng(seed)
    scale = np.exp(random.normal(0, 0.7, (cohorts, rows, 1)))
    noise = random.normal(size=(cohorts, 1 if alike else rows, PATIENTS)) + np.zeros((1, rows, 1))
    chi = random.chisquare(DF, (cohorts, 1 if alike else rows)) / DF + np.zeros((1, rows))
    return noise * scale * np.sqrt(ratio), chi * scale[..., 0] ** 2


def rate(differences, variance, *, scaled=True):
    hits = []
    for d, v in zip(differences, variance, strict=True):
        se, df = np.sqrt(v / PATIENTS), np.full(len(v), float(DF))
        if scaled:
            se, df = widened(se, df, contrast_noise(d, v[:, None] + np.zeros_like(d)))
        hits.append(2 * stats.t.sf(np.abs(d.mean(axis=1)) / se, df) < 0.05)
    return float(np.mean(hits))


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.6])  # 3.6: one of two days two and a half times as noisy
def test_a_contrast_keeps_its_level_whatever_its_noise(ratio, alike):
    found = rate(*drawn(ratio, rows=6, alike=alike, seed=1))
    assert 0.025 <= found <= HIGHEST["alike" if alike else "apart"]


def test_the_model_alone_does_not():
    assert rate(*drawn(3.6, rows=6, alike=False, seed=1), scaled=False) > 0.2
    assert rate(*drawn(0.5, rows=6, alike=False, seed=1), scaled=False) < 0.02


def test_a_row_that_is_noisier_than_the_others_is_believed_less_than_by_the_model_alone():
    differences, variance = drawn(1.0, rows=8, alike=False, seed=2)
    differences[:, 0] *= np.sqrt(6)
    only = []
    for d, v in zip(differences, variance, strict=True):
        noise = contrast_noise(d, v[:, None] + np.zeros_like(d))
        se, df = widened(np.sqrt(v / PATIENTS), np.full(8, 15.0), noise)
        only.append(2 * stats.t.sf(abs(d[0].mean()) / se[0], df[0]) < 0.05)
    # the model alone: .39. One row of eight is shrunk towards seven that are quieter, so that .05 is out of reach
    assert np.mean(only) < 0.16


def test_a_single_row_becomes_the_paired_t_test():
    d = np.array([[1.0, 0.4, 0.7, -0.2, 0.9, 0.5]])
    se, df = widened(np.sqrt(np.array([0.3]) / 6), np.array([15.0]), contrast_noise(d, np.full_like(d, 0.3)))
    assert se[0] == pytest.approx(d.std(ddof=1) / np.sqrt(6)) and df[0] == pytest.approx(5)


def test_without_differences_the_models_noise_is_all_that_is_known():
    d = np.array([[1.0, np.nan, np.nan]])
    se, df = widened(np.array([0.2]), np.array([9.0]), contrast_noise(d, np.ones_like(d)))
    assert (se[0], df[0]) == (0.2, 9.0)


def test_many_rows_leave_nearly_the_degrees_of_freedom_of_the_model():
    differences, variance = drawn(1.0, rows=40, alike=False, seed=3, cohorts=1)
    found = contrast_noise(differences[0], variance[0][:, None] + np.zeros((40, 6)))
    _, df = widened(np.ones(40), np.full(40, 15.0), found)
    assert (df > 11).all() and (df <= 15).all()


def test_arms_keep_their_own_noise():
    random = np.random.default_rng(4)
    quiet, loud = (contrast_noise(s * random.normal(size=(30, n)), np.ones((30, n))) for s, n in ((1, 8), (3, 4)))
    se, df = widened(np.ones(30), np.full(30, 30.0), quiet, loud)
    assert np.median(se**2) == pytest.approx((1 / 8 + 9 / 4) / (1 / 8 + 1 / 4), rel=0.3)
    assert (df < 31).all() and np.median(df) < np.median(quiet.freedom(30.0))


def test_rows_that_move_together_do_not_know_their_variance_better():
    """Counts of eight populations share one count of NK cells: with the degrees of freedom of eight, p is too small."""
    random = np.random.default_rng(5)
    shared = random.normal(0, 1, (1200, 1, PATIENTS)) + random.normal(0, 0.25, (1200, 8, PATIENTS))
    assert np.mean([moderated_paired(d).p < 0.05 for d in shared]) <= 0.055  # .037; with eight rows .067
    assert effective_rows(shared[0] - shared[0].mean(axis=1, keepdims=True)) < 2
