"""The share of neighbours with the same name, on the whole graph and by way of a sketch."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.graph.files import make_graph
from cimlnk.populations.neighbours import name_agreement, same_name

SETTINGS = {"k": 15, "recall": 1.0, "weights": "umap", "sketch_above": 10**6, "sketch_size": 1000}


def test_neighbours_are_counted_by_hand():
    indices = np.array([[1, 2], [0, 2], [0, 1]], np.int32)
    assert same_name(indices, np.array([0, 0, 1]), np.array([0, 0, 1])).tolist() == [0.5, 0.5, 0.0]
    # two cells asked about three others
    assert same_name(np.array([[0, 2], [1, 2]], np.int32), np.array([0, 0, 1]), np.array([1, 1])).tolist() == [0.5, 0.5]


def test_a_cell_without_neighbours_has_no_agreement():
    assert np.isnan(same_name(np.zeros((1, 0), np.int32), np.array([0]), np.array([0]))).all()


@pytest.fixture
def cohort(tmp_path):
    """Two groups that overlap, so that agreement runs from 0 to 1; three samples of unequal size."""
    random = np.random.default_rng(4)
    names = random.integers(0, 2, 2400)
    X = random.normal(size=(2400, 5)).astype(np.float32)
    X[:, 0] += 2.5 * names
    samples = np.repeat(["a", "b", "c"], [300, 1400, 700])
    np.save(tmp_path / "features.npy", X)

    def agreement(rows=slice(None), **changes):
        np.save(tmp_path / "features.npy", X[rows])
        make_graph(
            tmp_path / "features.npy",
            tmp_path / "graph.npz",
            tmp_path / "graph.json",
            settings=SETTINGS | changes,
            seed=1,
            threads=1,
            provenance={},
        )
        return name_agreement(
            tmp_path / "graph.npz", tmp_path / "features.npy", names[rows], samples=samples[rows], seed=1, threads=1
        )

    return agreement, X, names


def test_a_sketch_estimates_the_agreement_on_all_cells(cohort):
    agreement, X, names = cohort
    whole = agreement()
    sketched = agreement(sketch_above=1000, sketch_size=1000)
    assert len(sketched) == len(X) and np.isfinite(sketched).all()
    # the same share from 15 other cells: the binomial error of a share from 15 is .13 at most
    assert abs(whole.mean() - sketched.mean()) < 0.02
    assert np.abs(whole - sketched).mean() < 0.13 and np.corrcoef(whole, sketched)[0, 1] > 0.8
    # cells that carry the other group's name are found out in the sketch and outside
    side = (X[:, 0] > 1.25) != names
    assert sketched[side].mean() < 0.35 < 0.8 < sketched[~side].mean()


def test_cells_of_the_sketch_are_asked_about_the_graph(cohort, tmp_path):
    agreement, _, names = cohort
    sketched = agreement(sketch_above=1000, sketch_size=1000)
    with np.load(tmp_path / "graph.npz") as saved:
        rows, indices = saved["rows"], saved["indices"]
    by_hand = (names[rows][indices] == names[rows][:, None]).mean(axis=1)
    np.testing.assert_allclose(sketched[rows], by_hand, atol=1e-6)


def test_the_pieces_of_the_search_do_not_show(cohort, monkeypatch):
    agreement, _, _ = cohort
    whole = agreement(sketch_above=1000, sketch_size=1000)
    monkeypatch.setattr("cimlnk.graph.sketching.CHUNK", 170)
    np.testing.assert_allclose(agreement(sketch_above=1000, sketch_size=1000), whole, atol=1e-6)


def test_a_graph_of_other_cells_is_refused(cohort, tmp_path):
    agreement, _, names = cohort
    agreement()
    with pytest.raises(ValueError, match="graph of 2400 cells, names of 2000"):
        name_agreement(
            tmp_path / "graph.npz",
            tmp_path / "features.npy",
            names[:2000],
            samples=np.repeat("a", 2000),
            seed=1,
            threads=1,
        )
