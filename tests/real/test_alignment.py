"""Batch alignment of CytoNorm's example: two volunteers in four batches, 1,000 cells of each file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.alignment.distance import sample_distances, summarise_distances
from cimlnk.cytof.alignment.model import fit_alignment
from cimlnk.cytof.prepare import read_acquisition

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
BATCHES = DATA / "cytof_batch_cytonorm"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not BATCHES.is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
FILES = [(b, v) for b in ("021", "026", "028", "034") for v in ("1", "2")]
TECHNICAL = {"BC1", "BC2", "BC3", "BC4", "BC5", "BC6", "DNA1", "DNA2", "beadDist"}
BATCH, WHO = [b for b, _ in FILES], [v for _, v in FILES]


@pytest.fixture(scope="module")
def cells():
    files = [read_acquisition(BATCHES / f"Gates_PTLG{b}_Unstim_Control_{v}.fcs") for b, v in FILES]
    assert len({f.header.channels for f in files}) == 1
    place = [i for i, m in enumerate(files[0].header.markers) if m and m not in TECHNICAL]
    markers = [files[0].header.markers[i] for i in place]
    return [np.arcsinh(f.events[:, place].astype(float) / 5) for f in files], markers


def fit(cells, volunteers):
    samples, markers = cells
    used = [i for i, w in enumerate(WHO) if w in volunteers]
    values, sample = np.vstack([samples[i] for i in used]), np.repeat(np.arange(len(used)), 1_000)
    kept = {"volunteer": [WHO[i] for i in used]}
    return fit_alignment(values, sample, [BATCH[i] for i in used], kept=kept, markers=markers)


def across(distance, volunteer):
    mine = [i for i, w in enumerate(WHO) if w == volunteer]
    return np.mean([distance[i, j] for i in mine for j in mine if i < j])


def test_anchor_volunteers_meet_and_are_still_told_apart(cells):
    samples, _ = cells
    model = fit(cells, "12")
    aligned = [model.apply(s, b) for s, b in zip(samples, BATCH, strict=True)]
    before, after = sample_distances(samples), sample_distances(aligned)
    for volunteer in "12":
        pair = across(before, volunteer), across(after, volunteer)
        print(f"volunteer {volunteer}: distance across batches {pair[0]:.3f} -> {pair[1]:.3f}")
        assert across(after, volunteer) <= 0.5 * across(before, volunteer), volunteer
    old, new = (summarise_distances(d, BATCH, WHO) for d in (before, after))
    print("before", {k: round(v, 3) for k, v in old.items()}, "after", {k: round(v, 3) for k, v in new.items()})
    assert new["told_apart"] == 1.0
    assert new["different_within"] == pytest.approx(old["different_within"], rel=0.1), (
        "the volunteers' difference stays"
    )
    assert old["ratio"] > 1.4 and new["ratio"] < 0.7  # batch was larger than person, and is smaller now


@pytest.mark.parametrize(("anchor", "other"), [("1", "2"), ("2", "1")])
def test_a_volunteer_who_was_no_anchor_is_aligned_as_well(cells, anchor, other):
    samples, _ = cells
    model = fit(cells, anchor)
    aligned = [model.apply(s, b) for s, b in zip(samples, BATCH, strict=True)]
    before, after = across(sample_distances(samples), other), across(sample_distances(aligned), other)
    # Two samples of 1,000 cells of the very same blood are this far apart: halves of a file, scaled to whole ones.
    r = np.random.default_rng(0)
    floor = []
    for s, w in zip(aligned, WHO, strict=True):
        if w == other:
            order = r.permutation(len(s))
            floor.append(sample_distances([s[order[:500]], s[order[500:]]])[0, 1] / np.sqrt(2))
    excess = (after - np.mean(floor)) / (before - np.mean(floor))
    print(
        f"volunteer {other}, aligned by {anchor}: {before:.3f} -> {after:.3f}, floor {np.mean(floor):.3f}: {excess:.2f}"
    )
    assert excess <= 0.5, (before, after, np.mean(floor))
    assert summarise_distances(sample_distances(aligned), BATCH, WHO)["told_apart"] == 1.0


def test_batches_that_are_time_points_are_refused(cells):
    samples, markers = cells
    values, sample = np.vstack(samples), np.repeat(np.arange(len(samples)), 1_000)
    with pytest.raises(UserError, match="differ in timepoint as well"):
        fit_alignment(values, sample, BATCH, kept={"timepoint": [f"D{b}" for b in BATCH]}, markers=markers)
