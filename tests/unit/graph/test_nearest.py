import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cimlnk.graph import knn
from cimlnk.graph.duplicates import crowds, ring
from cimlnk.graph.kernels import cell_pairs
from cimlnk.graph.mutual_search import LOOKS, SHARE, compared, enough, order_of_meetings, self_search, through
from cimlnk.graph.search import Index, found_share, query
from cimlnk.graph.tasks import pool


def truth(X, k):
    D = cdist(X.astype(np.float64), X.astype(np.float64))
    np.fill_diagonal(D, np.inf)
    return np.sort(D, axis=1)[:, :k]


def test_exact_lists_equal_brute_force(make_blobs):
    X, _ = make_blobs(1, n=700)
    lists = knn(X, 15)
    assert lists.method == "exact" and lists.recall == 1.0
    # float32 distances: relative error of a few 1e-7 per difference
    np.testing.assert_allclose(lists.distances, truth(X, 15), rtol=1e-5)
    own = np.arange(len(X))[:, None]
    assert (lists.indices != own).all()
    assert all(len(set(row)) == 15 for row in lists.indices.tolist())
    direct = np.linalg.norm(X[:, None] - X[lists.indices], axis=2)
    np.testing.assert_allclose(lists.distances, direct, rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 3e4])
def test_exactness_survives_an_offset(make_blobs, shift):
    X, _ = make_blobs(2, n=400)
    X = X + np.float32(shift)
    # with the offset the data themselves only carry about 3 decimals: compare with the truth of the rounded data
    np.testing.assert_allclose(knn(X, 5).distances, truth(X, 5), rtol=1e-4)


@pytest.mark.parametrize("asked", [0.9, 0.97])
def test_partitioned_search_reaches_the_asked_recall(asked):
    X = np.random.default_rng(3).normal(size=(6000, 8)).astype(np.float32)
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        found, effort = self_search(index, 15, asked)
    kth = truth(X, 15)[index.order, -1]
    reached = (np.sqrt(found.value) * index.scale <= kth[:, None] * (1 + 1e-5)).mean()
    # the effort is set on 1,000 of the rows: their mean has a standard error of about 0.003
    assert reached >= asked - 0.01
    assert effort.budget < len(X)
    assert (found.ident != np.arange(len(X))[:, None]).all()
    assert all(len(set(row)) == 15 for row in found.ident[:500].tolist())


def test_a_look_at_the_neighbours_neighbours_only_improves():
    """Lists of a search with far too small a budget; distances stay those of the rows named."""
    X = np.random.default_rng(8).normal(size=(4000, 6)).astype(np.float32)
    own = np.arange(4000, dtype=np.int32)
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        before = index.probed(index.Z, index.start, own, k=10, budget=250)
        after = through(index, before, 8)
        some = through(index, before, 8, rows=np.array([3, 0, 1999], np.int32))
    kth = truth(X, 10)[index.order, -1:] / index.scale
    share = [(np.sqrt(found.value) <= kth * (1 + 1e-5)).mean() for found in (before, after)]
    assert share[1] > share[0] + 0.02
    assert (after.value <= before.value + 1e-6).all() and (np.diff(after.value, axis=1) >= 0).all()
    assert all(len(set(row)) == 10 for row in after.ident.tolist()) and (after.ident != own[:, None]).all()
    assert (some.ident == after.ident[[3, 0, 1999]]).all() and (some.value == after.value[[3, 0, 1999]]).all()
    gap = index.Z[after.ident] - index.Z[:, None]
    np.testing.assert_allclose(after.value, (gap**2).sum(axis=2), rtol=1e-4)


def test_no_more_neighbours_of_neighbours_are_looked_at_than_needed():
    X = np.random.default_rng(10).normal(size=(6000, 12)).astype(np.float32)
    own = np.arange(len(X), dtype=np.int32)
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        found = index.probed(index.Z, index.start, own, k=10, budget=500)
        effort = index.calibrated(10, 0.3)
        shares = [found_share(through(index, found, f).value[effort.queries], effort.limit) for f in LOOKS]
        assert shares == sorted(shares) and shares[-1] > shares[0] + 0.05
        for i in (1, 3):
            assert enough(index, found, effort, recall=(shares[i - 1] + shares[i]) / 2) == LOOKS[i]
        assert enough(index, found, effort, recall=1.0) == LOOKS[-1]


def test_rows_far_outside_do_no_harm_to_the_others():
    """A few values a thousand times larger than the rest are cut off in the whole numbers, not in the distances."""
    X = np.random.default_rng(9).normal(size=(4000, 6)).astype(np.float32)
    X[:4, 2] = [1e3, 1e3 + 1, -1e3, 5e2]
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        found, _ = self_search(index, 10, 0.95)
    kth = truth(X, 10)[index.order, -1]
    assert (np.sqrt(found.value) * index.scale <= kth[:, None] * (1 + 1e-4)).mean() >= 0.94


def test_same_lists_for_any_number_of_threads():
    X = np.random.default_rng(4).normal(size=(5000, 6)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        with pool(threads) as workers:
            found, _ = self_search(Index(X, workers, seed=7, exact=False), 10, 0.95)
        results.append(found)
    for other in results[1:]:
        assert results[0].ident.tobytes() == other.ident.tobytes()
        assert results[0].value.tobytes() == other.value.tobytes()


def test_a_pair_of_rows_meets_if_either_looks_into_the_cell_of_the_other():
    """The lists are those of comparing every row with the rows of the cells that it looks into or that look at it."""
    X = np.random.default_rng(14).normal(size=(3000, 7)).astype(np.float32)
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        budget, reach = np.float32(500), index.cells_in_reach(500, share=SHARE)
        numbers, others, bits = cell_pairs.choices(
            index.Z, index.start, index.C, index.half, reach, budget, 0, index.n_cells
        )
        found = compared(index, 10, 500)
    cell = index.cell_of(np.arange(3000))
    looks = cell[:, None] == np.arange(index.n_cells)  # row, cell
    entry = word = 0
    for c in range(index.n_cells):
        rows = np.arange(index.start[c], index.start[c + 1])
        width = (len(rows) + 63) // 64
        for _ in range(numbers[c]):
            mask = np.unpackbits(bits[word : word + width].view(np.uint8), bitorder="little")
            looks[rows, others[entry]] = mask[: len(rows)]
            entry, word = entry + 1, word + width
    assert entry == len(others) and word == len(bits)
    held = looks @ np.diff(index.start)
    assert (held <= 500 + np.diff(index.start)[cell]).all() and 400 < held.mean()
    D = cdist(index.Z, index.Z)
    np.fill_diagonal(D, np.inf)
    D[~(looks[:, cell] | looks[:, cell].T)] = np.inf
    least = np.sort(D, axis=1)[:, :10]
    # cells that mostly look at one another are compared whole, so some lists are better
    assert (np.sqrt(found.value) <= least * (1 + 1e-4)).all()
    assert (np.sqrt(found.value) >= least * (1 - 1e-4)).mean() > 0.95


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_every_two_blocks_meet_once_and_rounds_share_none(count):
    pairs = order_of_meetings(count)
    assert sorted(pairs) == [(p, q) for p in range(count) for q in range(p, count)]
    rest = pairs[count:]
    for at in range(0, len(rest), max(1, count // 2)):
        seen = [x for pair in rest[at : at + count // 2] for x in pair]
        assert len(seen) == len(set(seen))


def test_new_rows_find_indexed_rows():
    rng = np.random.default_rng(5)
    X, Y = rng.normal(size=(4000, 5)).astype(np.float32), rng.normal(size=(200, 5)).astype(np.float32)
    kth = np.sort(cdist(Y, X), axis=1)[:, 4]
    with pool(2) as workers:
        exact = query(Index(X, workers, exact=True), Y, 5, budget=0)
        near = query(Index(X, workers, exact=False), Y, 5, budget=2000)
    np.testing.assert_allclose(exact.distances[:, -1], kth, rtol=1e-5)
    assert (near.distances <= kth[:, None] * (1 + 1e-5)).mean() > 0.95
    np.testing.assert_allclose(near.distances, np.linalg.norm(Y[:, None] - X[near.indices], axis=2), rtol=1e-4)


def test_many_equal_rows_are_harmless_and_connected():
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    rng = np.random.default_rng(6)
    X = rng.normal(size=(1000, 4)).astype(np.float32)
    X[100:600] = X[100]
    X[600:650] = -0.0
    X[650:700] = 0.0
    lists = knn(X, 15)
    np.testing.assert_allclose(lists.distances, truth(X, 15), rtol=1e-4, atol=1e-6)
    assert (lists.distances[100:600] == 0).all() and (lists.distances[600:700] == 0).all()
    assert (lists.indices != np.arange(1000)[:, None]).all()
    assert sorted(lists.order) == list(range(1000))
    inside = lists.indices[100:600] - 100
    W = csr_matrix((np.ones(inside.size), (np.repeat(np.arange(500), 15), inside.ravel())), shape=(500, 500))
    assert connected_components(W, directed=False)[0] == 1


def test_only_rows_that_are_equal_make_a_crowd():
    rng = np.random.default_rng(16)
    X = rng.normal(size=(5000, 3)).astype(np.float32)
    X[::125] = 0
    X[[7, 11, 13]] = X[4001]  # too few to count
    with pool(2) as workers:
        found = crowds(X, 15, workers)
    assert len(found) == 1 and found[0].tolist() == list(range(0, 5000, 125))


def test_ring_steps_are_distinct_and_never_zero():
    for size in (17, 31, 1000):
        steps = ring(size, 16)
        assert len(set(steps.tolist())) == 16 and 0 not in steps and steps.max() < size


def test_constant_columns_and_one_value_do_no_harm():
    X = np.random.default_rng(7).normal(size=(300, 3)).astype(np.float32)
    wide = np.hstack([X, np.full((300, 2), 5, np.float32)])
    np.testing.assert_allclose(knn(wide, 5).distances, knn(X, 5).distances, rtol=1e-4)
    assert (knn(np.ones((100, 2), np.float32), 5).distances == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_are_not_numbers_are_refused(value):
    X = np.zeros((50, 3), np.float32)
    X[17, 1] = value
    with pytest.raises(ValueError, match="row 17"):
        knn(X, 5)


def test_wrong_arguments_are_refused():
    X = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    with pytest.raises(ValueError, match="at least 11 rows"):
        knn(X, 10)
    with pytest.raises(ValueError, match="recall"):
        knn(X, 3, recall=0.2)
    with pytest.raises(ValueError, match="cells x features"):
        knn(X[0], 3)
    assert knn(X, 9).indices.shape == (10, 9)


def test_near_cells_are_found_in_order_the_cell_itself_first_also_among_equal_ones():
    from cimlnk.graph.kernels.partition import half_squares, nearest_cells

    rng = np.random.default_rng(12)
    C = rng.normal(size=(300, 5)).astype(np.float32)
    C[40:80] = C[40]  # more equal cells than are asked for
    near = np.empty((300, 25), np.int32)
    nearest_cells(C, half_squares(C), 0, 300, near)
    far = cdist(C, C)
    assert (near[:, 0] == np.arange(300)).all() and all(len(set(row)) == 25 for row in near.tolist())
    np.testing.assert_allclose(np.take_along_axis(far, near, 1), np.sort(far, axis=1)[:, :25], atol=1e-3)


def test_rows_far_out_do_not_blur_the_others_nor_what_is_told():
    """A few rows a million times as far away pull the mean to where single precision tells no two others apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(31_000, 10)).astype(np.float32)
    X[rng.choice(len(X), 155, replace=False)] *= 1e6
    rows = rng.choice(len(X), 200, replace=False)
    squares = ((X[rows, None, :].astype(float) - X[None].astype(float)) ** 2).sum(axis=2)
    squares[np.arange(200), rows] = np.inf
    limit = np.sqrt(np.partition(squares, 14, axis=1)[:, 14])
    for recall, error in ((1.0, 0.002), (0.95, 0.05)):  # .05: three standard errors of 200 rows of unlike recall
        lists = knn(X, 15, recall)
        true = (lists.distances[rows] <= limit[:, None] * (1 + 1e-4)).mean()
        assert abs(lists.recall - true) <= error, (recall, lists.recall, true)
