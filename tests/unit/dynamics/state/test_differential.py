"""Differential state: the tests against references and planted truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cimlnk.dynamics.contrasts import contrasts, differences
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.stats.exact import relabel, sign_flip
from cimlnk.stats.fdr import fdr, spatial_fdr
from cimlnk.stats.linear_mixed import random_intercept
from cimlnk.stats.moderation import squeeze_variances
from cimlnk.stats.paired import moderated_paired, welch


def cohort(
    n: int = 6, times: tuple[str, ...] = ("pre", "D7", "D28"), arms: tuple[str, ...] = ("CIML",)
) -> pd.DataFrame:
    days = {"pre": -7, "D7": 7, "D28": 28}
    rows = [
        {
            "sample": f"{arm}{i}_{t}",
            "patient": f"{arm}{i}",
            "day": days[t],
            "timepoint": t,
            "arm": arm,
            "modality": "cytof",
        }
        for arm in arms
        for i in range(n)
        for t in times
    ]
    return pd.DataFrame(rows)


def state_of(samples: pd.DataFrame, effect: float, seed: int = 0, n_features: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    level = {p: rng.normal(0, 0.5, n_features) for p in samples["patient"].unique()}
    rows = []
    for s in samples.itertuples():
        values = 2 + level[s.patient] + rng.normal(0, 0.2, n_features)
        values[0] += effect * (s.timepoint == "D7") * (s.arm == "CIML")
        for f, v in enumerate(values):
            rows.append((s.sample, "dim", f"m{f}", 100, v, v, 1 / (1 + np.exp(-v))))
    columns = ["sample", "population", "feature", "n_cells", "median", "mean", "fraction_positive"]
    return pd.DataFrame(rows, columns=columns)


def test_a_planted_shift_is_found_with_its_size_and_nothing_else_is():
    samples = cohort()
    table = state_tests(state_of(samples, 1.5), samples, modality="cytof", baselines=["pre"])
    rows = table[(table["test"] == "state_median") & (table["method"] == "paired_moderated_t")]
    hit = rows[(rows["feature"] == "m0") & (rows["contrast"] == "CIML: D7 vs pre")].iloc[0]
    assert hit["fdr"] < 0.01 and hit["effect_low"] < 1.5 < hit["effect_high"] and hit["n_patients"] == 6
    assert set(rows.loc[rows["fdr"] < 0.05, "feature"]) == {"m0"}
    percent = table[(table["test"] == "state_positive") & (table["feature"] == "m0")]
    assert (percent["effect_unit"] == "percentage points").all()


def test_every_population_feature_and_contrast_has_a_row_even_when_it_cannot_be_tested():
    samples = cohort(n=2)
    table = state_tests(state_of(samples, 0), samples, modality="cytof", baselines=["pre"], measures=["median"])
    assert len(table) == 12 * 2 * 3
    assert table["p"].isna().all() and table["reason"].str.contains("2 patients").all()


def test_few_cells_and_constant_features_are_told_not_dropped():
    samples = cohort()
    state = state_of(samples, 0)
    state.loc[state["feature"] == "m1", ["median", "mean"]] = 0.0
    state.loc[(state["feature"] == "m2") & state["sample"].str.endswith("D7"), "n_cells"] = 3
    table = state_tests(state, samples, modality="cytof", baselines=["pre"], measures=["median"])
    paired = table[(table["method"] == "paired_moderated_t") & (table["contrast"] == "CIML: D7 vs pre")]
    reason = paired.set_index("feature")["reason"]
    assert "no variance" in reason["m1"] and "0 patients" in reason["m2"]


def test_arms_are_compared_by_differences_of_differences():
    samples = cohort(arms=("CIML", "IL2_only"))
    table = state_tests(
        state_of(samples, 1.0),
        samples,
        modality="cytof",
        baselines=["pre"],
        reference_arm="IL2_only",
        measures=["median"],
    )
    rows = table[(table["contrast"] == "CIML vs IL2_only: D7 vs pre") & (table["feature"] == "m0")].set_index("method")
    assert rows.loc["welch_t", "effect_low"] < 1.0 < rows.loc["welch_t", "effect_high"]
    # 6 against 6 patients: 2 / C(12, 6) = 0.00216 is the least p of a relabelling.
    assert rows.loc["relabelling", "p_floor"] == pytest.approx(2 / 924)
    assert rows.loc["relabelling", "p"] >= rows.loc["relabelling", "p_floor"]


def test_sign_flips_are_exact_and_never_below_their_floor():
    d = np.array([[1.0, 2.0, 0.5, 1.5, 3.0, 0.2], [1.0, -2.0, 0.5, -1.5, 3.0, 0.2]])
    tested = sign_flip(d)
    reference = [stats.permutation_test((row,), np.mean, permutation_type="samples").pvalue for row in d]
    assert tested.p == pytest.approx(reference)
    assert tested.p[0] == tested.p_floor[0] == 2 / 64
    assert tested.low[0] == 0.2 and tested.high[0] == 3.0  # all 63 subset means lie between the extremes


def test_sign_flip_intervals_do_not_exist_below_six_patients():
    tested = sign_flip(np.ones((1, 5)) + np.arange(5) * 0.1)
    assert np.isnan(tested.low[0]) and "5 patients" in tested.reason[0] and tested.p[0] == 2 / 32


def test_sign_flip_intervals_cover_what_they_promise():
    d = np.random.default_rng(1).normal(0.3, 1, (4000, 7))
    tested = sign_flip(d)
    covered = ((tested.low <= 0.3) & (tested.high >= 0.3)).mean()
    # k = 3 of 128 equally likely gaps per side: 95.3 %; binomial error of 4,000 rows is 0.35 %.
    assert covered == pytest.approx(1 - 6 / 128, abs=0.012)


def test_without_a_prior_the_moderated_test_is_the_paired_t_test():
    d = np.random.default_rng(2).normal(0.5, 1, (2, 6))  # two rows: too few to learn a prior
    tested = moderated_paired(d)
    assert tested.p == pytest.approx(stats.ttest_1samp(d, 0, axis=1).pvalue)


def test_moderation_recovers_the_prior_it_was_simulated_from():
    rng = np.random.default_rng(3)
    df0, s0, df = 8.0, 0.25, 5
    true = s0 * df0 / rng.chisquare(df0, 6000)
    s2 = true * rng.chisquare(df, 6000) / df
    _, prior, prior_df = squeeze_variances(s2, np.full(6000, float(df)))
    assert prior == pytest.approx(s0, rel=0.05) and prior_df == pytest.approx(df0, rel=0.2)


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, (3, 6)), rng.normal(1, 2, (3, 4))
    assert welch(a, b).p == pytest.approx(stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue)
    # scipy doubles the smaller tail, ours counts both tails of |difference|: equal for arms that mirror each other
    assert relabel(a[:1, :4], b[:1]).p[0] == pytest.approx(
        stats.permutation_test((a[0, :4], b[0]), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf).pvalue
    )


def test_the_mixed_model_agrees_with_statsmodels_reml():
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    patient = np.repeat(np.arange(6), 4)
    time = np.tile(np.arange(4), 6)
    x = np.column_stack([np.ones(24), *[(time == t).astype(float) for t in (1, 2, 3)]])
    y = rng.normal(0, 1, 6)[patient] + 0.5 * x[:, 1] + rng.normal(0, 0.5, 24)
    keep = np.ones(24, dtype=bool)
    keep[[5, 14]] = False  # unbalanced
    ours = random_intercept(y[keep], x[keep], patient[keep])
    theirs = sm.MixedLM(y[keep], x[keep], groups=patient[keep]).fit(reml=True)
    assert ours.beta == pytest.approx(theirs.fe_params, rel=1e-3)
    assert np.sqrt(np.diag(ours.cov)) == pytest.approx(theirs.bse_fe, rel=1e-2)
    assert ours.df == 22 - 6 - 3


def test_contrasts_need_a_patient_with_both_time_points():
    samples = cohort(n=1)
    samples.loc[samples["timepoint"] == "D28", "patient"] = "somebody else"
    assert [c.name for c in contrasts(samples, ["pre"])] == ["CIML: D7 vs pre"]


def test_two_tubes_of_a_patient_count_once():
    samples = cohort(n=3, times=("pre", "D7"))
    twin = samples[samples["sample"] == "CIML0_D7"].assign(sample="CIML0_D7_again")
    samples = pd.concat([samples, twin], ignore_index=True)
    values = pd.DataFrame([np.arange(7.0)], columns=samples["sample"])
    diff = differences(values, samples, "CIML", timepoint="D7", baseline="pre")
    assert diff.columns.tolist() == ["CIML0", "CIML1", "CIML2"] and diff.iloc[0, 0] == (1 + 6) / 2 - 0


def test_fdr_agrees_with_scipy_and_equal_radii_change_nothing():
    p = np.random.default_rng(6).uniform(size=50) ** 2
    with_gap = np.append(p, np.nan)
    assert fdr(with_gap)[:-1] == pytest.approx(stats.false_discovery_control(p))
    assert np.isnan(fdr(with_gap)[-1])
    assert spatial_fdr(p, np.full(50, 3.0)) == pytest.approx(fdr(p))


def test_dense_overlapping_neighbourhoods_count_less_than_far_apart_ones():
    p = np.array([0.01, 0.5, 0.5, 0.5])
    small_hit = spatial_fdr(p, np.array([1.0, 10.0, 10.0, 10.0]))[0]
    large_hit = spatial_fdr(p, np.array([10.0, 1.0, 1.0, 1.0]))[0]
    assert small_hit < fdr(p)[0] < large_hit
