"""Threads for nogil kernels: fixed pieces of work, so that results do not depend on the number of threads."""

from __future__ import annotations

import contextlib
import functools
import heapq
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Condition
from typing import Any


def default_threads() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pieces(n: int, step: int) -> list[tuple[int, int]]:
    """Cut 0..n into ranges of `step`."""
    return [(a, min(n, a + step)) for a in range(0, n, step)]


class Pool:
    """A thread pool whose :meth:`run` waits, keeps the order of the tasks and raises their first error."""

    def __init__(self, executor: ThreadPoolExecutor, threads: int) -> None:
        self.executor, self.threads = executor, threads

    def run(self, function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Call ``function(*task)`` for every task; results in the order of the tasks.

        The calling thread works as well. Every thread takes the next task that is left: a small task costs a few
        microseconds.
        """
        waiting = list(tasks)
        results: list[Any] = [None] * len(waiting)
        left = iter(range(len(waiting)))  # next() of it is one step for the interpreter: no task is taken twice

        def work() -> None:
            for i in left:
                results[i] = function(*waiting[i])

        helpers = [self.executor.submit(work) for _ in range(min(self.threads, len(waiting)) - 1)]
        try:
            work()
        finally:
            started = [h for h in helpers if not h.cancel()]
            wait(started)
        for helper in started:
            helper.result()
        return results

    def run_apart(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], touched: Sequence[set[int]]
    ) -> None:
        """Call ``function(*task)`` for every task, never two at once that touch the same thing.

        Tasks that share a thing are done in their order, so that what becomes of it does not depend on the threads.
        `touched` holds the things of every task, by number.
        """
        queues: dict[int, deque[int]] = {}
        for i, things in enumerate(touched):
            for thing in things:
                queues.setdefault(thing, deque()).append(i)

        def free(i: int) -> bool:
            return all(queues[thing][0] == i for thing in touched[i])

        ready = [i for i in range(len(tasks)) if free(i)]  # a heap
        change = Condition()
        left, failed = len(tasks), False

        def work() -> None:
            nonlocal left, failed
            while True:
                with change:
                    while not ready and left and not failed:
                        change.wait()
                    if not left or failed:
                        return
                    i = heapq.heappop(ready)
                    left -= 1
                try:
                    function(*tasks[i])
                except BaseException:
                    with change:
                        failed = True
                        change.notify_all()
                    raise
                with change:
                    for thing in touched[i]:
                        queues[thing].popleft()
                    after = {queues[thing][0] for thing in touched[i] if queues[thing]}
                    for j in after:
                        if free(j):
                            heapq.heappush(ready, j)
                    change.notify_all()

        self.run(work, [()] * min(self.threads, len(tasks)))

    def spread(self, function: Callable[..., Any], n: int, step: int) -> list[Any]:
        """Call ``function(a, b)`` for the ranges of ``pieces(n, step)``."""
        return self.run(function, pieces(n, step))


@functools.cache
def blas_libraries() -> Any:
    """The BLAS libraries of this process, looked for once: that takes 10 ms, and some jobs open a thousand pools."""
    import scipy.linalg.cython_blas  # noqa: F401  (numba's matrix product uses it: load it before they are looked for)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def pool(threads: int | None = None) -> Iterator[Pool]:
    """A pool of `threads` (default: all CPUs of the process), BLAS held at one thread meanwhile.

    BLAS threads inside task threads would fight for the same cores, and their number would change the rounding.
    """
    count = threads or default_threads()
    here = own_processor()
    with (
        blas_libraries().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(count, initializer=move_away, initargs=(here,)) as executor,
    ):
        yield Pool(executor, count)


def own_processor() -> int:
    """The number of the processor that this thread runs on; -1 where it cannot be told (but on Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        return -1
    try:
        with open("/proc/thread-self/stat", "rb") as f:
            return int(f.read().rpartition(b")")[2].split()[36])
    except (OSError, LookupError):  # a sandbox without /proc: nothing but time is lost
        return -1


def move_away(processor: int) -> None:
    """Have this thread go on on another processor than this one (unless -1), if it may; then it is free again.

    Where other processes keep all processors busy a new thread often starts on that of its maker, and the two take
    turns there for a tenth of a second, longer than most searches of a hundred thousand rows take in all.
    """
    if processor < 0:
        return
    allowed = os.sched_getaffinity(0)
    if others := allowed - {processor}:
        with contextlib.suppress(OSError):  # where it is forbidden: an error here would break the whole pool
            os.sched_setaffinity(0, others)
            os.sched_setaffinity(0, allowed)
