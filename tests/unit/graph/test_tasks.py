"""Tasks side by side: what must not happen at once, and errors."""

import threading
import time

import pytest

from cimlnk.graph.tasks import pool


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_tasks_that_touch_the_same_thing_are_done_in_their_order(threads):
    touched = [{i % 3, (i * i + 1) % 5 + 3} for i in range(60)]
    busy, seen, lock = set(), {}, threading.Lock()

    def work(i):
        with lock:
            assert not busy & touched[i]
            busy.update(touched[i])
        time.sleep(0.0005)
        with lock:
            busy.difference_update(touched[i])
            for thing in touched[i]:
                seen.setdefault(thing, []).append(i)

    with pool(threads) as workers:
        workers.run_apart(work, [(i,) for i in range(60)], touched)
        workers.run_apart(work, [], [])
    assert sum(map(len, seen.values())) == 120
    assert all(order == sorted(order) for order in seen.values())


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_ends_the_rest(threads):
    done = []

    def work(i):
        if i == 5:
            raise KeyError(i)
        done.append(i)

    with pool(threads) as workers, pytest.raises(KeyError):
        workers.run_apart(work, [(i,) for i in range(50)], [{0} for _ in range(50)])
    assert done == [0, 1, 2, 3, 4]
