"""Bead normalisation of real runs: CATALYST's example (two runs of 20 seconds) and an immune panel with few beads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bead_settings import SETTINGS
from cimlnk.cytof.beads import normalise_beads, running_median
from cimlnk.cytof.beads.files import normalise_file
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.prepare import read_acquisition

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
RUNS, PANEL = DATA / "cytof_beadnorm_catalyst", DATA / "cytof_mdipa_raw_beads"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (RUNS.is_dir() and PANEL.is_dir()), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]


def line(result, values):
    """Slope of a straight line through the smoothed beads over the run, as a share of their mean."""
    smooth = np.column_stack([running_median(v, result.window) for v in values.T])
    time = (result.bead_time - result.bead_time[0]) / np.ptp(result.bead_time)
    return np.polyfit(time, (smooth / smooth.mean(axis=0)).mean(axis=1), 1)[0]


@pytest.mark.parametrize("runs", [["V1"], ["V1", "V2"]], ids="+".join)
def test_bead_drift_is_reduced_to_a_tenth(runs):
    files = [read_acquisition(RUNS / f"{r}.fcs") for r in runs]
    result = normalise_beads(np.vstack([f.events for f in files]), files[0].metals)
    before, after = line(result, result.before), line(result, result.after)
    print(f"{'+'.join(runs)}: {len(result.before)} beads, line through smoothed beads {before:+.2%} -> {after:+.2%}")
    assert abs(after) < 0.1 * abs(before), (before, after)


def test_the_second_run_has_no_drift_to_remove():
    file = read_acquisition(RUNS / "V2.fcs")
    result = normalise_beads(file.events, file.metals)
    relative = (result.before / result.before.mean(axis=0)).mean(axis=1)
    error = relative.std() * np.sqrt(12 / len(relative))  # standard error of a slope over time 0–1
    print(f"V2: drift {result.drift_before:+.1%} ± {error:.1%} -> {result.drift_after:+.2%}")
    assert abs(result.drift_before) < error, "54 beads cannot tell this drift from none"
    assert abs(result.drift_after) < 0.005


@pytest.mark.parametrize(
    ("folder", "name", "masses", "singlets", "bead_like"),
    [
        (RUNS, "V1.fcs", (140, 151, 153, 165, 175), 97, 98),
        (RUNS, "V2.fcs", (140, 151, 153, 165, 175), 54, 59),
        (PANEL, "raw_cytof.fcs", (140, 142, 165, 175), 99, 150),
        (PANEL, "raw_cytof.fcs", (140, 151, 153, 165, 175), 102, 150),
    ],
)
def test_beads_and_bead_doublets_are_found(folder, name, masses, singlets, bead_like):
    file = read_acquisition(folder / name)
    result = normalise_beads(file.events, file.metals, beads=masses)
    columns = [i for i, c in enumerate(file.metals) if c in ("Ce140Di", "Lu175Di", "Ho165Di")]
    # The gap between beads and everything else is empty (two events in 11,450 lie in it), so the numbers are sharp.
    assert result.call.singlet.sum() == singlets and result.call.bead_like.sum() == bead_like
    assert file.events[result.call.singlet][:, columns].min() > 1000
    assert np.median(file.events[result.keep][:, columns].min(axis=1)) < 1
    dna = [i for i, c in enumerate(file.metals) if c in ("Ir191Di", "Ir193Di")]
    assert np.arcsinh(file.events[result.call.singlet][:, dna] / 5).max() < 6


def test_files_of_the_instrument_are_normalised(tmp_path):
    settings = {**SETTINGS, "masses": [140, 142, 165, 175]}
    normalise_file(
        PANEL / "raw_cytof.fcs",
        **dict(
            zip(("normalised", "record", "figure"), [tmp_path / f"n.{e}" for e in ("fcs", "json", "svg")], strict=True)
        ),
        settings=settings,
    )
    header = read_header(tmp_path / "n.fcs")
    assert header.n_events == 6_450 - 150
    assert list(header.channels) == list(read_header(PANEL / "raw_cytof.fcs").channels)
