"""Backgrounds of antibodies against planted ones, whatever the mix of the cells."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.adt.background import find_background, negative_mode
from cimlnk.adt.dsb import cell_background, clr, dsb, technical_component, without_component
from citeseq import BACKGROUND, NAMES, counts, droplets

BLOOD = {"T": 500, "B": 100, "monocyte": 150, "NK": 150}


def near(level, depth=1.0, by=1.5, columns=slice(None)):
    ratio = (level[columns] + 3) / (depth * BACKGROUND[columns] + 3)
    return (ratio < by).all() and (ratio > 1 / by).all()


def test_negative_mode_is_the_planted_background():
    X, _ = counts(np.random.default_rng(1), BLOOD)
    found = find_background([X], [None])[0]
    assert near(found.level) and set(found.method) == {"negative mode"}
    assert (found.noise > found.level).all()


def test_background_does_not_move_with_the_mix_of_cells_where_clr_does():
    rng = np.random.default_rng(2)
    X, kinds = counts(rng, BLOOD)
    few = X[(kinds != "T") | (rng.random(len(kinds)) < 0.1)]
    one, other = (find_background([x], [None])[0].level[0] for x in (X, few))
    assert one == pytest.approx(other, rel=0.25)
    centre = [np.exp(np.log1p(x[:, 0]).mean()) for x in (X, few)]
    assert centre[0] > 3 * centre[1]
    assert clr(X)[:, 0].min() < clr(few)[:, 0].min() + 1e-9


def test_empty_droplets_go_first_and_debris_in_them_is_passed_over():
    rng = np.random.default_rng(3)
    X, _ = counts(rng, {"NK": 400})
    E = droplets(rng, 2000)
    E[:80, 3] = 3000  # debris that carries CD56
    found = find_background([X], [E])[0]
    assert near(found.level, by=1.4) and set(found.method) == {"empty droplets"}
    assert found.noise[3] < 100


def test_sorted_nk_cells_take_their_background_from_another_sample_of_the_batch_at_its_depth():
    rng = np.random.default_rng(4)
    blood, _ = counts(rng, BLOOD)
    product, _ = counts(rng, {"NK": 600}, depth=2.0)
    found = find_background([blood, product], [None, None])[1]
    j = NAMES.index("CD56-NCAM16.2")
    assert found.method[j] == "other samples" and "positive cells" in found.reason[j]
    assert near(found.level, depth=2.0, by=1.6)


def test_sorted_nk_cells_alone_are_told_by_the_rest_of_the_panel():
    X, _ = counts(np.random.default_rng(5), {"NK": 600})
    found = find_background([X], [None])[0]
    at = [NAMES.index(n) for n in ("CD56-NCAM16.2", "CD16")]
    assert [found.method[j] for j in at] == ["panel"] * 2
    assert all("no negative cells here" in found.reason[j] for j in at)
    assert (np.median(X[:, at], axis=0) > 1.5 * found.noise[at]).all()


@pytest.mark.parametrize("X", [np.zeros((300, 3)), np.ones((60, 2)), np.zeros((5, 4)), np.zeros((0, 2))])
def test_nothing_to_see_gives_no_positive_cell(X):
    found = find_background([X], [None])[0]
    if len(X) < 50:
        assert set(found.method) == {"none"} and "fewer than 50" in found.reason[0]
    else:
        assert not (X > found.noise).any()


def test_null_background_alone_has_few_positives():
    rng = np.random.default_rng(6)
    mean = np.full((4000, 6), 1.0) * np.array([0.3, 1, 3, 10, 30, 40])
    X = rng.poisson(mean * rng.lognormal(0, 0.25, (4000, 1)))
    found = find_background([X.astype(float)], [None])[0]
    assert ((X > found.noise).mean(axis=0) < 0.01).all()


def test_order_of_cells_is_of_no_matter():
    X, _ = counts(np.random.default_rng(7), BLOOD)
    assert negative_mode(X[:, 0]) == pytest.approx(negative_mode(X[::-1, 0]))


def test_dsb_is_in_standard_deviations_of_the_droplets_without_the_sticky_part():
    rng = np.random.default_rng(8)
    X, kinds = counts(rng, BLOOD)
    E = droplets(rng, 3000)
    plain = dsb(E, E, denoise=False)
    np.testing.assert_allclose(plain.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(plain.std(axis=0, ddof=1), 1, atol=1e-9)
    z = dsb(X, E, denoise=False)
    j = NAMES.index("CD56-NCAM16.2")
    assert np.median(z[kinds == "NK", j]) > 5 > 1 > np.median(z[kinds == "B", j])


def test_technical_component_is_what_isotypes_share_and_leaves_no_correlation():
    rng = np.random.default_rng(9)
    stick = rng.normal(size=800)
    values = rng.normal(scale=0.3, size=(800, 30)) + 0.8 * stick[:, None]
    values[:300, :8] += 6  # carried
    found = technical_component(values, [26, 27, 28, 29])
    assert abs(np.corrcoef(found.component, stick)[0, 1]) > 0.97
    clean = without_component(values, found.component)
    assert abs(np.corrcoef(clean[:, 20], found.component)[0, 1]) < 1e-9
    assert clean[:300, 0].mean() - clean[300:, 0].mean() == pytest.approx(6, abs=0.3)


def test_small_panel_without_isotypes_takes_nothing_out_and_says_so():
    found = technical_component(np.random.default_rng(0).normal(size=(100, 8)), [])
    assert not found.component.any() and found.method == "none" and "do not tell" in found.reason


def test_cell_background_finds_the_lower_of_two_levels():
    rng = np.random.default_rng(10)
    low = rng.normal(0, 0.5, 200)
    values = low[:, None] + np.where(np.arange(40) < 10, 5.0, 0.0) + rng.normal(scale=0.3, size=(200, 40))
    assert np.abs(cell_background(values) - low).mean() < 0.1


def test_clr_refuses_an_unknown_axis():
    with pytest.raises(ValueError, match="cells or antibodies"):
        clr(np.ones((2, 2)), "rows")
