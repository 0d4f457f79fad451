"""Cells are named one by one: a cluster that straddles a threshold has two names, and no other cluster matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimlnk.graph import knn
from cimlnk.graph.files import make_graph
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.means import beside, smoothed, steadied
from cimlnk.populations.naming import name_clusters, name_rows
from cimlnk.populations.neighbours import Lists, read_lists
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.smoothing import Cells, name_cells
from nk_cells import MARKERS, NAMES, tubes

ROOT = Path(__file__).resolve().parents[3]
DEFINITIONS = load_definitions(ROOT / "resources/phenotypes/nk.yaml")
NK_MARKERS = [j for j, m in enumerate(MARKERS) if m not in ("CD3", "CD19", "CD14")]
KINDS = {"bright": 300, "early": 300, "licensed": 300, "late": 300}


@pytest.fixture(scope="module")
def cells():
    """Values, kind and batch of NK cells, their thresholds, and the neighbour lists."""
    values, kind, batch, lineage, _ = tubes(KINDS)
    nk = lineage == "NK"
    shown = Reference(values, list(MARKERS), batch, lineage, np.ones(len(values)))
    cuts = protein_thresholds(values[nk], list(MARKERS), batch[nk], samples=batch[nk], cofactors={}, reference=shown)
    lists = knn(np.ascontiguousarray(values[nk][:, NK_MARKERS]), 15, 1.0, seed=1, threads=1).indices
    return values[nk], kind[nk], batch[nk], cuts, lists


def named(values, batch, cuts, cluster, lists, **more):
    """Names of the cells, and of the clusters."""
    distances = cluster_distances(values, list(MARKERS), cluster, batch=batch, thresholds=cuts, definitions=DEFINITIONS)
    asked = Cells(values, list(MARKERS), batch, thresholds=cuts, definitions=DEFINITIONS, clusters=distances)
    return name_cells(asked, cluster, DEFINITIONS, lists=lists, **more)[0], name_clusters(distances, DEFINITIONS)


def whole(indices):
    return Lists(indices, np.arange(len(indices)))


def test_means_are_by_likeness_and_strangers_have_a_tenth_of_the_say():
    values = np.array([[0.0, np.nan], [2.0, 4.0], [9.0, 8.0]], np.float32)
    near = np.array([[1, 2], [0, 2], [0, 1]], np.int32)
    once, alone = smoothed(values, near, np.array([0, 0, 1]), rounds=1)
    # apart by 2 in one column alone, since beyond 2 all is equally far and gaps do not count
    alike = np.exp(-(2**2) / (2 * 3**2))
    first = (0 + alike * 2 + 0.1 * alike * 9) / (1 + 1.1 * alike)
    gap = (alike * 4 + 0.1 * alike * 8) / (1.1 * alike)
    second = (2 + alike * 0 + 0.1 * 9) / (1 + alike + 0.1), (4 + 0.1 * 8) / 1.1
    third = (9 + 0.1 * (alike * 0 + 2)) / (1 + 0.1 * (alike + 1)), (8 + 0.1 * 4) / 1.1
    np.testing.assert_allclose(once, [[first, gap], second, third], rtol=1e-6)
    first, second, third = (2 + 0.1 * 9) / 1.1, (alike * 0 + 0.1 * 9) / (alike + 0.1), (alike * 0 + 2) / (1 + alike)
    np.testing.assert_allclose(alone, [[first, gap], [second, 8], [third, 4]], rtol=1e-6)
    np.testing.assert_array_equal(smoothed(values, near[:, :0], np.zeros(3, int))[0], values)
    nobody, _ = smoothed(values[:1, 1:], np.array([[0]]), np.zeros(1, int))
    assert np.isnan(nobody).all()


def test_the_first_round_is_wide_and_the_others_narrow():
    values = np.array([[0.0], [1.5]], np.float32)
    near, one = np.array([[1], [0]], np.int32), np.zeros(2, int)
    apart = 1.5
    for rounds, h in enumerate((3, 1.4, 1.4, 1.4), start=1):
        alike = np.exp(-(apart**2) / (2 * h**2))
        apart *= (1 - alike) / (1 + alike)
        found = smoothed(values, near, one, rounds=rounds)[0]
        np.testing.assert_allclose(np.diff(found[:, 0]), apart, atol=1e-6)
    line = np.arange(12, dtype=np.float32)[:, None] / 2
    near = np.clip(np.arange(12)[:, None] + [-1, 1], 0, 11).astype(np.int32)
    four, default = smoothed(line, near, np.zeros(12, int), rounds=4)[0], smoothed(line, near, np.zeros(12, int))[0]
    np.testing.assert_array_equal(default, four)
    assert (default != smoothed(line, near, np.zeros(12, int), rounds=3)[0]).any()


def test_columns_that_some_cells_lack_are_filled_round_by_round():
    """Against plain loops: one column is whole, of one most cells lack a value, so that it fills over the rounds."""
    rng = np.random.default_rng(5)
    n, k = 60, 4
    values = rng.normal(size=(n, 4)).astype(np.float32)
    values[:, 1:][rng.random((n, 3)) < [0.1, 0.9, 1.0]] = np.nan
    near = np.argsort(rng.random((n, n)), axis=1)[:, :k].astype(np.int32)
    cluster = rng.integers(0, 3, n)
    told = values.astype(float)
    for h in (3, 1.4, 1.4, 1.4):
        before, told, alone = told, np.full((n, 4), np.nan), np.full((n, 4), np.nan)
        for i in range(n):
            apart = np.clip(before[near[i]], -2, 2) - np.clip(before[i], -2, 2)
            weight = np.exp(-np.nansum(apart**2, axis=1) / (2 * h**2)) * np.where(
                cluster[near[i]] == cluster[i], 1, 0.1
            )
            for j in range(4):
                own, theirs = before[i, j], before[near[i], j]
                there = np.isfinite(theirs)
                if there.any():
                    alone[i, j] = (weight * theirs)[there].sum() / weight[there].sum()
                parts = [(1.0, own)] * int(np.isfinite(own)) + list(zip(weight[there], theirs[there], strict=True))
                if parts:
                    told[i, j] = sum(w * v for w, v in parts) / sum(w for w, _ in parts)
    for first in (0, 50):
        found, others = smoothed(values, near, cluster, first=first)
        np.testing.assert_allclose(found, told[first:], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(others, alone[first:], rtol=2e-4, atol=1e-5)


def test_a_cell_itself_weighs_a_quarter_and_one_without_a_value_has_its_neighbours():
    values = np.array([[0.0, np.nan], [2.0, 4.0], [4.0, 4.0]], np.float32)
    near = np.array([[1, 2], [0, 2], [0, 1]], np.int32)
    own, alone = steadied(values, near, np.zeros(3, int))
    around, same = smoothed(values, near, np.zeros(3, int))
    np.testing.assert_array_equal(alone, same)
    np.testing.assert_allclose(own[:, 0], 0.25 * values[:, 0] + 0.75 * around[:, 0], rtol=1e-6)
    np.testing.assert_allclose(own[:, 1], 4, rtol=1e-6)


def test_where_no_neighbour_is_alike_those_who_are_near_still_fill_a_gap():
    values = np.full((2, 200), 9.0, np.float32)
    values[0] = -9
    values[0, 0] = np.nan
    own, _ = steadied(values, np.array([[1], [0]], np.int32), np.array([0, 1]))
    assert own[0, 0] == pytest.approx(9) and own[0, 1] == pytest.approx(-9)


def test_cells_beside_a_graph_are_weighed_as_in_it():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(40, 5)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    near = np.argsort(rng.random((40, 40)), axis=1)[:, :6].astype(np.int32)
    cluster = rng.integers(0, 3, 40)
    own, alone = beside(values, values[near], cluster[near] == cluster[:, None])
    around, same = smoothed(values, near, cluster, rounds=1)
    np.testing.assert_allclose(alone, same, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        own, np.where(np.isnan(values), around, 0.25 * values + 0.75 * around), rtol=1e-4, atol=1e-6
    )


def test_markers_that_have_to_agree_do_so_among_the_neighbours_alone_too(cells):
    """One CD56bright cell in twenty has by noise what memory-like cells carry; its neighbours do not."""
    values, kind, batch, cuts, lists = cells
    cluster = np.unique(kind, return_inverse=True)[1]
    loud = np.flatnonzero(kind == "bright")[::20]
    alone = loud[~np.isin(lists[loud], loud).any(axis=1)]  # loud in the same way, neighbours would be alike
    assert len(alone) >= 5
    values = values.copy()
    for marker in ("TIGIT", "CD2", "NKp30"):
        values[loud, MARKERS.index(marker)] = 12.0
    names, _ = named(values, batch, cuts, cluster, whole(lists))
    assert (names[alone] == "CD56bright").all()
    distances = cluster_distances(values, list(MARKERS), cluster, batch=batch, thresholds=cuts, definitions=DEFINITIONS)
    asked = Cells(values, list(MARKERS), batch, thresholds=cuts, definitions=DEFINITIONS, clusters=distances)
    own, _ = steadied(asked.distances(slice(None)), lists, cluster)
    by_themselves = name_rows(asked.tables(own, cluster), DEFINITIONS)[0]
    assert (by_themselves[alone] == "memory_like").all()


def test_a_cluster_that_straddles_has_a_name_for_each_of_its_sides(cells):
    values, kind, batch, cuts, lists = cells
    cluster = np.where(np.isin(kind, ["early", "licensed"]), 1, np.where(kind == "late", 2, 0))
    names, clusters = named(values, batch, cuts, cluster, whole(lists))
    assert clusters.loc[[0, 2], "population"].tolist() == ["CD56bright", "CD56dim_CD57"]
    for k in KINDS:
        assert (names[kind == k] == NAMES[k]).mean() > 0.95, k


@pytest.mark.parametrize("kept", [["early", "late"], ["bright", "late"], ["licensed", "late"]])
def test_leaving_clusters_out_changes_no_name_where_kinds_lie_apart(cells, kept):
    """Late cells stay: they are the yardstick of bright, as for clusters."""
    values, kind, batch, cuts, lists = cells
    cluster = np.unique(kind, return_inverse=True)[1]
    before = named(values, batch, cuts, cluster, whole(lists))[0]
    rows = np.flatnonzero(np.isin(kind, kept))
    place = np.full(len(kind), len(rows))  # neighbours that are gone: one cell of a cluster of its own
    place[rows] = np.arange(len(rows))
    left = np.vstack([place[lists[rows]], np.full((1, 15), len(rows))]).astype(np.int32)
    values, batch = np.vstack([values[rows], values[:1]]), np.append(batch[rows], batch[:1])
    after = named(values, batch, cuts, np.append(cluster[rows], 9), whole(left))[0][:-1]
    assert (after == before[rows]).all()


def test_cells_of_files_without_a_marker_go_by_their_neighbours_and_cluster(cells):
    values, kind, batch, cuts, lists = cells
    values = values.copy()
    values[::2, MARKERS.index("NKG2A")] = np.nan
    values[kind == "licensed", MARKERS.index("CD57")] = np.nan  # nobody of the cluster has it
    names, _ = named(values, batch, cuts, np.unique(kind, return_inverse=True)[1], whole(lists))
    assert (names[kind == "early"] == "CD56dim_NKG2A").mean() > 0.95
    assert (names[kind == "licensed"] == "CD56dim_KIR").mean() > 0.95


def test_cells_outside_of_a_sketch_are_named_as_in_the_whole_graph(cells, tmp_path):
    values, kind, batch, cuts, _ = cells
    features, graph = tmp_path / "features.npy", tmp_path / "graph.npz"
    np.save(features, np.ascontiguousarray(values[:, NK_MARKERS]))
    settings = {"k": 15, "recall": 1.0, "weights": "umap", "sketch_above": 1000, "sketch_size": 1000}
    make_graph(features, graph, tmp_path / "graph.json", settings=settings, seed=1, threads=1, provenance={})
    lists = read_lists(graph, len(values))
    assert len(lists.rows) < len(values)
    cluster = np.unique(kind, return_inverse=True)[1]
    names, _ = named(values, batch, cuts, cluster, lists, features=features, samples=batch, seed=1, threads=1)
    for k in KINDS:
        assert (names[kind == k] == NAMES[k]).mean() > 0.95, k
    with pytest.raises(ValueError, match="sketch"):
        named(values, batch, cuts, cluster, lists)


def test_where_half_the_files_lack_a_receptor_of_a_group_the_complete_files_speak_for_them(cells):
    values, kind, batch, cuts, lists = cells
    kirs = [j for j, m in enumerate(MARKERS) if m in DEFINITIONS.groups["KIR"]]
    cluster = np.searchsorted(["bright", "early", "late", "licensed"], kind)
    rng = np.random.default_rng(4)
    # one receptor a cell, as in people with several: which ones a panel has decides who looks positive
    spread = values.copy()
    licensed = np.flatnonzero(kind == "licensed")
    high = 0.65 * values[licensed][:, kirs].max(axis=1)
    spread[np.ix_(licensed, kirs)] = 0.0
    spread[licensed, rng.choice(kirs, len(licensed), p=[0.45, 0.45, 0.1])] = high
    before, _ = named(spread, batch, cuts, cluster, whole(lists))
    lost = spread.copy()
    half = rng.random(len(lost)) < 0.5
    lost[np.ix_(half, kirs[:-1])] = np.nan
    after, _ = named(lost, batch, cuts, cluster, whole(lists))
    assert (before == after).mean() >= 0.97 and (before == "CD56dim_KIR").mean() > 0.15
    few = spread.copy()
    few[np.ix_(rng.random(len(few)) < 0.9, kirs[:-1])] = np.nan
    asked = Cells(few, list(MARKERS), batch, thresholds=cuts, definitions=DEFINITIONS, clusters=cluster_distances(
        few, list(MARKERS), cluster, batch=batch, thresholds=cuts, definitions=DEFINITIONS))  # fmt: skip
    assert not asked.lacks("KIR", few).any(), "a tenth of the cells does not speak for the others"


@pytest.mark.parametrize("gaps", [False, True])
def test_the_last_cells_alone_are_what_they_are_among_all(gaps):
    rng = np.random.default_rng(8)
    values = rng.normal(size=(3_000, 3)).astype(np.float32)
    if gaps:
        values[rng.random(values.shape) < 0.2] = np.nan
        values[:, 1] = np.nan
    near, cluster = rng.integers(0, 3_000, (3_000, 4)).astype(np.int32), rng.integers(0, 3, 3_000)
    for of_all, of_some in zip(
        steadied(values, near, cluster), steadied(values, near, cluster, first=2_990), strict=True
    ):
        assert of_some.shape == (10, 3)
        np.testing.assert_array_equal(of_some, of_all[2_990:])
