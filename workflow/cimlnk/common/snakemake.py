"""Snakemake as ``python -m cimlnk.common.snakemake``: interrupted while it loads, it ends in one line (`interrupt`).

Besides, the caller of a Snakemake: it waits for it to the end, so that an interrupted one takes its lock away.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "cimlnk.common.snakemake")


def run_snakemake(arguments: Sequence[str], folder: str | Path = ".") -> int:
    """Run Snakemake in `folder`; its exit code.

    Ctrl-C reaches both processes. Snakemake ends by itself then: it is not killed, as `subprocess.run` would after a
    quarter of a second, which leaves a lock.
    """
    with subprocess.Popen([*COMMAND, *arguments], cwd=folder) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


if __name__ == "__main__":
    sys.argv[0] = "snakemake"
    importlib.import_module("snakemake.cli").main()
