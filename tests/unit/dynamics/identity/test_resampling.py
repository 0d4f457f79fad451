"""Support by clustering resampled cells anew: what happens is shown, what only the cuts or a batch make is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.identity.course import Course, tracks
from cimlnk.dynamics.identity.mixing import mixing
from cimlnk.dynamics.identity.near import near_lists, within
from cimlnk.dynamics.identity.placement import Side, between, occupancy
from cimlnk.dynamics.identity.resampling import cluster_course, same_clusters, supported
from cimlnk.dynamics.identity.rows import event_rows, link_rows, named_clusters
from courses import STILL, Cells, course

SETTINGS = {"reach": 0.75, "min_share": 0.2, "bootstraps": 20, "shuffles": 20, "resolution": 0.5}
TWO = {t: STILL[t] for t in ("T0", "T1")}


def followed(
    cells: Cells, batches: dict[tuple[str, int], str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    own = Course(cells.x, cells.timepoint, cells.patient, cells.pairs, batches or {})
    label, lists = cluster_course(own, SETTINGS, 0)
    links = supported(own, label, lists, settings=SETTINGS, seed=0)
    named = named_clusters(own, label, cells.subset)
    return event_rows(links, named), link_rows(links, named), links


def shown(events: pd.DataFrame) -> set[tuple[str, str]]:
    return (
        set(events.loc[events["verdict"] == "shown", ["event", "population"]].itertuples(index=False))
        if len(events)
        else set()
    )


def test_a_split_a_birth_and_a_loss_are_shown_and_the_rest_keeps_its_identity():
    at = {"T0": ("A", "B", "C", "D"), "T1": ("A1", "A2", "B", "C", "N")}
    events, links, found = followed(course(1, at, cells=150))
    assert shown(events) == {("split", "A"), ("loss", "D"), ("birth", "N")}
    assert (links["support_shuffled"] <= 0.5).all()
    same = links[links["from_population"].isin(["B", "C"]) & links["linked"]]
    assert (same["from_population"] == same["to_population"]).all() and (same["support"] > 0.8).all()
    track = tracks(found, {"T0": 4, "T1": 5})
    assert len(set(track.values())) == 6  # B and C, the larger half of A as A; D, N and the smaller half


@pytest.mark.parametrize(
    "still",
    [
        {"cells": {"T0": 250, "T1": 30}, "weight": lambda s, t: 0.15 if s in "DE" else 1.0},
        {"cells": 150, "noise": {"T0": 0.9, "T1": 1.6}},
        {"cells": 150, "donors": "AB", "sample_shift": 0.2},
        {"cells": 150, "at": {"T0": ("A",), "T1": ("A",)}},
    ],
    ids=["unequal numbers of cells", "unequal depth", "patterns of donors", "one cluster"],
)
def test_nothing_is_shown_where_nothing_happens(still):
    events, _, _ = followed(course(2, **({"at": TWO} | still)))
    assert shown(events) == set()


def test_one_patient_and_time_points_in_batches_of_their_own_say_why_they_show_nothing():
    at = {"T0": ("A", "B", "C"), "T1": ("A", "B", "N")}
    events, _, _ = followed(course(3, at, patients=1, cells=500))
    assert len(events) and events["reason"].str.startswith("one patient").all() and shown(events) == set()
    cells = course(3, at, patients=3, cells=150)
    alone = {(t, p): t for t in at for p in range(3)}
    events, _, _ = followed(cells, alone)
    assert len(events) and events["reason"].str.contains("batches of their own").all()
    # where two patients have both samples in one batch, those two are compared
    events, _, found = followed(cells, alone | {("T1", 0): "T0", ("T1", 1): "T0"})
    assert found[("T0", "T1")].n_patients == 2 and shown(events) == {("loss", "C"), ("birth", "N")}


def test_a_change_of_patients_is_not_an_event():
    cells = course(4, TWO, patients=4, cells=150, donors="A")
    stay = (cells.timepoint == "T0") | (cells.patient < 2)
    events, _, found = followed(
        cells._replace(**{k: getattr(cells, k)[stay] for k in ("x", "timepoint", "patient", "subset")})
    )
    assert found[("T0", "T1")].n_patients == 2 and shown(events) == set()


def test_lists_of_parts_are_those_of_a_search_among_them():
    x = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    near = near_lists(x)
    for share in (0.9, 0.5, 0.1):  # of the last, the lists hold too few and the cells are searched again
        keep = np.flatnonzero(np.random.default_rng(1).random(300) < share)
        found, distance = within(near, keep)
        square = ((x[keep][:, None] - x[keep][None]) ** 2).sum(axis=-1)
        np.fill_diagonal(square, np.inf)
        assert np.array_equal(found, np.argsort(square, axis=1)[:, : found.shape[1]])
        assert distance[:, 0] == pytest.approx(np.sqrt(square.min(axis=1)), rel=1e-4)


def test_a_cluster_is_found_again_by_its_cells():
    label = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    assert same_clusters(label, np.array([2, 2, 0, 1, 1, -1, 0, 0])).tolist() == [2, 1, 0]
    assert same_clusters(label, np.full(8, -1)).tolist() == [-1, -1, -1]
    assert same_clusters(label, np.array([0, 1, 2, 0, 1, 2, 0, 1])).tolist() == [-1, -1, -1]  # nothing of any is left


def test_one_population_cut_differently_has_neighbours_on_both_sides():
    rng = np.random.default_rng(8)
    ring = rng.uniform(0, 2 * np.pi, 1600)  # one population around a ring: it can be cut anywhere
    x = np.column_stack([4 * np.cos(ring), 4 * np.sin(ring)]) + rng.normal(0, 0.2, (1600, 2))
    later = np.arange(1600) >= 800
    label = np.where(later, np.floor(ring / (2 * np.pi / 6)), np.floor((ring + 0.7) % (2 * np.pi) / np.pi)).astype(int)
    near, _ = within(near_lists(x), np.arange(1600))
    forward, backward = mixing(near, later, label, patient=np.arange(1600) % 4, shape=(4, 2, 6)).shares(np.ones(4))
    # both times are the same population: across time there are as many neighbours as chance mixing gives
    assert forward.sum(axis=0) == pytest.approx(1, abs=0.15) and backward.sum(axis=1) == pytest.approx(1, abs=0.15)


def test_a_subset_without_cells_nearby_is_not_mixed():
    x = np.vstack([np.random.default_rng(9).normal(c, 0.3, (200, 3)) for c in (0, 4, 0, 9)])
    later, label = np.arange(800) >= 400, np.repeat([0, 1, 0, 1], 200)
    near, _ = within(near_lists(x), np.arange(800))
    forward, _ = mixing(near, later, label, patient=np.zeros(800, dtype=int), shape=(1, 2, 2)).shares(np.ones(1))
    assert forward[0, 0] == pytest.approx(1, abs=0.15) and forward[:, 1].sum() == 0


def test_parts_that_were_there_and_a_cloud_between_them_are_told_apart():
    rng = np.random.default_rng(5)
    axis = np.eye(6)[0]

    def cloud(at: float, n: int, sd: float = 1.0) -> np.ndarray:
        return at * axis + rng.normal(0, sd, (n, 6))

    parts = Side(np.vstack([cloud(-2.4, 200), cloud(2.4, 100)]), np.repeat([0, 1], [200, 100]), np.ones(300))

    def spread(*x: np.ndarray) -> float:
        cells = np.vstack(x)
        return between(parts, (0, 1), Side(cells, np.zeros(len(cells), dtype=int), np.ones(len(cells))), cluster=0)

    assert spread(cloud(0, 300)) < 0.1  # a true split or merge
    assert spread(cloud(-2.4, 150), cloud(2.4, 150)) > 0.9  # both are there, not cut
    assert spread(cloud(-2.4, 150, 2.0), cloud(2.4, 150, 2.0)) > 1  # nor when blurred
    assert spread(cloud(-2.4, 200)) == 1  # the first part alone is between nothing


def test_a_place_is_occupied_however_blurred_and_empty_however_near_the_sibling():
    rng = np.random.default_rng(6)
    axis = np.eye(6)[0] * 4.7
    here = Side(
        np.vstack([rng.normal(0, 1, (900, 6)), axis + rng.normal(0, 1, (60, 6))]),
        np.repeat([0, 1], [900, 60]),
        np.ones(960),
    )
    blurred = Side(
        np.vstack([rng.normal(0, 2, (900, 6)), axis + rng.normal(0, 2, (60, 6))]),
        np.zeros(960, dtype=int),
        np.ones(960),
    )
    gone = Side(rng.normal(0, 1, (960, 6)), np.zeros(960, dtype=int), np.ones(960))
    assert occupancy(1, here, here) == 1 and occupancy(1, here, blurred) > 0.7 and occupancy(1, here, gone) < 0.05
