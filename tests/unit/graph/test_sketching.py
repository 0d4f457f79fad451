import numpy as np
import pytest

from cimlnk.graph import adjusted_rand, extend, knn, leiden, sketch, transfer, weights
from cimlnk.graph.sketching import Known, place


def test_a_sketch_is_sorted_distinct_and_named_by_its_seed():
    X = np.zeros((1000, 2), np.float32)
    rows = sketch(X, 100, 1)
    assert len(set(rows.tolist())) == 100 and (np.diff(rows) > 0).all()
    assert (rows != sketch(X, 100, 2)).any()
    assert len(sketch(X, 5000)) == 1000


def test_transferred_labels_are_those_of_the_full_run(make_blobs):
    X, y = make_blobs(6, n=4000)
    rows = sketch(X, 800)
    small = leiden(weights(knn(X[rows], 15)), 0.3).labels
    found = transfer(X, rows, small)
    full = leiden(weights(knn(X, 15)), 0.3).labels
    assert adjusted_rand(full, found.labels) > 0.98
    assert found.agreement > 0.98
    assert (found.labels[rows] == small).all()
    assert 0 <= found.confidence.min() and found.confidence.max() <= 1


def test_confidence_falls_between_groups():
    rng = np.random.default_rng(0)
    known = np.vstack([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 6]).astype(np.float32)
    labels = np.repeat([0, 1], 300).astype(np.int32)
    new = np.array([[0, 0], [6, 6], [3, 3]], np.float32)
    found = extend(known, labels, new)
    np.testing.assert_array_equal(found.labels[:2], [0, 1])
    assert found.confidence[2] < 0.95 < min(found.confidence[:2])


def test_a_population_never_seen_is_strange(make_blobs):
    X, y = make_blobs(7, n=2000)
    found = extend(X[y > 0], (y[y > 0] - 1).astype(np.int32), X)
    assert (found.strangeness[y == 0] > 1).mean() > 0.95
    assert (found.strangeness[y > 0] > 1).mean() < 0.05
    np.testing.assert_array_equal(found.labels[y > 1], y[y > 1] - 1)


def test_pieces_do_not_change_the_result(make_blobs, monkeypatch):
    X, y = make_blobs(8, n=1000)
    rows = sketch(X, 300)
    whole = transfer(X, rows, y[rows].astype(np.int32))
    monkeypatch.setattr("cimlnk.graph.sketching.CHUNK", 170)
    cut = transfer(X, rows, y[rows].astype(np.int32))
    assert whole.labels.tobytes() == cut.labels.tobytes()


def test_points_are_placed_beside_their_neighbours(make_blobs):
    X, y = make_blobs(9, n=1000)
    rows = sketch(X, 400)
    points = np.column_stack([y[rows], 10 * y[rows]]).astype(np.float32)
    found = place(X, Known(X[rows], rows), points)
    assert (np.abs(found[:, 0] - y) < 0.01).mean() > 0.98


def test_new_cells_must_be_finite(make_blobs):
    X, y = make_blobs(10, n=300)
    bad = X[:5].copy()
    bad[3, 0] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        extend(X, y.astype(np.int32), bad)
