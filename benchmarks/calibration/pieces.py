"""Long work in pieces: done by several processes, kept on disk under the code that made them, and taken up again.

A calibration takes minutes, and is stopped or asked for more cohorts halfway. Each piece is a table in a file whose
name holds a hash of its arguments and of the code behind it, so that a second call takes up where the first one
stopped, and what older code has made is never read.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cimlnk.common.imports import LIBRARY, modules_of

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/calibration"
Work = Callable[..., pd.DataFrame]


#: Parts of the library that make numbers (streams of random ones and names of markers too); how tables are read and
#: errors told makes no piece old.
NUMBERS = (
    "claims", "dynamics", "populations", "stats", "common/seeds.py", "common/markers.py", "common/vocabulary.py",
    "cytof/panel.py",
)  # fmt: skip
LIBRARIES = (np, pd, scipy)


@cache
def code_of(*files: Path) -> str:
    """Hash of files, of the modules of :data:`NUMBERS` that those of the library import, of the table of markers and of
    the versions of the libraries that compute (16 hexadecimal digits)."""
    library = {m for file in files if file.is_relative_to(LIBRARY) for m in modules_of(file)}
    of_numbers = {m for m in library if any(m.is_relative_to(LIBRARY / part) for part in NUMBERS)}
    digest = hashlib.sha256(repr([library.__version__ for library in LIBRARIES]).encode())
    for file in sorted({*files, *of_numbers, ROOT / "resources/markers.tsv"}):
        digest.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


class Pieces:
    """Tables of a function, one for each set of its arguments.

    Parameters
    ----------
    jobs
        Processes; 1 works in this one.
    kept
        Folder of the pieces.

    Examples
    --------
    >>> import tempfile
    >>> asked = Pieces(jobs=1, kept=Path(tempfile.mkdtemp()))
    >>> double = lambda x: pd.DataFrame({"x": [2 * x]})
    >>> [int(t["x"].iloc[0]) for t in asked(double, [{"x": 1}, {"x": 2}], code="1")], asked.made
    ([2, 4], 2)
    >>> _ = asked(double, [{"x": 1}, {"x": 2}], code="1")
    >>> asked.made
    2
    """

    def __init__(self, *, jobs: int, kept: Path = KEPT) -> None:
        self.jobs, self.kept = jobs, kept
        self._pool: ProcessPoolExecutor | None = None
        self.made = 0
        self.seconds = 0.0  # CPU time of all pieces asked for, whichever call made them
        kept.mkdir(parents=True, exist_ok=True)

    def __call__(
        self, work: Work, arguments: Sequence[Mapping[str, Any]], *, code: str | Sequence[str]
    ) -> list[pd.DataFrame]:
        """`work` with each set of arguments, in their order; `code` is that behind all pieces, or behind each."""
        codes = [code] * len(arguments) if isinstance(code, str) else list(code)
        files = [self._file(work, a, c) for a, c in zip(arguments, codes, strict=True)]
        missing = [i for i, f in enumerate(files) if not f.exists()]
        todo = [(work, arguments[i], files[i]) for i in missing]
        if len(todo) > 1 and self.jobs > 1:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.jobs, mp_context=get_context("spawn"))
            done = self._pool.map(_made, *zip(*todo, strict=True))
        else:
            done = (_made(*one) for one in todo)
        for k, _ in enumerate(done):
            self._tell(k + 1, len(todo))
        self.made += len(missing)
        tables = [pd.read_pickle(f) for f in files]  # of this machine and this code: nobody else writes there
        self.seconds += sum(t.attrs["seconds"] for t in tables)
        return tables

    def _file(self, work: Work, arguments: Mapping[str, Any], code: str) -> Path:
        name = hashlib.sha256(repr((work.__name__, sorted(arguments.items()), code)).encode()).hexdigest()[:20]
        return self.kept / f"{name}.pkl"

    @staticmethod
    def _tell(done: int, of: int) -> None:
        if done % 10 == 0 or done == of:
            print(f"{time.strftime('%H:%M:%S')} {done} of {of} pieces", file=sys.stderr, flush=True)


def _made(work: Work, arguments: Mapping[str, Any], file: Path) -> Path:
    start = time.process_time()
    table = work(**arguments)
    table.attrs["seconds"] = time.process_time() - start
    beside = file.with_suffix(f".{os.getpid()}.part")  # two calls may make one piece at once
    table.to_pickle(beside)
    return beside.replace(file)  # a piece that was cut short is no piece
