"""Threads that share phases, and memory that collapsed graphs share."""

import numba
import numpy as np
import pytest
import scipy.sparse as sp

from cimlnk.graph import network
from cimlnk.graph.edges import arrays_of
from cimlnk.graph.kernels import team
from cimlnk.graph.tasks import pool


@numba.njit(nogil=True)
def count_up(state, times, pieces, phases):
    """Every piece of every phase counted where it belongs, and how many threads did any."""
    leader = team.leads(state)
    seen = np.int64(0)
    phase = np.int64(0)
    while True:
        if leader:
            if phase == phases:
                team.dismiss(state)
                return 0
            team.open_phase(state, phase, pieces, pieces)
        else:
            seen = team.await_phase(state, seen)
            if seen == team.OVER:
                return 1
        while True:
            piece = team.take(state)
            if piece < 0:
                break
            times[state[team.KIND], piece] += 1
            team.done(state)
        if leader:
            team.finished(state, pieces)
            phase += 1


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_piece_of_every_phase_is_done_once(threads):
    times, state = np.zeros((300, 7), np.int64), np.zeros(team.STATE, np.int64)
    with pool(threads) as workers:
        helpers = workers.run(count_up, [(state, times, 7, 300)] * threads)
    assert (times == 1).all()
    assert sum(helpers) == threads - 1, "one leads"


def test_a_helper_that_comes_too_late_goes():
    times, state = np.zeros((5, 3), np.int64), np.zeros(team.STATE, np.int64)
    assert [count_up(state, times, 3, 5), count_up(state, times, 3, 5)] == [0, 1]
    assert (times == 1).all()


@pytest.mark.parametrize("threads", [1, 4])
def test_collapsed_graphs_are_those_of_matrix_products_and_outlast_one_more(threads):
    rng = np.random.default_rng(threads)
    n = 6000
    W = sp.coo_matrix((rng.random(40_000, np.float32), rng.integers(0, n, (2, 40_000))), shape=(n, n)).tocsr()
    W = sp.csr_matrix(W + W.T)
    W.setdiag(0)
    W.eliminate_zeros()
    graph, kept = network.weighed(arrays_of(W), "modularity", True), []
    room = network.Room()
    with pool(threads) as workers:
        for count in (3000, 2500, 40):
            parts = rng.integers(0, count, graph.n).astype(np.int32)
            parts[:count] = np.arange(count)
            P = sp.csr_matrix((np.ones(graph.n), (np.arange(graph.n), parts)), shape=(graph.n, count))
            W = sp.csr_matrix(P.T @ W @ P)
            W.setdiag(0)
            W.eliminate_zeros()
            graph = network.collapsed(graph, parts, count, workers=workers, into=room)
            kept.append((graph, W))
            for small, expected in kept[-2:]:
                assert (np.diff(small.indptr) == np.diff(expected.indptr)).all()
                found = sp.csr_matrix((small.w, small.ix, small.indptr), shape=expected.shape)
                assert abs(found - expected).max() < 1e-3
    assert not np.shares_memory(kept[1][0].ix, kept[2][0].ix) and np.shares_memory(kept[0][0].ix, kept[2][0].ix)


def test_each_descent_puts_its_largest_graph_where_the_one_before_had_its_own():
    room = network.Room()
    for sizes in ((1000,), (1010, 300, 40), (1000, 310), (1010, 300, 40, 7)):
        room.begin()
        for size in sizes:
            assert len(room(size)[0]) == size
        assert sum(len(columns) for columns, _ in room.kept) <= 1010 + 310


def test_places_beyond_those_of_four_bytes_are_told_apart(monkeypatch, tmp_path):
    """A piece whose nodes have 2^31 entries, of which few are made: edges inside its parts go behind all of them."""
    indptr, ix = np.array([0, 2, 4, 6, 8]), np.int32([1, 2, 0, 3, 0, 3, 1, 2])
    graph = network.Graph(indptr, ix, np.float32([5, 1, 5, 1, 1, 7, 1, 7]), np.ones(4))
    parts = np.int32([0, 0, 1, 1])
    monkeypatch.setattr(network.aggregate, "degrees", lambda *_: 2**31 + 10)

    def sparse(entries):
        """Files that take only what is written to them."""
        kinds = ("columns", np.int32), ("values", np.float32)
        return [np.memmap(tmp_path / name, kind, "w+", shape=entries).view(np.ndarray) for name, kind in kinds]

    small = network.collapsed(graph, parts, 2, workers=None, into=sparse)
    assert small.indptr.tolist() == [0, 1, 2] and small.ix.tolist() == [1, 0] and small.w.tolist() == [2, 2]
