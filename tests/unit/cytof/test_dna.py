"""DNA cuts against simulated debris, single cells and doublets."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.cytof.gating.dna import dna_interval


def dna(rng: np.random.Generator, level: float, sd: float, n: int) -> np.ndarray:
    return np.arcsinh(rng.poisson(level * np.exp(sd * rng.standard_normal(n))) / 5)


@pytest.mark.parametrize("doublets", [0, 60, 300])
def test_debris_below_and_doublets_above(doublets):
    rng = np.random.default_rng(0)
    debris, single, double = dna(rng, 25, 0.5, 150), dna(rng, 520, 0.12, 3000), dna(rng, 1080, 0.1, doublets)
    low, high = dna_interval(np.concatenate([debris, single, double]), rng, 10)
    kept = (single >= low.value) & (single < high.value)
    assert kept.mean() > 0.99
    assert (debris >= low.value).mean() < 0.02
    if doublets:
        assert (double < high.value).mean() < 0.02
    assert low.low <= low.value <= low.high and high.low <= high.value <= high.high


def test_without_debris_the_cut_is_an_edge_and_says_so():
    rng = np.random.default_rng(1)
    single = dna(rng, 500, 0.15, 3000)
    low, _ = dna_interval(single, rng, 0)
    assert low.method == "edge" and "no debris" in str(low.reason) and (single < low.value).mean() < 0.002


def test_a_blurred_channel_does_not_pretend_to_see_doublets():
    rng = np.random.default_rng(2)
    blurred = dna(rng, 300, 0.5, 5000)
    _, high = dna_interval(blurred, rng, 10)
    assert "not separable" in str(high.reason) and (blurred >= high.value).mean() < 0.01
