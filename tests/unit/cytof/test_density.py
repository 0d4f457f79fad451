"""Thresholds from densities: between the modes, wide where they are uncertain, absent where there is no valley."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.cytof.gating.density import DOUBTFUL, find_split, histogram, lone_edge, mode_interval, valley_threshold


def counts_scale(rng: np.random.Generator, level: float, sd: float, n: int) -> np.ndarray:
    """Ion counts around a level on the arcsinh scale, spread below the integer as in exported files."""
    expected = 5 * np.sinh(np.clip(rng.normal(level, sd, n), 0, 9))
    return np.arcsinh((rng.poisson(expected) - rng.random(n)) / 5)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.98])
def test_threshold_lies_between_two_modes_whatever_their_shares(share):
    rng = np.random.default_rng(0)
    n = 5000
    negative, positive = (
        counts_scale(rng, 0.1, 0.2, int(n * (1 - share))),
        counts_scale(rng, 4.5, 0.4, int(n * share)),
    )
    t = valley_threshold(np.concatenate([negative, positive]), "deepest", rng, bootstraps=50)
    assert t is not None and t.low <= t.value <= t.high
    assert (negative < t.value).mean() > 0.995 and (positive > t.value).mean() > 0.995


def test_highest_valley_keeps_cells_with_spillover_on_the_negative_side():
    # CD3 of B cells, of NK cells with spillover (1.9 to 2.8 measured in a public set), and of T cells
    rng = np.random.default_rng(1)
    b, nk, t = (
        counts_scale(rng, 0.1, 0.2, 800),
        counts_scale(rng, 2.3, 0.45, 1500),
        counts_scale(rng, 5.0, 0.35, 3000),
    )
    cut = valley_threshold(np.concatenate([b, nk, t]), "highest", rng, bootstraps=20)
    assert cut is not None
    assert (nk < cut.value).mean() > 0.99 and (t > cut.value).mean() > 0.99


def test_a_small_population_is_spared_where_it_overlaps_a_large_one():
    rng = np.random.default_rng(8)
    kept = {}
    for spare in (None, "below"):
        shares = []
        for _ in range(10):
            nk, t = counts_scale(rng, 2.4, 0.5, 700), counts_scale(rng, 5.0, 0.5, 9000)
            cut = valley_threshold(np.concatenate([nk, t]), "highest", rng, bootstraps=0, spare=spare)
            assert cut is not None and (t > cut.value).mean() > 0.99
            shares.append((nk < cut.value).mean())
        kept[spare] = np.mean(shares)
    # where both are equally far in spreads (3.7) 99.5 % of the small one would be kept; the valley itself keeps fewer
    assert kept["below"] > max(kept[None], 0.95)
    large = np.concatenate([counts_scale(rng, 2.4, 0.5, 9000), counts_scale(rng, 5.0, 0.5, 700)])
    one, two = (
        valley_threshold(large, "highest", np.random.default_rng(0), bootstraps=0, spare=s) for s in (None, "below")
    )
    assert one == two  # a large population on the kept side is spared by the valley already


def test_lowest_valley_keeps_dim_and_bright_together():
    rng = np.random.default_rng(2)
    negative, dim, bright = (counts_scale(rng, level, 0.35, n) for level, n in ((0.1, 4000), (3.4, 900), (5.4, 150)))
    cut = valley_threshold(np.concatenate([negative, dim, bright]), "lowest", rng, bootstraps=20)
    assert cut is not None and 1.0 < cut.value < 2.8


def test_one_population_has_no_valley():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(150):
        level, n = rng.choice([0.1, 0.5, 1.0, 2.0, 4.5]), int(rng.choice([300, 2000, 20_000]))
        found += bool(find_split(histogram(counts_scale(rng, level, 0.4, n))).valleys)
    # valleys are tested at four standard errors; dither and zeros make steps that are no populations
    assert found <= 1


def test_interval_holds_the_valleys_of_fresh_samples():
    # the interval is meant for the place of the cut: most cuts of new samples of the same size must lie inside
    rng = np.random.default_rng(4)

    def sample() -> np.ndarray:
        return np.concatenate([counts_scale(rng, 0.6, 0.5, 600), counts_scale(rng, 3.2, 0.6, 250)])

    inside = 0
    for _ in range(40):
        t, fresh = (
            valley_threshold(sample(), "deepest", rng, bootstraps=50),
            valley_threshold(sample(), "deepest", rng, bootstraps=0),
        )
        assert t is not None and fresh is not None
        inside += t.low <= fresh.value <= t.high
    # two estimates differ by sqrt 2 times the error of one, so a 95 % interval holds about 83 % of fresh ones
    assert inside / 40 > 0.7


def test_one_mode_of_a_viability_dye_is_of_living_cells_wherever_it_lies():
    values = counts_scale(np.random.default_rng(5), 3.0, 0.4, 2000)
    dye, marker = lone_edge(values, "below", kept=True), lone_edge(values, "below")
    assert (values < dye.value).mean() > 0.99 and "taken for what is kept" in dye.reason
    assert (values < marker.value).mean() < 0.02, "a marker whose one peak is positive is on all cells"
    dim = counts_scale(np.random.default_rng(5), 0.1, 0.2, 2000)
    assert lone_edge(dim, "below", kept=True) == lone_edge(dim, "below")


def test_lone_edges_say_what_is_missing():
    rng = np.random.default_rng(5)
    negative = lone_edge(counts_scale(rng, 0.1, 0.2, 2000), "below")
    assert negative.method == "edge" and "no positive peak" in str(negative.reason)
    assert DOUBTFUL[0] <= negative.value <= DOUBTFUL[1] and negative.high >= DOUBTFUL[1]
    positive = lone_edge(counts_scale(rng, 5.0, 0.3, 2000), "above")
    assert "no negative peak" in str(positive.reason) and 3.3 < positive.value < 4.2


def test_mode_interval_is_not_widened_by_a_tail():
    rng = np.random.default_rng(6)
    clean = rng.normal(50, 4, 5000)
    tailed = np.concatenate([clean, rng.normal(110, 10, 400)])
    low, high = mode_interval(tailed, 4.0)
    assert abs(low.value - 34) < 2.5 and 64 < high.value < 72
    assert high.low < high.value < high.high
