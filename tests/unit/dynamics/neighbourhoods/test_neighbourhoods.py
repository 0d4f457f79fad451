"""Neighbourhood abundance: the regression against references, planted changes found in their place, honest refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from cimlnk.dynamics.neighbourhoods.differential import neighbourhood_tests
from cimlnk.dynamics.neighbourhoods.sampling import count_samples, find_neighbourhoods, majority
from cimlnk.stats.count_glm import common_dispersion, deviance, fit_nb, ql_test, residual_df


def design(n: int) -> np.ndarray:
    patient = np.repeat(np.eye(n), 2, axis=0)
    return np.column_stack([patient, np.tile([0.0, 1.0], n)])


def test_the_regression_agrees_with_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x, offset = design(5), np.log(rng.uniform(500, 2000, 10))
    y = rng.poisson(np.exp(offset) * 0.01, (3, 10)).astype(float)
    ours = fit_nb(y, x, offset, dispersion=0.2)
    for i in range(3):
        model = sm.GLM(y[i], x, offset=offset, family=sm.families.NegativeBinomial(alpha=0.2)).fit(tol=1e-12)
        assert ours.beta[i] == pytest.approx(model.params, abs=1e-5)
        assert ours.deviance[i] == pytest.approx(model.deviance, rel=1e-6)
        assert np.sqrt(ours.inverse[i].diagonal()) == pytest.approx(model.bse, rel=1e-4)


def test_poisson_is_the_limit_of_no_dispersion():
    y, mu = np.array([[3.0, 0.0, 7.0]]), np.array([[2.0, 1.0, 9.0]])
    assert deviance(y, mu, 1e-7) == pytest.approx(deviance(y, mu, 0.0), rel=1e-4)


def test_the_common_dispersion_is_the_simulated_one():
    rng = np.random.default_rng(1)
    x, offset = design(6), np.full(12, np.log(1000.0))
    mean = np.exp(offset) * rng.uniform(0.01, 0.05, (300, 1))
    for true in (0.0, 0.1, 0.4):
        y = rng.poisson(mean * (rng.gamma(1 / true, true, (300, 12)) if true else 1.0)).astype(float)
        # 300 units x 5 degrees of freedom: relative standard error about 5 %
        assert common_dispersion(y, x, offset) == pytest.approx(true, rel=0.2, abs=0.005)


def test_a_patient_without_any_cell_costs_its_degrees_of_freedom():
    mean = np.array([[5.0] * 6, [0.0, 0.0, 5.0, 5.0, 5.0, 5.0]])
    assert residual_df(mean, design(3)).tolist() == [2, 1]


def test_one_sided_neighbourhoods_get_a_finite_flagged_effect_and_a_p_value():
    rng = np.random.default_rng(2)
    x, offset = design(6), np.full(12, np.log(1000.0))
    y = rng.poisson(20, (50, 12)).astype(float)
    y[0, ::2] = 0  # no cell at baseline in any patient
    result = ql_test(y, x, offset, column=6, dispersion=0.0)
    assert result.separated[0] and not result.separated[1:].any()
    assert 3 < result.effect[0] < 10 and result.p[0] < 1e-6 and np.isfinite(result.low[0])


def landscape(
    seed: int, n: int = 6, cells: int = 500, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Cells on a strip; with `shift` the cells of D7 gather at the right end."""
    rng = np.random.default_rng(seed)
    rows, x, code = [], [], []
    for i in range(n):
        tilt = rng.normal(0, 0.3)
        for t, day in (("pre", -7), ("D7", 7)):
            rows.append({"sample": f"P{i}_{t}", "patient": f"P{i}", "day": day, "timepoint": t, "arm": "CIML"})
            place = rng.beta(2, 2, cells)
            if shift and t == "D7":
                moved = rng.random(cells) < shift
                place[moved] = rng.uniform(0.8, 1.0, moved.sum())
            x.append(np.column_stack([10 * place, rng.normal(tilt, 0.3, cells)]))
            code += [len(rows) - 1] * cells
    return np.vstack(x), np.array(code), pd.DataFrame(rows)


def neighbours(x: np.ndarray, k: int = 15) -> np.ndarray:
    return NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x, return_distance=False)[:, 1:]


def test_neighbourhoods_are_compact_seeded_and_hold_their_centre():
    x, code, samples = landscape(3)
    graph = neighbours(x)
    found = find_neighbourhoods(x, graph, size=60, share=0.02, seed=1)
    again = find_neighbourhoods(x, graph, size=60, share=0.02, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    assert (found.sizes == 60).all()
    for i, centre in enumerate(found.centre):
        members = found.members[found.start[i] : found.start[i + 1]]
        assert members[0] == centre and len(set(members)) == 60
    # the exact 60 nearest cells, found along edges: nearly all of them
    exact = NearestNeighbors(n_neighbors=60).fit(x).kneighbors(x[found.centre], return_distance=False)
    shared = [
        len(set(e) & set(found.members[a:b])) for e, a, b in zip(exact, found.start, found.start[1:], strict=False)
    ]
    assert np.mean(shared) > 57
    counts = count_samples(found, code, len(samples))
    assert (counts.sum(axis=1) == 60).all()
    name, purity = majority(found, np.where(x[:, 0] > 5, "right", "left"))
    assert set(name) == {"left", "right"} and purity.min() >= 0.5


def test_a_planted_gathering_is_found_where_it_is():
    x, code, samples = landscape(4, shift=0.15)
    found = find_neighbourhoods(x, neighbours(x), size=60, share=0.05, seed=0)
    counts = count_samples(found, code, len(samples))
    table = neighbourhood_tests(counts, np.bincount(code), found.radius, samples=samples, baselines=["pre"])
    where = x[found.centre, 0]
    right = table[where > 9]
    assert (right["effect"] > 0).all() and (right["fdr"] < 0.1).mean() > 0.8
    assert not ((table["fdr"] < 0.1) & (table["effect"] > 0) & (where < 7)).any()


def test_two_patients_are_refused_in_every_row():
    x, code, samples = landscape(5, n=2)
    found = find_neighbourhoods(x, neighbours(x), size=40, share=0.02, seed=0)
    counts = count_samples(found, code, len(samples))
    table = neighbourhood_tests(counts, np.bincount(code), found.radius, samples=samples, baselines=["pre"])
    assert len(table) == len(found.centre) and table["p"].isna().all()
    assert (table["reason"] == "2 patients have both time points, 3 are needed").all()


def test_arms_are_compared_within_patients():
    rng = np.random.default_rng(6)
    samples = pd.DataFrame(
        [
            {"sample": f"{arm}{i}{t}", "patient": f"{arm}{i}", "day": d, "timepoint": t, "arm": arm}
            for arm in ("CIML", "IL2")
            for i in range(4)
            for t, d in (("pre", -7), ("D7", 7))
        ]
    )
    totals = np.full(16, 2000)
    counts = rng.poisson(30, (80, 16))
    up = ((samples["arm"] == "CIML") & (samples["timepoint"] == "D7")).to_numpy()
    counts[:8, up] = rng.poisson(120, (8, up.sum()))
    table = neighbourhood_tests(counts, totals, np.ones(80), samples=samples, baselines=["pre"], reference_arm="IL2")
    rows = table[table["contrast"] == "CIML vs IL2: D7 vs pre"]
    assert (rows["fdr"].to_numpy()[:8] < 0.01).all() and rows["effect"].to_numpy()[:8] == pytest.approx(2, abs=0.6)
    assert (rows["fdr"].to_numpy()[8:] < 0.05).mean() < 0.05
