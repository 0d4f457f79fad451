"""Threads for nogil kernels: fixed pieces of work, so that results do not depend on the number of threads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
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
    with blas_libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(count) as executor:
        yield Pool(executor, count)
