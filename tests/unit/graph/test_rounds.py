"""Moving in rounds, on graphs small enough to be compared with igraph; benchmarks/leiden.py compares large ones."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from cimlnk.graph import knn, leiden, leiden_passes, modularity, network, weights
from cimlnk.graph.edges import arrays_of
from cimlnk.graph.kernels import rounds as kernel
from cimlnk.graph.rounds import move_in_rounds
from cimlnk.graph.tasks import pool

THREADS = (1, 2, 4, 8)


@pytest.fixture
def large(monkeypatch):
    """Graphs of some hundred nodes treated as those above 400,000 are."""
    monkeypatch.setattr(leiden_passes, "LARGE", 100)
    monkeypatch.setattr(leiden_passes, "BLOCK", 300)
    monkeypatch.setattr(leiden_passes, "WIDE", 300)
    monkeypatch.setattr(leiden_passes, "ROUNDS", 50)
    monkeypatch.setattr(network, "PIECE", 128)
    monkeypatch.setattr("cimlnk.graph.rounds.STEP", 256)


def joined(pairs, n):
    """The unweighted graph of these pairs of nodes."""
    rows, columns = np.asarray(pairs).T
    W = sp.coo_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n))
    return sp.csr_matrix(((W + W.T) > 0).astype(np.float32))


def clique(n):
    return sp.csr_matrix(np.ones((n, n), np.float32) - np.eye(n, dtype=np.float32))


def copies(n, count):
    """Neighbour graph of `count` places with many equal rows at each."""
    X = np.random.default_rng(3).normal(size=(count, 4)).astype(np.float32)
    return weights(knn(np.repeat(X, n // count, axis=0), 10))


# Nodes whose neighbours are a multiple of 16 away have their turn in the same round and see each other as they were.
GRAPHS = {
    "no edges": lambda: sp.csr_matrix((640, 640), dtype=np.float32),
    "one clique": lambda: clique(400),
    "star": lambda: joined([(0, i) for i in range(1, 700)], 700),
    "pairs 16 apart": lambda: joined([(i, i + 16) for i in range(640) if i // 16 % 2 == 0], 640),
    "chains of 16 apart": lambda: joined([(i, i + 16) for i in range(640 - 16)], 640),
    "two sides": lambda: joined([(i, j) for i in range(0, 640, 32) for j in range(16, 640, 32)], 640),
    "equal rows": lambda: copies(800, 8),
    "one hub in a ring": lambda: joined(
        [(i, (i + 1) % 640) for i in range(640)] + [(0, i) for i in range(2, 639)], 640
    ),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_odd_graphs_end_no_worse_than_by_igraph_for_every_number_of_threads(large, kind):
    W = GRAPHS[kind]()
    found = [leiden(W, threads=t) for t in THREADS]
    assert len({f.labels.tobytes() for f in found}) == 1
    assert found[0].quality == pytest.approx(modularity(W, found[0].labels), abs=1e-6)
    assert found[0].quality >= leiden(W, backend="igraph").quality - 1e-3


@pytest.mark.parametrize("objective,resolution", [("modularity", 0.3), ("modularity", 1.0), ("CPM", 0.005)])
def test_groups_of_cells_end_no_worse_than_by_igraph(large, make_hierarchy, objective, resolution):
    for sample in range(3):
        W = weights(knn(make_hierarchy(sample, n=1500)[0], 15))
        best = max(leiden(W, resolution, objective, seed=s, backend="igraph").quality for s in range(3))
        found = [leiden(W, resolution, objective, seed=sample, threads=t) for t in (1, 4)]
        assert found[0].labels.tobytes() == found[1].labels.tobytes()
        assert found[0].quality >= best - 1e-3


def test_a_warm_start_is_kept_or_bettered(large, grouped):
    _, y, lists, W = grouped
    warm = leiden(W, 1.0, initial=y, n_iterations=1, order=lists.order)
    assert warm.quality >= modularity(W, y)
    again = leiden(W, 1.0, initial=warm.labels, n_iterations=1, order=lists.order)
    assert again.quality >= warm.quality - 1e-9


def test_rounds_gain_what_single_moves_gain(grouped):
    """Alone, from one community per node: no node is left that another community would take with a gain."""
    W = grouped[3]
    graph = network.weighed(arrays_of(W), "modularity", True)
    price = 1 / graph.mass.sum()
    labels = np.arange(graph.n, dtype=np.int32)
    start = network.quality(graph, labels, price)
    with pool(2) as workers:
        moves = move_in_rounds(graph, labels, price, workers=workers)
    assert moves > graph.n / 2 and network.quality(graph, labels, price) > start
    single = np.arange(graph.n, dtype=np.int32)
    order = np.arange(graph.n, dtype=np.int32)
    total = graph.mass.copy()
    leiden_passes.kernel.move(*graph[:4], single, total, price, order, 1000 * graph.n, 0, graph.n)
    share = (network.quality(graph, x, price) / graph.mass.sum() for x in (labels, single))
    assert next(share) >= next(share) - 0.02  # both are far from the end of a descent, 0.1 apart between seeds


def test_choices_leave_a_shared_table_empty_and_do_not_depend_on_its_size(grouped):
    graph = network.weighed(arrays_of(grouped[3]), "modularity", True)
    n, labels = graph.n, (np.arange(graph.n) // 7).astype(np.int32)
    total, size = np.bincount(labels, graph.mass, n), np.bincount(labels, minlength=n).astype(np.int32)
    shared = (*graph[:4], labels, total, size, 1 / graph.mass.sum(), np.arange(n, dtype=np.int32))
    found = [(np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.float32)) for _ in range(2)]
    kernel.wishes(*shared, *found[0], 0, n)
    table = kernel.table(kernel.places(1000))
    for a in range(0, n, 100):
        kernel.choose(*shared, *found[1], table, a, min(n, a + 100))
    assert all((x == y).all() for x, y in zip(*found, strict=True)) and (found[0][0] != labels).any()
    assert (table[0] == -1).all() and (table[1] == 0).all()


def test_a_lack_of_memory_is_told_before_threads_could_wait_for_each_other(grouped, monkeypatch):
    graph = network.weighed(arrays_of(grouped[3]), "modularity", True)
    given = []

    def table(size):
        if given:
            raise MemoryError
        given.append(size)
        return kernel.table.py_func(size)

    monkeypatch.setattr("cimlnk.graph.rounds.kernel", SimpleNamespace(**vars(kernel) | {"table": table}))
    with pool(2) as workers, pytest.raises(MemoryError):
        move_in_rounds(graph, np.arange(graph.n, dtype=np.int32), 1 / graph.mass.sum(), workers=workers)
    assert given[0] >= 4 * np.diff(graph.indptr).max()


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_communities_are_those_of_scipy_however_the_nodes_are_cut(large, seed):
    rng = np.random.default_rng(seed)
    n = 700
    W = joined(rng.integers(0, n, (900, 2)), n)
    labels = rng.integers(0, 3, n).astype(np.int32)
    graph = network.weighed(arrays_of(W), "modularity", True)
    with pool(3) as workers:
        found = network.connected(graph, labels, workers=workers)
    coo = W.tocoo()
    same = labels[coo.row] == labels[coo.col]
    inside = sp.csr_matrix((coo.data[same], (coo.row[same], coo.col[same])), shape=W.shape)
    count, expected = connected_components(inside, directed=False)
    assert found.max() + 1 == count == len(set(zip(found.tolist(), expected.tolist(), strict=True)))
    assert (np.diff(np.unique(found, return_index=True)[1]) > 0).all(), "numbered by first appearance"
