"""Lists of the best whole-number scores, against sorting; and the survey that the effort is set on."""

import numba
import numpy as np
import pytest

from cimlnk.graph.kernels import lists_i16, tile_i16
from cimlnk.graph.kernels.tile_i16 import LOWEST
from cimlnk.graph.search import SPARE, Index, per_query, wider
from cimlnk.graph.tasks import pool


@numba.njit(nogil=True)
def put_all(best, ident, scores):
    for i in range(len(best)):
        for j in range(scores.shape[1]):
            lists_i16.put(best[i].ctypes.data, ident[i].ctypes.data, np.int64(best.shape[1]), scores[i, j], np.int32(j))


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33])
@pytest.mark.parametrize("steps", [3, 2**30])
def test_lists_hold_the_best_in_order_and_equal_ones_as_they_came(count, steps):
    scores = np.random.default_rng(count).integers(-steps, steps, (50, 80)).astype(np.int32)
    best, ident = lists_i16.fresh(50, count)
    assert best.ctypes.data % 64 == 0 and best.shape == (50, lists_i16.room(count))
    put_all(best, ident, scores)
    expected = np.argsort(-scores.astype(np.int64), axis=1, kind="stable")[:, : best.shape[1]]
    assert (ident == expected).all() and (best == np.take_along_axis(scores, expected, axis=1)).all()


def test_lists_that_are_not_full_end_with_nobody():
    best, ident = lists_i16.fresh(2, 20)
    put_all(best, ident, np.int32([[4, 9, 2], [LOWEST + 1, 5, 5]]))
    assert ident[:, :4].tolist() == [[1, 0, 2, -1], [1, 2, 0, -1]] and (ident[:, 3:] == -1).all()
    assert (best[:, 3:] == LOWEST).all()


@pytest.mark.parametrize("bar", [-7, 0, 2**31 - 1])
def test_bits_above_a_bar(bar):
    x = np.random.default_rng(1).integers(-9, 9, 32).astype(np.int32)

    @numba.njit(nogil=True)
    def bits(x, bar):
        return lists_i16.above(x.ctypes.data, np.int32(bar))

    assert int(bits(x, bar)) == sum(1 << t for t in range(32) if x[t] > bar)


def test_spare_entries_begin_no_line_of_the_cache():
    for k in range(1, 70):
        assert k < wider(k) <= k + SPARE
        assert lists_i16.room(wider(k)) == lists_i16.room(k + 1)


@pytest.mark.parametrize("d", [3, 8])
def test_surveyed_rows_get_their_true_neighbours(d):
    rng = np.random.default_rng(d)
    X = np.concatenate([rng.normal(size=(3000, d)), 5 + rng.normal(size=(300, d)), np.zeros((40, d))])
    X = X.astype(np.float32)
    with pool(2) as workers:
        index = Index(X, workers, exact=False)
        q = np.sort(rng.choice(len(X), 301, replace=False))
        found = index.surveyed(q, 9)
        exact = index.scanned(np.ascontiguousarray(index.Z[q]), q.astype(np.int32), 9)
    assert (found.ident != q[:, None]).all() and (found.ident >= 0).all()
    assert found.value == pytest.approx(exact.value, abs=1e-4), "rounded to a ten thousandth of the range"
    assert (found.value == exact.value).mean() > 0.99


@pytest.mark.parametrize("far", [0.0, 0.005, 0.05])
def test_rows_that_whole_numbers_cannot_tell_apart_are_surveyed_exactly(far):
    """Some rows a million times as far away as the others from each other; and heavy tails."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(4000, 6)) if far else rng.standard_cauchy(size=(4000, 6))
    X[: int(far * 4000)] *= 1e6
    with pool(2) as workers:
        index = Index(X.astype(np.float32), workers, exact=False)
        q = np.sort(rng.choice(4000, 200, replace=False))
        found = index.surveyed(q, 9)
        exact = index.scanned(np.ascontiguousarray(index.Z[q]), q.astype(np.int32), 9)
    assert (per_query(found.value, exact.value[:, -1]) == 1).mean() > 0.99


@pytest.mark.parametrize("d", [1, 7, 35])
def test_half_a_tile_gives_the_first_rows_of_a_whole_one(d):
    rng = np.random.default_rng(d)
    words = rng.integers(-(2**31), 2**31, (8, d)).astype(np.int32) & np.int32(0x0FFF0FFF)
    panel = rng.integers(0, 2**28, (d + 1, 32)).astype(np.int32) & np.int32(0x0FFF0FFF)
    bars = rng.integers(0, 2**28, (2, 8)).astype(np.int32)
    theirs = rng.integers(0, 2**28, 32).astype(np.int32)

    @numba.njit
    def run(ids, few):
        out, mine, others = np.zeros((8, 32), np.int32), np.zeros(8, np.uint32), np.zeros(8, np.uint32)
        d = np.int64(words.shape[1])
        tile_i16.mutual_tile(
            words.ctypes.data, ids.ctypes.data, d, panel.ctypes.data, d, bars[0].ctypes.data, out.ctypes.data,
            mine.ctypes.data, bars[1].ctypes.data, theirs.ctypes.data, others.ctypes.data, few,
        )  # fmt: skip
        return out, mine, others

    ids = np.int32([3, 1, 4, 1, 5, 0, 2, 6])
    for a, b in zip(run(ids, False), run(ids, True), strict=True):
        assert (a[:4] == b[:4]).all() and a[4:].any() and not b[4:].any()
