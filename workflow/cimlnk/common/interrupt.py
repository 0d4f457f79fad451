"""Ctrl-C while libraries are still loading ends a command in one line, and a job in none: Snakemake speaks for it."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import TracebackType


def speak_plainly() -> None:
    """Replace Python's traceback of an interruption, in jobs of Snakemake, ``python -m cimlnk…`` and ``cimlnk`` only.

    Whoever imports the package elsewhere (a notebook, a script) keeps Python's own.
    """
    program = sys.argv[0] if sys.argv else ""
    job = ".snakemake/scripts/" in program
    command = any(a == "-m" and b.partition(".")[0] == "cimlnk" for a, b in pairwise(sys.orig_argv[:4]))
    command |= Path(program).stem == "cimlnk" and Path(program).suffix != ".py"  # the console script of the package
    if not (job or command):
        return
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
        elif command:
            print("cimlnk: interrupted", file=sys.stderr)

    sys.excepthook = told
