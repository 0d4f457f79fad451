"""Thresholds of positivity on channels as instruments write them: spikes of zeros, background, shoulders."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.markers import canonical
from cimlnk.populations.positivity import find_threshold, negative_lineages, noise_level, protein_thresholds
from nk_cells import MARKERS, tubes

NOISE = noise_level(5.0)


def channel(n: int, rng: np.random.Generator, *, zeros: float = 0.5, background: float = 2.0) -> np.ndarray:
    """arcsinh(x/5) of a channel without signal: exact zeros, and a hump of background counts."""
    return np.arcsinh(rng.poisson(rng.gamma(1.5, background, n) * (rng.random(n) > zeros)) / 5)


def signal(n: int, counts: float, rng: np.random.Generator, spread: float = 0.4) -> np.ndarray:
    return np.arcsinh(rng.poisson(counts * rng.lognormal(0, spread, n)) / 5)


@pytest.mark.parametrize("zeros", [0.0, 0.4, 0.73])
@pytest.mark.parametrize("background", [0.5, 3.0])
def test_no_cut_falls_between_the_zeros_and_the_background(zeros, background):
    rng = np.random.default_rng(1)
    nk, b = (
        channel(3000, rng, zeros=zeros, background=background),
        channel(800, rng, zeros=zeros, background=background),
    )
    found = find_threshold(nk, {"B": b}, noise=NOISE)
    assert found.method == "reference" and found.value >= NOISE
    assert (nk > found.value).mean() < 0.03  # the reference's hundredth, with the error of 800 cells


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9])
def test_a_valley_is_found_between_real_modes(share):
    rng = np.random.default_rng(2)
    positive = rng.random(4000) < share
    nk = np.where(positive, signal(4000, 150, rng), channel(4000, rng))
    found = find_threshold(nk, {"B": channel(500, rng)}, noise=NOISE)
    assert found.method == "valley" and found.low <= found.value <= found.high
    assert ((nk > found.value) == positive).mean() > 0.985


def test_a_dim_shoulder_is_cut_at_the_reference_and_not_at_the_bright_end():
    rng = np.random.default_rng(3)
    positive = rng.random(4000) < 0.4
    nk = np.where(positive, signal(4000, 22, rng, 0.5), channel(4000, rng, background=3))
    found = find_threshold(nk, {"B": channel(600, rng, background=3)}, noise=NOISE)
    assert NOISE <= found.value < np.arcsinh(20 / 5)
    assert (nk[positive] > found.value).mean() > 0.6 and (nk[~positive] > found.value).mean() < 0.05


def test_dim_and_bright_cells_are_both_positive():
    """CD56: the valley between dim and bright cells separates no negative ones."""
    rng = np.random.default_rng(4)
    nk = np.concatenate([signal(3000, 80, rng), signal(400, 900, rng)])
    for references in ({"B": channel(500, rng)}, {}):
        found = find_threshold(nk, references, noise=NOISE)
        assert found.value < np.arcsinh(30 / 5) and (nk > found.value).mean() > 0.97, found


def test_a_lineage_that_carries_the_marker_after_all_is_no_reference():
    rng = np.random.default_rng(5)
    nk = signal(2000, 15, rng, 0.9)
    carrying, negative = signal(400, 100, rng), channel(400, rng)
    found = find_threshold(nk, {"monocyte": carrying, "B": negative}, noise=NOISE)
    assert found.method == "reference" and "B cells" in found.reason
    alone = find_threshold(nk, {"monocyte": carrying}, noise=NOISE)
    assert alone.method == "none" and np.isnan(alone.value) and "monocyte cells carry it" in alone.reason


def test_a_channel_bright_on_cells_that_cannot_carry_it_calls_no_nk_cell_positive():
    """CD19 of a public panel: background of 160 counts on T cells, monocytes and NK cells alike."""
    rng = np.random.default_rng(9)
    nk, t = signal(500, 160, rng), signal(500, 160, rng)
    assert find_threshold(nk, {}, noise=NOISE).method == "absolute"
    found = find_threshold(nk, {"T": t}, noise=NOISE)
    assert found.method == "none" and "T cells carry it here" in found.reason


def test_a_few_positive_cells_in_the_reference_do_not_lift_the_cut():
    rng = np.random.default_rng(6)
    late = np.where(rng.random(1000) < 0.06, signal(1000, 200, rng), channel(1000, rng))
    nk = signal(2000, 15, rng, 0.9)
    # the 99th percentile lies among the positive cells, near 200 counts; the negative ones end below 30
    assert find_threshold(nk, {"T": late}, noise=NOISE).value < np.arcsinh(30 / 5) < np.quantile(late, 0.99)


def test_the_panel_sheet_is_asked_only_where_the_data_do_not_tell():
    rng = np.random.default_rng(7)
    unclear = signal(2000, 12, rng, 0.8)
    assert find_threshold(unclear, {}, noise=NOISE, panel=2.2)[:4] == (2.2, 2.2, 2.2, "panel")
    assert find_threshold(unclear, {"B": channel(300, rng)}, noise=NOISE, panel=2.2).method != "panel"
    nothing = find_threshold(unclear, {}, noise=NOISE)
    assert nothing.method == "none" and "no lineage" in nothing.reason


def test_without_anything_to_compare_with_only_the_unmistakable_is_told():
    rng = np.random.default_rng(8)
    bright, dark = signal(500, 250, rng), channel(500, rng, background=0.4)
    assert find_threshold(bright, {}, noise=NOISE).method == "absolute"
    assert (bright > find_threshold(bright, {}, noise=NOISE).value).mean() > 0.95
    dark_cut = find_threshold(dark, {}, noise=NOISE)
    assert dark_cut.method == "absolute" and (dark > dark_cut.value).mean() <= 0.01


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(3), np.zeros(5000), np.full(2000, 3.0)])
def test_empty_constant_and_tiny_channels_do_not_break(values):
    found = find_threshold(values, {}, noise=NOISE)
    assert found.method in ("none", "absolute") and (np.isnan(found.value) or found.value >= NOISE)


def test_the_noise_follows_the_cofactor_of_the_panel():
    assert noise_level(5) == pytest.approx(np.arcsinh(2)) and noise_level(150) < 0.07


def test_every_batch_has_its_own_threshold():
    values, _, batch, lineage, _ = tubes({"early": 600, "late": 300}, batches=2)
    values[batch == "day2", MARKERS.index("CD57")] *= 1.4
    nk = lineage == "NK"
    table = protein_thresholds(values[nk], list(MARKERS), batch[nk], samples=batch[nk], cofactors={}).set_index(
        ["feature", "batch"]
    )
    assert table.loc[("CD57", "day2"), "threshold"] > table.loc[("CD57", "day1"), "threshold"] + 0.3
    assert (table["threshold"].dropna() >= NOISE).all()


def test_reference_lineages_are_named_for_known_markers():
    assert {"CD16", "NKG2A", "CD57"} <= set(negative_lineages())
    for marker, lineages in negative_lineages().items():
        assert canonical(marker) == marker
        assert set(lineages) <= {"T", "B", "monocyte", "granulocyte"}, marker
