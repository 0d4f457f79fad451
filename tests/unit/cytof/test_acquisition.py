"""Abnormal stretches of an acquisition are masked, slow drift and normal files are not."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.cytof.acquisition import channel_flags, check_acquisition

SETTINGS = {"enabled": True, "bins": 200, "events_per_bin": 100, "tolerance": 6}


def run_of(rng, n=20_000, drift=0.0):
    time = np.cumsum(rng.exponential(1.0, n))
    progress = time / time[-1]
    kind = rng.random((n, 8)) < 0.3
    signals = np.where(kind, 4.0, 0.2) + rng.normal(0, 0.4, (n, 8)) - drift * progress[:, None]
    return time, signals, [f"m{i}" for i in range(8)]


@pytest.mark.parametrize("drift", [0.0, 0.2])
def test_normal_files_and_slow_drift_are_kept(drift):
    scores = []
    for seed in range(10):
        time, signals, names = run_of(np.random.default_rng(seed), drift=drift)
        result = check_acquisition(time, signals, names, settings=SETTINGS)
        scores.append(result.score)
        # from the middle of the first third to that of the last; the median of 66 bins of sd 0.17 errs by 0.026
        assert abs(result.drift["m0"] + drift * 2 / 3) < 0.11
    assert min(scores) > 0.99


def test_an_excursion_of_the_signal_is_masked_with_its_reason():
    time, signals, names = run_of(np.random.default_rng(0))
    hit = (time > 0.4 * time[-1]) & (time < 0.45 * time[-1])
    signals[hit] -= 0.6
    result = check_acquisition(time, signals, names, settings=SETTINGS)
    assert (~result.good & hit).sum() / hit.sum() > 0.9
    assert (~result.good & ~hit).sum() < 0.02 * len(time)
    assert any("abnormal signal from time" in n and "events masked" in n for n in result.notes)
    assert 0.93 < result.score < 0.96


def test_a_surge_and_a_stall_of_the_flow_are_masked():
    rng = np.random.default_rng(1)
    gaps = np.full(20_000, 1.0)
    gaps[8000:9000] = 0.2  # surge
    gaps[14_000:14_200] = 4.0  # trickle
    time = np.cumsum(rng.exponential(gaps))
    signals = rng.normal(2, 0.5, (20_000, 5))
    result = check_acquisition(time, signals, list("abcde"), settings=SETTINGS)
    assert (~result.good[8100:8900]).mean() > 0.9 and (~result.good[14_020:14_180]).mean() > 0.7
    assert (~result.good[:7800]).mean() < 0.02
    assert any("abnormal flow rate" in n for n in result.notes)


def test_what_cannot_be_judged_is_kept_and_said():
    signals = np.ones((5000, 2))
    time = np.arange(5000.0)
    assert "no time channel" in check_acquisition(None, signals, ["a", "b"], settings=SETTINGS).reason
    assert "too few" in check_acquisition(time[:500], signals[:500], ["a", "b"], settings=SETTINGS).reason
    assert "does not run" in check_acquisition(np.zeros(5000), signals, ["a", "b"], settings=SETTINGS).reason
    off = check_acquisition(time, signals, ["a", "b"], settings={**SETTINGS, "enabled": False})
    assert off.good.all() and "switched off" in off.reason
    assert check_acquisition(time, signals, ["a", "b"], settings=SETTINGS).good.all()


def test_saturated_and_empty_channels_are_flagged():
    rng = np.random.default_rng(2)
    events = np.column_stack([np.minimum(rng.gamma(1, 4000, 5000), 8192), rng.random(5000) - 1, rng.gamma(2, 50, 5000)])
    flags = channel_flags(events, ["bright", "empty", "fine"])
    assert len(flags) == 2 and "bright" in flags[0] and "empty" in flags[1]


@pytest.mark.parametrize("seconds", [6, 25, 70, 403])
def test_a_clock_of_whole_seconds_masks_nothing(seconds):
    time, signals, names = run_of(np.random.default_rng(3), n=6000)
    whole = np.floor(time / time[-1] * seconds * 0.9999)
    result = check_acquisition(whole, signals, names, settings=SETTINGS)
    assert result.score > 0.99
    if seconds == 6:
        assert "6 different readings" in result.reason
    else:
        assert result.reason is None and len(result.counts) >= 10


def test_a_stall_is_still_seen_by_a_coarse_clock():
    time, signals, names = run_of(np.random.default_rng(3), n=6000)
    whole = np.floor(time / time[-1] * 100)
    stalled = (whole >= 40) & (whole < 46) & (np.arange(6000) % 10 != 0)
    result = check_acquisition(whole[~stalled], signals[~stalled], names, settings=SETTINGS)
    assert any("flow rate from time 3" in n or "flow rate from time 4" in n for n in result.notes)


def test_a_channel_that_is_zero_throughout_is_told_whatever_its_role():
    events = np.random.default_rng(1).poisson(5.0, (1000, 3)).astype(np.float32)
    events[:, 1] = 0
    events[:, 2] = np.arange(1000) % 200 == 0  # viability of living cells: almost no signal, and right so
    assert channel_flags(events, ["DNA1", "DNA2", "Viability"], ["Viability"]) == [
        "DNA2: zero in every event (channel not recorded?)"
    ]
    events[:, 2] = 0
    assert "Viability: zero" in channel_flags(events, ["DNA1", "DNA2", "Viability"], ["Viability"])[1]
