"""What to do about a lock that another run, or one that was killed, holds on the working directory."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from cimlnk.cohort.command_line import config_files
from cimlnk.common.home import called

SNAKEMAKE, SCRIPTS = b"snakemake", b".snakemake/scripts/"


def at_work(folder: Path, own: int | None = None) -> list[int]:
    """Numbers of the processes of this machine that run Snakemake or one of its jobs in `folder`.

    Parameters
    ----------
    folder
        The working directory of a run.
    own
        Process that does not count (default: this one).

    Returns
    -------
    list of int
        Sorted; empty too where the system has no /proc (macOS) or shows only the processes of the same user.
    """
    own = os.getpid() if own is None else own
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes()
            here = os.path.samefile(place / "cwd", folder)
        except OSError:
            continue  # ended meanwhile, or of another user
        if here and int(place.name) != own and (SNAKEMAKE in words or SCRIPTS in words):
            found.append(int(place.name))
    return sorted(found)


def locked_words(folder: Path, arguments: Sequence[str]) -> str:
    """One line for the user whose run met a lock.

    Parameters
    ----------
    folder
        The working directory.
    arguments
        The command line of the run, for the config files in it.
    """
    configs = config_files(arguments)
    options = "".join(f" --configfile {shlex.quote(c)}" for c in configs[:1]) + "".join(
        f" {shlex.quote(c)}" for c in configs[1:]
    )
    how = f"{called('snakemake', '--unlock' + options)} takes the lock away, and the same command as before goes on"
    working = at_work(folder)
    if working:
        which = ", ".join(map(str, working[:5]))
        return (
            f"another run, or a job of one that was killed, is at work in this folder (process {which}): wait until it "
            f"ends; if a lock is left then, {how}"
        )
    return (
        f"this folder is locked, though no process of this machine works in it: a run was killed, or one is at work "
        f"on another machine; if none is, {how}"
    )
