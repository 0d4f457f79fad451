import numpy as np
import pytest

from cimlnk.dynamics.kinetics import model


def one(noise: float = 0.0, seed: int = 0) -> tuple[model.Series, np.ndarray]:
    truth = np.log([25.0, 20.0, 0.4, 10.0, 7.0, 0.2])
    days = np.array([-7.0, 3, 7, 10, 14, 21, 28, 60, 100, 180])
    errors = np.random.default_rng(seed).normal(0, noise, len(days))
    return model.Series(days, model.curve(truth, days)[0] + errors, np.full(len(days), max(noise, 0.02))), truth


def test_curve_has_its_named_landmarks():
    _, truth = one()
    at = np.exp(model.curve(truth, np.array([-1.0, 0.0, 10.0, 17.0, 1000.0]))[0])
    # half of the excess over the plateau is gone one half-life after the peak
    np.testing.assert_allclose(at, [25, 10, 500, 100 + 400 / 2, 100], rtol=1e-9)


def test_posterior_weights_sum_to_one_and_find_exact_data():
    series, truth = one()
    mean, variance = model.posterior(series, model.BASE).moments()
    assert model.posterior(series, model.BASE).weight.sum() == pytest.approx(1.0)
    # half a step of the grid: 4 % in the peak day, 13 % in the half-life, 20 % in the plateau, which is why the draws
    # jitter within a cell
    assert (np.abs(mean - truth) < [0.05, 0.13, 0.13, 0.04, 0.13, 0.2]).all()


def test_evidence_is_the_integral_of_likelihood_times_prior():
    series, _ = one(0.1)
    prior = model.Prior(model.PRIOR_MEAN, np.array([0.5, 0.5, 0.4, 0.3, 0.3, 0.3]), 0.1)
    prior.mean[:2] = np.log([25.0, 20.0])
    got = model.posterior(series, prior).evidence
    rng = np.random.default_rng(1)
    axes = [np.log(a) for a in (model.PEAK_DAYS, model.HALF_LIVES, model.PLATEAUS)]
    draws = [rng.normal(prior.mean[i], prior.sd[i], 400_000) for i in range(3)]
    for axis, mean, sd in zip(axes, prior.mean[3:], prior.sd[3:], strict=True):
        p = np.exp(-0.5 * ((axis - mean) / sd) ** 2)
        draws.append(rng.choice(axis, 400_000, p=p / p.sum()))
    rest = series.log_value - model.curve(np.column_stack(draws), series.day)
    variance = series.log_sd**2 + 0.01
    log_likelihood = -0.5 * (rest**2 / variance + np.log(variance)).sum(axis=1)
    top = log_likelihood.max()
    monte_carlo = top + np.log(np.exp(log_likelihood - top).mean())
    # 400,000 draws: the Monte Carlo error of the log evidence is a few per cent here
    assert got == pytest.approx(monte_carlo, abs=0.25)


def test_pooling_moves_the_mean_to_the_patients_and_keeps_a_spread():
    group = [one(0.1, seed)[0] for seed in range(6)]
    prior = model.pool(group)
    assert prior.mean[1] == pytest.approx(np.log(20), abs=0.2) and prior.mean[3] == pytest.approx(np.log(10), abs=0.1)
    assert (prior.sd[1:] > 0.1).all() and (prior.sd[1:] < model.PRIOR_SD[1:] + 1e-9).all()


def test_draws_reproduce_the_posterior_moments():
    series, _ = one(0.15, 3)
    result = model.posterior(series, model.BASE)
    mean, variance = result.moments()
    drawn = result.draw(20000, np.random.default_rng(0))
    # the jitter inside a grid cell adds its own variance and the plateau is cut at 1
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0)[:5], np.sqrt(variance)[:5], rtol=0.12, atol=0.05)
