"""Seconds and CPU seconds of the parts of a command, written like Snakemake's benchmarks."""

from __future__ import annotations

import time
from pathlib import Path


class Clock:
    """Times of parts that follow each other.

    Examples
    --------
    >>> clock = Clock()
    >>> clock.lap("reading")
    >>> [part for part, _, _ in clock.laps]
    ['reading']
    """

    def __init__(self) -> None:
        self.laps: list[tuple[str, float, float]] = []
        self._last = time.perf_counter(), time.process_time()

    def lap(self, part: str) -> None:
        """End a part: from the last one's end, or the beginning, until now, over all threads of this process."""
        now = time.perf_counter(), time.process_time()
        self.laps.append((part, now[0] - self._last[0], now[1] - self._last[1]))
        self._last = now

    def write(self, path: Path) -> None:
        """A table of `part`, `s` and `cpu_time`, a row for each."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{part}\t{s:.2f}\t{cpu:.2f}\n" for part, s, cpu in self.laps]
        path.write_text("part\ts\tcpu_time\n" + "".join(rows), encoding="utf-8")
