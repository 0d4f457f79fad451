"""Tests and intervals of abundance on simulated cohorts: what they keep of what they promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from cimlnk.common.seeds import rng
from cimlnk.stats.beta_binomial import MixedCounts, fit_counts
from cimlnk.stats.contrast_noise import contrast_noise, log_odds_scatter, widened
from cimlnk.stats.intervals import log_limits, product_limits, share_interval
from cimlnk.stats.linear_mixed import random_intercept
from cimlnk.stats.signed_rank import signed_rank

Floats = NDArray[np.float64]
LN2 = float(np.log(2.0))
POPULATIONS = 7  # data sets that are taken for the populations of one cohort


@dataclass(frozen=True)
class Scenario:
    """How a cohort is drawn. `noise` is between samples of a patient: `beta` (rho) or `logit` (normal on the logit)."""

    name: str
    patients: int = 6
    timepoints: int = 4
    noise: str = "beta"
    rho: float = 0.01
    shares: tuple[float, float] = (0.03, 0.4)
    patient_sd: float = 0.5
    cells: tuple[int, int] = (1000, 8000)
    shift_log2: tuple[float, ...] = ()  # at each time point, the baseline first; empty: null
    rho_by_time: tuple[float, ...] = ()  # instead of rho, for noise that differs between time points


#: Null cohorts of the shows; overdispersion from technical (0.002) to strong biological (0.03).
NULLS = (
    Scenario("beta-binomial, rho 0.01"),
    Scenario("beta-binomial, rho 0.002", rho=0.002),
    Scenario("beta-binomial, rho 0.03", rho=0.03),
    Scenario("logit-normal, sd as rho 0.01", noise="logit"),
    Scenario("strong patient effects, sd 1", patient_sd=1.0),
)
#: What the model does not promise: one noise for all time points is among its assumptions.
STRESS = (
    Scenario("unequal noise, rho 0.003 0.03 0.01 0.003", rho_by_time=(0.003, 0.03, 0.01, 0.003)),
    Scenario("three patients", patients=3),
)
EFFECTS = (
    Scenario("+1 log2 at three of six time points", timepoints=6, rho=0.03, shift_log2=(0, 1, 0, 1, 0, 1)),
    Scenario("-1 log2 at three of six time points", timepoints=6, rho=0.03, shift_log2=(0, -1, 0, -1, 0, -1)),
)
COUNT_CV = 0.15


@dataclass(frozen=True)
class Sets:
    """Simulated data sets: counts and totals (B × N), patient and time point of the N samples, true log2 effects."""

    y: Floats
    n: Floats
    patient: NDArray[np.int64]
    time: NDArray[np.int64]
    effect: Floats


def simulate(scenario: Scenario, sets: int, seed: int) -> Sets:
    """Draw `sets` cohorts; every one has its own mean share (log-uniform)."""
    random = rng(seed, "calibration", scenario.name)
    patient = np.repeat(np.arange(scenario.patients), scenario.timepoints)
    time = np.tile(np.arange(scenario.timepoints), scenario.patients)
    shift = np.asarray(scenario.shift_log2 or (0.0,) * scenario.timepoints, dtype=float)
    share = np.exp(random.uniform(np.log(scenario.shares[0]), np.log(scenario.shares[1]), (sets, 1)))
    lasting = random.normal(0.0, scenario.patient_sd, (sets, scenario.patients))[:, patient]
    eta = special.logit(share) + lasting + LN2 * shift[time]
    n = np.floor(np.exp(random.uniform(np.log(scenario.cells[0]), np.log(scenario.cells[1]), eta.shape)))
    if scenario.noise == "beta":
        rho = np.asarray(scenario.rho_by_time or (scenario.rho,) * scenario.timepoints)[time]
        mu, phi = special.expit(eta), 1.0 / rho - 1.0
        p = random.beta(mu * phi, (1.0 - mu) * phi)
    else:
        p = special.expit(eta + random.normal(0.0, 1.0, eta.shape) * np.sqrt(scenario.rho / (share * (1.0 - share))))
    y = random.binomial(n.astype(np.int64), p).astype(float)
    return Sets(y, n, patient, time, shift[1:] - shift[0])


def design_of(data: Sets) -> Floats:
    """Intercept and one column per later time point."""
    later = [(data.time == t).astype(float) for t in range(1, int(data.time.max()) + 1)]
    return np.column_stack([np.ones(len(data.time)), *later])


def within_df(data: Sets) -> int:
    return len(data.time) - (int(data.patient.max()) + 1) - int(data.time.max())


def run_tests(data: Sets) -> dict[str, tuple[Floats, Floats, Floats]]:
    """(p, low, high) of each method, B × later time points; effects in log2 odds ratio, NaN where it has none.

    The three that fail, and why they are here: ``one noise for all days`` is the mixed model as it is before the noise
    of a contrast is looked at; ``per cell`` compares two pooled proportions as if every cell were a
    patient; ``mixed, no overdispersion`` has the random patient but takes the cells of one tube for independent.
    """
    design, df = design_of(data), within_df(data)
    found = {}
    for name, over in (("one noise for all days", True), ("mixed, no overdispersion", False)):
        fit = fit_counts(data.y, data.n, design, group=data.patient, overdispersion=over)
        effect = fit.beta[:, 1:] / LN2
        se = np.column_stack([fit.standard_error(w) for w in np.eye(design.shape[1])[1:]]) / LN2
        found[name] = _limits(effect, se, np.full(se.shape, float(df)))
        if over:
            found["beta-binomial mixed model"] = _limits(effect, *_by_contrast(data, fit, design, se=se))
    patients = int(data.patient.max()) + 1
    shape = (len(data.y), patients, -1)
    cube, totals = data.y.reshape(shape), data.n.reshape(shape)
    pooled, whole = cube.sum(axis=1), totals.sum(axis=1)
    log_odds = np.log((pooled + 0.5) / (whole - pooled + 0.5))
    variance = 1 / (pooled + 0.5) + 1 / (whole - pooled + 0.5)
    effect, se = (log_odds[:, 1:] - log_odds[:, :1]) / LN2, np.sqrt(variance[:, 1:] + variance[:, :1]) / LN2
    found["per cell"] = (2 * stats.norm.sf(np.abs(effect) / se), effect - 1.96 * se, effect + 1.96 * se)
    ratio = np.log2((cube + 0.5) / (totals - cube + 0.5))
    diff = ratio[:, :, 1:] - ratio[:, :, :1]
    mean, se = diff.mean(axis=1), diff.std(axis=1, ddof=1) / np.sqrt(patients)
    half = stats.t.ppf(0.975, patients - 1) * se
    found["paired t on log-ratios"] = (2 * stats.t.sf(np.abs(mean) / se, patients - 1), mean - half, mean + half)
    flat = np.swapaxes(diff, 1, 2).reshape(-1, patients)
    rank = signed_rank(flat)
    found["paired signed-rank"] = (
        rank.p.reshape(mean.shape), rank.low.reshape(mean.shape), rank.high.reshape(mean.shape)
    )  # fmt: skip
    return found


def _limits(effect: Floats, se: Floats, df: Floats) -> tuple[Floats, Floats, Floats]:
    half = stats.t.ppf(0.975, df) * se
    return 2 * stats.t.sf(np.abs(effect) / se, df), effect - half, effect + half


def _by_contrast(data: Sets, fit: MixedCounts, design: Floats, *, se: Floats) -> tuple[Floats, Floats]:
    """Standard errors and degrees of freedom with the noise of each contrast; `POPULATIONS` sets are a cohort."""
    residual, variance = log_odds_scatter(data.y, data.n, fit, design=design, group=data.patient)
    shape = (len(data.y), int(data.patient.max()) + 1, -1)
    left, expected = residual.reshape(shape), variance.reshape(shape)
    wide, df = se.copy(), np.full(se.shape, float(within_df(data)))
    for start in range(0, len(data.y), POPULATIONS):
        rows = slice(start, start + POPULATIONS)
        for k in range(se.shape[1]):
            noise = contrast_noise(left[rows], expected[rows], after=k + 1, before=0)
            wide[rows, k], df[rows, k] = widened(se[rows, k], df[rows, k], noise)
    return wide, df


def abundance_study(scenarios: tuple[Scenario, ...], sets: int, seed: int, *, alpha: float = 0.05) -> pd.DataFrame:
    """Rejection rate at true zero and at true effects, and coverage of the intervals, per scenario and method."""
    rows = []
    for scenario in scenarios:
        data = simulate(scenario, sets, seed)
        null = data.effect == 0
        for method, (p, low, high) in run_tests(data).items():
            hit = p < alpha
            covered = (low <= data.effect) & (data.effect <= high)
            rows.append(
                {
                    "scenario": scenario.name,
                    "method": method,
                    "type_1": hit[:, null].mean() if null.any() else np.nan,
                    "type_1_worst_day": hit[:, null].mean(axis=0).max() if null.any() else np.nan,
                    "power": hit[:, ~null].mean() if (~null).any() else np.nan,
                    "coverage": covered.mean(),
                }
            )
    return pd.DataFrame(rows)


def fold_study(sets: int, seed: int, rho: float = 0.0005, *, level: float = 0.95) -> dict[str, float]:
    """Coverage of the interval of a fold (one patient, two days), and of the absolute test's effect (six patients)."""
    random = rng(seed, "calibration", "folds")
    sigma = np.sqrt(np.log1p(COUNT_CV**2))
    truth = np.exp(random.uniform(np.log(0.02), np.log(0.5), (sets * 20, 2)))
    cells = np.floor(np.exp(random.uniform(np.log(400), np.log(6000), truth.shape)))
    phi = 1.0 / rho - 1.0
    y = random.binomial(cells.astype(np.int64), random.beta(truth * phi, (1 - truth) * phi))
    per_ul = np.exp(random.normal(0.0, sigma, truth.shape)) * [20.0, 400.0]
    share = share_interval(y, cells, overdispersion=rho, level=level)
    low, high = product_limits((per_ul, *log_limits(per_ul, sigma, level)), share)
    value = per_ul * share[0]
    before, after = ([v[:, day] for v in (value, low, high)] for day in (0, 1))
    fold_low, fold_high = product_limits(after, before, sign=-1)
    true_fold = 20.0 * truth[:, 1] / truth[:, 0]
    result = {"fold_interval_coverage": float(np.mean((fold_low <= true_fold) & (true_fold <= fold_high)))}

    patient, time = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    shift = np.array([0.0, 2.0, 1.0, 0.0])
    design = np.column_stack([np.ones(24), *[(time == t).astype(float) for t in (1, 2, 3)]])
    covered, rejected = [], []
    for _ in range(sets):
        value_log2 = random.normal(0, 0.8, 6)[patient] + shift[time] + random.normal(0, 0.5, 24)
        fit = random_intercept(value_log2, design, patient)
        se = np.sqrt(np.diagonal(fit.cov))[1:]
        half = stats.t.ppf(0.975, fit.df) * se
        covered.append(np.abs(fit.beta[1:] - shift[1:]) <= half)
        rejected.append(2 * stats.t.sf(abs(fit.beta[3]) / se[2], fit.df) < 0.05)
    result["absolute_effect_coverage"] = float(np.mean(covered))
    result["absolute_type_1"] = float(np.mean(rejected))
    return result
