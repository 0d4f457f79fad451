import numpy as np
import pytest
from scipy import special, stats

from cimlnk.stats.beta_binomial import derivatives, fit_counts, log_likelihood, trigamma

PATIENT = np.repeat(np.arange(6), 4)
TIME = np.tile(np.arange(4), 6)
DESIGN = np.column_stack([np.ones(24), *[(TIME == t).astype(float) for t in (1, 2, 3)]])


def draw(rng, sets, beta, sigma, rho, n=4000):
    eta = DESIGN @ beta + rng.normal(0, sigma, (sets, 6))[:, PATIENT]
    mu, phi = special.expit(eta), 1 / rho - 1
    return rng.binomial(n, rng.beta(mu * phi, (1 - mu) * phi)).astype(float), np.full(24, float(n))


def test_log_likelihood_is_scipys_beta_binomial():
    y, n, eta, phi = np.array([[3.0, 0.0, 50.0]]), np.array([[50.0, 20.0, 50.0]]), np.array([[-1.0, -3.0, 2.0]]), 30.0
    mu = special.expit(eta)
    expected = stats.betabinom.logpmf(y, n, mu * phi, (1 - mu) * phi).sum()
    coefficient = (special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)).sum()
    assert log_likelihood(eta, y, n, phi=np.array([[phi]]))[0] + coefficient == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("phi", [5.0, 300.0, 1e5, 1e9])
def test_derivatives_are_those_of_the_log_likelihood(phi):
    y, n, eta = np.array([[40.0]]), np.array([[400.0]]), np.array([[-2.0]])
    slope, weight = derivatives(eta, y, n, phi=np.array([[phi]]))
    h = 1e-3
    f = [log_likelihood(eta + d, y, n, phi=np.array([[phi]]))[0] for d in (-h, 0.0, h)]
    assert slope[0, 0] == pytest.approx((f[2] - f[0]) / (2 * h), rel=1e-4, abs=1e-4)
    assert weight[0, 0] == pytest.approx(-(f[2] - 2 * f[1] + f[0]) / h**2, rel=1e-3)


def test_trigamma_from_tiny_to_huge():
    x = np.geomspace(1e-3, 1e7, 60)
    np.testing.assert_allclose(trigamma(x), special.polygamma(1, x), rtol=1e-12)


def test_parameters_are_recovered():
    rng = np.random.default_rng(0)
    beta = np.array([-2.0, 0.7, 0.0, -0.7])
    y, n = draw(rng, 200, beta, 0.5, 0.01)
    fit = fit_counts(y, n, DESIGN, group=PATIENT)
    assert fit.converged.all()
    # 200 cohorts of six patients: the standard error of a mean coefficient is about 0.02
    np.testing.assert_allclose(fit.beta.mean(axis=0), beta, atol=0.06)
    assert np.median(fit.rho) == pytest.approx(0.01, rel=0.2)
    # six patients: the spread of an estimated standard deviation alone is 32 %
    assert np.sqrt((fit.sigma**2).mean()) == pytest.approx(0.5, rel=0.15)


def test_without_overdispersion_and_patient_effect_it_is_logistic_regression():
    rng = np.random.default_rng(1)
    n = np.full(24, 300.0)
    y = rng.binomial(300, special.expit(DESIGN @ [-1.0, 0.5, 0.0, -0.5])).astype(float)
    fit = fit_counts(y, n, DESIGN, group=PATIENT, overdispersion=False)
    import statsmodels.api as sm

    glm = sm.GLM(np.column_stack([y, n - y]), DESIGN, family=sm.families.Binomial()).fit()
    # sigma ends at its lower bound or near it, where the intercept's error still has a little of it
    np.testing.assert_allclose(fit.beta[0], glm.params, atol=0.02)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov[0]))[1:], glm.bse[1:], rtol=0.03)


def test_many_cells_and_even_noise_agree_with_a_linear_mixed_model_of_logits():
    from cimlnk.stats.linear_mixed import random_intercept

    rng = np.random.default_rng(2)
    eta = -1.0 + rng.normal(0, 0.05, 6)[PATIENT] + rng.normal(0, 0.15, 24)
    n = np.full(24, 1e6)
    y = np.rint(n * special.expit(eta))
    fit = fit_counts(y, n, DESIGN, group=PATIENT)
    linear = random_intercept(np.log(y / (n - y)), DESIGN, PATIENT)
    # both are REML; the beta-binomial weights samples by mu (1 - mu), nearly constant here
    np.testing.assert_allclose(fit.beta[0], linear.beta, atol=0.02)
    np.testing.assert_allclose(fit.standard_error(np.eye(4)[1]), np.sqrt(linear.cov[1, 1]), rtol=0.08)


def test_rows_are_fitted_independently_of_each_other():
    rng = np.random.default_rng(3)
    y, n = draw(rng, 5, np.array([-2.0, 0.3, 0, 0]), 0.5, 0.01)
    together = fit_counts(y, n, DESIGN, group=PATIENT)
    alone = fit_counts(y[3], n, DESIGN, group=PATIENT)
    np.testing.assert_allclose(
        together.beta[3], alone.beta[0], atol=1e-3
    )  # the search ends within 2 % of sigma and rho
    np.testing.assert_allclose(together.rho[3], alone.rho[0], rtol=0.05)


def test_a_sample_without_cells_changes_nothing():
    rng = np.random.default_rng(4)
    y, n = draw(rng, 1, np.array([-2.0, 0.3, 0, 0]), 0.5, 0.01)
    keep = np.arange(24) != 5
    less = fit_counts(y[:, keep], n[keep], DESIGN[keep], group=PATIENT[keep])
    y[:, 5], n[5] = 0.0, 0.0
    np.testing.assert_allclose(fit_counts(y, n, DESIGN, group=PATIENT).beta, less.beta, atol=2e-3)


def test_a_separated_row_does_not_disturb_the_others():
    rng = np.random.default_rng(5)
    y, n = draw(rng, 2, np.array([-2.0, 0.3, 0, 0]), 0.5, 0.01)
    y[0, TIME == 2] = 0.0
    fit = fit_counts(y, n, DESIGN, group=PATIENT)
    alone = fit_counts(y[1], n, DESIGN, group=PATIENT)
    np.testing.assert_allclose(fit.beta[1], alone.beta[0], atol=1e-3)
    assert fit.beta[0, 2] < -4
