"""Snakemake as ``python -m cimlnk.common.snakemake``: interrupted while it loads, it ends in one line (`interrupt`).

Besides, the caller of a Snakemake: it hands signals on and waits to the end, so that an interrupted one takes its lock
away.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

# -P, and for the jobs the variable: a yaml.py in the user's folder is no library
PYTHON = (sys.executable, "-P", "-m")
COMMAND = (*PYTHON, "cimlnk.common.snakemake")
PACKAGE = str(Path(__file__).resolve().parents[2])  # the folder that this package is imported from


def environment() -> dict[str, str]:
    """The environment of a Snakemake and its jobs, or of another program of this package.

    They import the package from where it was imported here: that may be the working folder, which they leave out.
    """
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    return dict(os.environ) | {
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join(paths if PACKAGE in paths else [*paths, PACKAGE]),
    }


def become_snakemake(arguments: Sequence[str]) -> NoReturn:
    """Snakemake in the place of this process: every signal and the exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(COMMAND[0], [*COMMAND, *arguments], environment())


def run_snakemake(arguments: Sequence[str], folder: str | Path = ".") -> int:
    """Run Snakemake in `folder`; its exit code.

    It leads a process group of its own, and what this process is sent (Ctrl-C, a quit, ``kill``, a closed terminal,
    Ctrl-Z) is handed on, once: by the terminal alone a signal to one of both would not reach the other. Snakemake ends
    by itself then: it is not killed, as `subprocess.run` would after a quarter of a second, which leaves a lock.

    Raises
    ------
    KeyboardInterrupt
        After an interrupted Snakemake has ended.
    """
    command, there = [*COMMAND, *arguments], environment()
    if threading.current_thread() is not threading.main_thread():  # which alone may handle signals
        return subprocess.run(command, cwd=folder, env=there, check=False).returncode
    with (
        _handed_on() as follow,
        subprocess.Popen(command, cwd=folder, env=there, stdin=subprocess.DEVNULL, process_group=0) as process,
    ):
        received = follow(process)
        code = process.wait()
    if signal.SIGINT in received:
        raise KeyboardInterrupt
    return code


@contextmanager
def _handed_on() -> Iterator[Callable[[subprocess.Popen[bytes]], list[int]]]:
    """Signals reach the process that the yielded function is told of, also those that came before it was; they are
    returned, and later ones are added."""
    received: list[int] = []
    waiting: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int) -> None:
        if process is None or process.poll() is not None:
            return
        if number == signal.SIGTERM:  # Snakemake lets its jobs end
            process.terminate()
        elif number == signal.SIGTSTP:
            os.killpg(process.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.killpg(process.pid, signal.SIGCONT)  # here this process goes on, too
        else:
            os.killpg(process.pid, number)

    def hand_on(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if process is None:
            waiting.append(number)
        else:
            with suppress(ProcessLookupError):  # it has just ended
                pass_on(number)

    def follow(started: subprocess.Popen[bytes]) -> list[int]:
        nonlocal process
        process = started
        while waiting:
            pass_on(waiting.pop(0))
        return received

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
    before = {n: signal.signal(n, hand_on) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}  # nohup
    # what is started here may write to the terminal from behind, also after `stty tostop`
    before[signal.SIGTTOU] = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        yield follow
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.argv[0] = "snakemake"
    importlib.import_module("snakemake.cli").main()
