"""Bead normalisation against planted drift: the truth is known for every event."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from bead_settings import SETTINGS
from cimlnk.common.errors import UserError
from cimlnk.cytof.beads import (
    identify_beads,
    interpolate_slopes,
    normalise_adata,
    normalise_beads,
    residual_drift,
    running_median,
    unwind_time,
)
from cimlnk.cytof.beads.files import leave_out_beads, measure_beads, normalise_file, shared_baseline
from cimlnk.cytof.beads.steps import find_steps
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs

CHANNELS = ["Time", "Event_length", "Ce140Di", "Eu151Di", "Eu153Di", "Ho165Di", "Lu175Di", "Er170Di", "Yb176Di"]
CHANNELS += ["Ir191Di", "Ir193Di", "Center"]
BEADS = [2, 3, 4, 5, 6]


def run_with(drift, n=40_000, n_beads=4_000, n_doublets=300, seed=0):
    """Events in order of time: cells, lone beads and bead–cell doublets, all ion counts times drift(time in 0–1)."""
    r = np.random.default_rng(seed)
    kind = np.zeros(n, int)
    kind[r.choice(n, n_beads + n_doublets, replace=False)] = 1
    kind[r.permutation(np.flatnonzero(kind))[:n_doublets]] = 2
    u = np.sort(r.random(n))
    true = np.zeros((n, len(CHANNELS)))
    true[:, 1] = 20
    true[:, 11] = 500  # a Gaussian parameter: no ion count
    cell, bead = kind != 1, kind != 0
    true[cell, 7] = r.gamma(2, 60, cell.sum())
    true[cell, 8] = r.gamma(2, 100, cell.sum())
    true[cell, 5] = r.gamma(1, 80, cell.sum())  # CD4 on a bead channel
    true[np.ix_(cell, [9, 10])] = r.normal([400, 700], [40, 70], (cell.sum(), 2))
    brightness = r.normal(1, 0.06, bead.sum())[:, None]
    true[np.ix_(bead, BEADS)] += np.array([2800, 2200, 2850, 2830, 2700]) * brightness
    measured = true.copy()
    ions = slice(2, 11)
    measured[:, ions] = r.poisson(np.clip(true[:, ions], 0, None) * drift(u)[:, None])
    measured[:, 0] = u * 3.6e6
    return measured.astype(np.float32), kind, u


def linear(u):
    return 1 - 0.4 * u


def steps(u):
    return np.where(u < 0.35, 1.0, np.where(u < 0.7, 0.7, 0.85))


@pytest.mark.parametrize("drift", [linear, steps])
def test_planted_drift_is_reduced_below_two_per_cent(drift):
    events, kind, u = run_with(drift)
    result = normalise_beads(events, CHANNELS)
    assert abs(result.drift_before) > 0.15
    assert abs(result.drift_after) < 0.02  # the bound
    # Event by event, the correction undoes the drift: its product with the truth is constant. The tolerance is three
    # standard errors of the smallest window (125 beads at the ends) of beads that spread by 6 %: 3 × 1.25 × 6 % / √125.
    flat = result.factor * drift(u)
    error = np.abs(flat / np.median(flat) - 1)
    print(f"{drift.__name__}: drift {result.drift_before:+.1%} -> {result.drift_after:+.2%}; ", end="")
    print(f"error of the correction: median {np.median(error):.2%}, 99 % {np.quantile(error, 0.99):.2%}")
    assert np.quantile(error, 0.99) < 0.02
    # What cells show is corrected too: DNA of cells no longer depends on time.
    cell = kind == 0
    assert abs(residual_drift(u[cell], result.events[cell][:, [9, 10]])) < 0.02


def test_every_bead_and_bead_doublet_is_removed_and_no_cell():
    events, kind, _ = run_with(linear)
    result = normalise_beads(events, CHANNELS)
    assert not result.keep[kind > 0].any()
    assert result.keep[kind == 0].all()
    assert not result.call.singlet[kind == 2].any(), "bead-cell doublets must not enter the correction"
    assert result.call.n_doublets >= (kind == 2).sum()


def test_only_ion_counts_are_scaled():
    events, _, _ = run_with(linear)
    result = normalise_beads(events, CHANNELS)
    assert np.array_equal(result.events[:, [0, 1, 11]], events[:, [0, 1, 11]])
    assert np.array_equal(result.events == 0, events == 0), "zeros stay zeros"
    np.testing.assert_allclose(result.events[:, 9], events[:, 9] * result.factor, rtol=1e-5)


def test_a_named_baseline_brings_two_runs_to_the_same_level():
    one, kind, _ = run_with(lambda u: np.ones_like(u), seed=1)
    two, _, _ = run_with(lambda u: np.full_like(u, 0.6), seed=2)
    first = normalise_beads(one, CHANNELS)
    second = normalise_beads(two, CHANNELS, baseline=first.baseline)
    np.testing.assert_allclose(second.after.mean(axis=0), first.after.mean(axis=0), rtol=0.01)
    own = normalise_beads(two, CHANNELS)  # its own mean leaves the difference between the runs
    assert own.after.mean() / first.after.mean() == pytest.approx(0.6, rel=0.01)


def test_the_input_is_left_alone_unless_asked():
    events, _, _ = run_with(linear, n=5_000, n_beads=500, n_doublets=20)
    before = events.copy()
    first = normalise_beads(events, CHANNELS)
    assert np.array_equal(events, before)
    second = normalise_beads(events, CHANNELS, copy=False)
    assert second.events is events
    assert np.array_equal(first.events, second.events)


def test_concatenated_files_are_corrected_in_their_own_order():
    events, _, u = run_with(linear)
    middle = len(events) // 2
    joined = np.vstack([events[middle:], events[:middle]])  # the clock jumps back in the middle
    result = normalise_beads(joined, CHANNELS)
    flat = result.factor * linear(np.r_[u[middle:], u[:middle]])
    assert np.abs(flat / np.median(flat) - 1).max() < 0.04  # each part has its own beads: no blur over the joint
    clock, part = unwind_time(np.array([5.0, 6, 7, 1, 2, 3]))
    assert clock.tolist() == [5, 6, 7, 7, 8, 9] and part.tolist() == [0, 0, 0, 1, 1, 1]


def test_disordered_time_is_not_unwound():
    time = np.random.default_rng(0).permutation(1000).astype(float)
    clock, part = unwind_time(time)
    assert np.array_equal(clock, time) and not part.any()


def test_shuffled_events_get_the_same_correction():
    events, _, _ = run_with(linear)
    order = np.random.default_rng(3).permutation(len(events))
    straight, shuffled = normalise_beads(events, CHANNELS), normalise_beads(events[order], CHANNELS)
    np.testing.assert_allclose(shuffled.factor, straight.factor[order], rtol=1e-6)


def test_running_median_is_unbiased_on_a_line_up_to_the_ends():
    line = np.arange(2_001, dtype=float)
    smooth = running_median(line, 501)
    # within an eighth of a window (62 values) of an end the window is not symmetric any more
    assert np.abs(smooth - line)[62:-62].max() == 0
    assert np.abs(smooth - line).max() <= 31
    assert running_median(np.array([3.0]), 501).tolist() == [3.0]
    assert running_median(np.array([3.0, 1.0, 2.0]), 501).tolist()[1] == 2.0


def test_slopes_are_constant_outside_the_beads_and_ties_are_averaged():
    got = interpolate_slopes(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 4, 1]), np.array([0.0, 1.5, 2, 9]))
    assert got.tolist() == [1.0, 2.0, 3.0, 1.0]


def test_steps_are_found_where_they_are_and_nowhere_else():
    r = np.random.default_rng(5)
    noise = r.normal(1, 0.06, 4_000)
    u = np.linspace(0, 1, 4_000)
    found = find_steps(steps(u) * noise, 500)
    # two levels 20–30 % apart with 6 % spread: the change point is known within a few beads
    np.testing.assert_allclose(found, [0.35 * 4_000, 0.7 * 4_000], atol=10)
    assert find_steps(linear(u) * noise, 500) == []
    assert find_steps(noise, 500) == []
    assert find_steps(noise[:50], 500) == []


def test_no_beads_is_a_user_error_with_the_count():
    events, kind, _ = run_with(linear)
    with pytest.raises(UserError, match=r"run1\.fcs.*0 calibration beads.*at least 20"):
        normalise_beads(events[kind == 0], CHANNELS, source="run1.fcs")


def test_a_missing_bead_channel_is_named():
    events, _, _ = run_with(linear, n=5_000, n_beads=500, n_doublets=10)
    keep = [i for i in range(len(CHANNELS)) if i != 3]
    with pytest.raises(UserError, match="bead mass 151: found no channel"):
        normalise_beads(events[:, keep], [CHANNELS[i] for i in keep])


def test_beads_without_dna_channels():
    events, kind, _ = run_with(linear)
    call = identify_beads(events[:, BEADS], events[:, :0])
    assert call.bead_like[kind > 0].all() and not call.bead_like[kind == 0].any()


def test_anndata_gets_the_layer_and_the_record():
    events, kind, _ = run_with(linear, n=8_000, n_beads=800, n_doublets=20)
    adata = ad.AnnData(events, var=pd.DataFrame({"channel": CHANNELS}, index=[f"m{i}" for i in range(len(CHANNELS))]))
    normalise_adata(adata)
    assert adata.obs["bead"].to_numpy().tolist() == (kind > 0).tolist()
    assert np.array_equal(adata.X, events)
    assert adata.layers["normalised"].shape == events.shape
    assert abs(adata.uns["bead_normalisation"]["drift_after"]) < 0.02


def test_files_written_and_second_time_refused(tmp_path):
    events, kind, _ = run_with(linear, n=8_000, n_beads=800, n_doublets=20)
    raw, done = tmp_path / "raw.fcs", tmp_path / "out" / "done.fcs"
    write_fcs(
        raw, events, CHANNELS, markers=["", "", *[f"marker {c}" for c in CHANNELS[2:]]], metadata={"$CYT": "Helios"}
    )
    normalise_file(raw, done, tmp_path / "r.json", figure=tmp_path / "f.svg", settings=SETTINGS)
    header = read_header(done)
    assert header.n_events == (kind == 0).sum()
    assert header.text["$CYT"] == "Helios" and list(header.channels) == CHANNELS
    assert header.markers == read_header(raw).markers
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["n_kept"] == header.n_events and abs(record["drift_after"]) < 0.02
    assert (tmp_path / "f.svg").stat().st_size > 10_000
    with pytest.raises(UserError, match="normalised before"):
        normalise_file(done, tmp_path / "x.fcs", tmp_path / "x.json", figure=tmp_path / "x.svg", settings=SETTINGS)


def test_equal_runs_give_equal_bytes(tmp_path):
    events, _, _ = run_with(steps, n=5_000, n_beads=500, n_doublets=20)
    write_fcs(tmp_path / "raw.fcs", events, CHANNELS)
    for name in ("a", "b"):
        places = [tmp_path / f"{name}.{kind}" for kind in ("fcs", "json", "svg")]
        normalise_file(
            tmp_path / "raw.fcs",
            **dict(zip(("normalised", "record", "figure"), places, strict=True)),
            settings=SETTINGS,
        )
    for kind in ("fcs", "json", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_cohort_baseline_is_the_mean_of_its_files(tmp_path):
    baselines, finals = [], []
    for i, level in enumerate((1.0, 0.5)):
        events, _, _ = run_with(lambda u, v=level: np.full_like(u, v), n=5_000, n_beads=500, n_doublets=20, seed=i)
        write_fcs(tmp_path / f"{i}.fcs", events, CHANNELS)
        measure_beads(tmp_path / f"{i}.fcs", tmp_path / f"{i}.json", SETTINGS)
        baselines.append(tmp_path / f"{i}.json")
    leave_out_beads(UserError("x.fcs", "beads", "none", "some"), tmp_path / "none.json")
    baselines.append(tmp_path / "none.json")  # a file without beads does not count
    with pytest.raises(UserError, match="none in 1 files"):
        shared_baseline(baselines[-1:])
    for i in range(2):
        keep = {**SETTINGS, "remove": False}
        places = [tmp_path / f"n{i}.{kind}" for kind in ("fcs", "json", "svg")]
        normalise_file(
            tmp_path / f"{i}.fcs",
            **dict(zip(("normalised", "record", "figure"), places, strict=True)),
            settings=keep,
            baselines=baselines,
        )
        after = read_events(places[0])
        call = identify_beads(after[:, BEADS], after[:, [9, 10]])
        finals.append(after[call.singlet][:, BEADS].mean(axis=0))
    np.testing.assert_allclose(finals[0], finals[1], rtol=0.01)
    assert finals[0][0] == pytest.approx(2800 * 0.75, rel=0.02)
