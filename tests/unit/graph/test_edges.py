import numpy as np
import pytest
import scipy.sparse as sp

from cimlnk.graph import knn, weights
from cimlnk.graph.edges import KINDS, permuted
from cimlnk.graph.nearest import Knn
from cimlnk.graph.tasks import pool


def with_self(lists):
    n = lists.n
    return np.c_[np.arange(n), lists.indices], np.c_[np.zeros(n, np.float32), lists.distances]


def test_memberships_sum_to_the_logarithm_of_the_neighbours(grouped):
    """The defining equation, without umap (whose import takes many seconds)."""
    from cimlnk.graph.kernels.weights import memberships

    lists = grouped[2]
    out = np.empty((lists.n, lists.k), np.float32)
    memberships(lists.distances, lists.k, out, 0, lists.n)
    np.testing.assert_allclose(out.sum(axis=1), np.log2(lists.k + 1), rtol=1e-5)
    assert (out[:, 0] == 1).all() and (np.diff(out, axis=1) <= 0).all()


@pytest.mark.slow
def test_fuzzy_weights_equal_those_scanpy_writes(grouped):
    umap = pytest.importorskip("umap.umap_")
    X, _, lists, W = grouped
    indices, distances = with_self(lists)
    expected, _, _ = umap.fuzzy_simplicial_set(
        np.empty((lists.n, 1)), lists.k + 1, np.random.RandomState(0), "euclidean",
        knn_indices=indices, knn_dists=distances,
    )  # fmt: skip
    # umap stops its bisection at 1e-5 of the target sum; the asked agreement is 1e-4
    assert abs(expected - W).max() < 1e-4
    assert expected.nnz == W.nnz


@pytest.mark.slow
def test_fuzzy_weights_with_equal_rows_and_outliers():
    umap = pytest.importorskip("umap.umap_")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 4)).astype(np.float32)
    X[:8] = X[0]
    X[100] *= 1e4
    lists = knn(X, 10)
    indices, distances = with_self(lists)
    expected, _, _ = umap.fuzzy_simplicial_set(
        np.empty((400, 1)), 11, np.random.RandomState(0), "euclidean", knn_indices=indices, knn_dists=distances
    )
    assert abs(expected - weights(lists)).max() < 1e-4


def test_jaccard_counts_shared_neighbours(grouped):
    _, _, lists, _ = grouped
    W = weights(lists, "jaccard")
    sets = [set(row) for row in lists.indices.tolist()]
    for i in (0, 7, 99):
        for u in range(lists.n):
            share = len(sets[i] & sets[u]) / len(sets[i] | sets[u])
            directed = (u in sets[i]) + (i in sets[u])
            assert W[i, u] == pytest.approx(share * directed / 2, abs=1e-6)


def test_gaussian_weights_follow_the_formula(grouped):
    _, _, lists, _ = grouped
    W = weights(lists, "gaussian")
    s = np.median(lists.distances, axis=1).astype(float)
    i, j = 3, int(lists.indices[3, 4])
    d = float(lists.distances[3, 4])
    q = s[i] ** 2 + s[j] ** 2
    assert W[i, j] == pytest.approx(np.sqrt(2 * s[i] * s[j] / q) * np.exp(-(d**2) / q), rel=1e-5)


@pytest.mark.parametrize("kind", ["umap", "jaccard", "gaussian", "unweighted"])
def test_graphs_are_symmetric_and_canonical(grouped, kind):
    W = weights(grouped[2], kind)
    assert W.dtype == np.float32 and abs(W - W.T).max() == 0
    assert W.diagonal().sum() == 0 and (W.data > 0).all() and W.data.max() <= 1 + 1e-6
    again = sp.csr_matrix(W.toarray())
    np.testing.assert_array_equal(again.indices, W.indices)


def test_weights_do_not_depend_on_threads(grouped):
    one, two = weights(grouped[2], threads=1), weights(grouped[2], threads=3)
    assert one.data.tobytes() == two.data.tobytes() and one.indices.tobytes() == two.indices.tobytes()


def test_permuted_is_the_reordered_matrix(grouped):
    W = grouped[3]
    order = np.random.default_rng(0).permutation(W.shape[0]).astype(np.int32)
    with pool(2) as workers:
        indptr, ix, data = permuted(W, order, workers)
    assert abs(sp.csr_matrix((data, ix, indptr), shape=W.shape) - W[order][:, order]).max() == 0


def test_unknown_kind_is_refused(grouped):
    with pytest.raises(ValueError, match="snn"):
        weights(grouped[2], "snn")


def test_ordered_weights_are_the_same_graph_in_the_order_of_the_search(grouped):
    lists = grouped[2]
    place = np.random.default_rng(3).permutation(lists.n).astype(np.int32)  # small matrices are searched in their order
    back = np.argsort(place)
    moved = Knn(back[lists.near[place]].astype(np.int32), lists.far[place], place, 1.0, 0.0, "exact", 0, 0)
    np.testing.assert_array_equal(moved.indices, lists.indices)
    np.testing.assert_array_equal(moved.distances, lists.distances)
    W, ordered = weights(moved), weights(moved, ordered=True)
    assert abs(W[place][:, place] - ordered).max() == 0 and W.nnz == ordered.nnz
    assert W.has_sorted_indices and not ordered.has_sorted_indices


def test_the_nearest_of_longer_lists_make_the_graph_of_shorter_ones(grouped):
    X, _, lists, _ = grouped
    for kind in KINDS:
        assert abs(weights(lists, kind, k=9) - weights(knn(X, 9), kind)).max() == 0
    with pytest.raises(ValueError, match="the lists have"):
        weights(lists, k=lists.k + 1)
