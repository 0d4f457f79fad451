"""The console script ``cimlnk``: the verbs of ``./run`` where the package is installed instead of cloned."""

from __future__ import annotations

import errno
import importlib
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cimlnk

from .common.errors import Plain, Problems, UserError
from .common.home import HOME

# verb -> module, its function of the remaining words (returning an exit code), what it does
VERBS: dict[str, tuple[str, str, str]] = {
    "run": (
        "cimlnk.__main__",
        "run",
        "a cohort, raw files to report: cimlnk run --configfile FILE [SNAKEMAKE ARGUMENTS]",
    ),
    "draft": (
        "cimlnk.front.draft",
        "main",
        "sheets and a config from a folder of files: cimlnk draft FOLDER [--id NAME]",
    ),
    "check": ("cimlnk.front.check", "main", "what a run would use and could tell: cimlnk check CONFIG"),
    "add": (
        "cimlnk.front.add",
        "main",
        "later samples placed on a finished clustering: cimlnk add SHEET --config CONFIG",
    ),
    "crate": (
        "cimlnk.export.crate",
        "main",
        "a finished run described as an RO-Crate, with every file's hash: cimlnk crate CONFIG",
    ),
    "truth": ("cimlnk.simulate.recovery", "main", "marks on a synthetic cohort: cimlnk truth [--config FILE]"),
    "home": ("cimlnk.__main__", "home", "print the folder of the workflow's own files (configs, panels, definitions)"),
}

UNWRITTEN = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)


def run(arguments: Sequence[str]) -> int:
    """Run the workflow in the working directory.

    All arguments are Snakemake's, but for ``--offline DIR`` at the beginning (files named by URL come from a folder);
    ``--cores all`` and the shipped ``profiles/default`` stand in where none are given.
    """
    from .cohort.command_line import check_config_files, check_folder
    from .common.snakemake import become_snakemake

    words = list(arguments)
    if words[:1] == ["--offline"]:
        if len(words) < 2 or not Path(words[1]).is_dir():
            raise UserError("command line", "--offline", " ".join(words[1:2]), "a folder with the cohort's files")
        os.environ["CIMLNK_OFFLINE"] = str(Path(words[1]).resolve())
        words = words[2:]
    check_folder(words)
    check_config_files(words)
    if not any(word.split("=")[0] in ("--cores", "-c", "--jobs", "-j", "--executor", "-e") for word in words):
        words = ["--cores", "all", *words]
    if "--workflow-profile" not in words and not any(word.startswith("--workflow-profile=") for word in words):
        words = ["--workflow-profile", str(HOME / "profiles/default"), *words]
    if not any(word.split("=")[0] == "--logger" for word in words):
        words = ["--logger", "cimlnk", *words]  # the first word behind it is an option, else it would take that too
    become_snakemake(["--snakefile", str(HOME / "Snakefile"), *words])


def home(arguments: Sequence[str]) -> int:
    """Print where the shipped files lie."""
    print(HOME)
    return 0


def usage() -> str:
    """The verbs, a line each."""
    lines = [f"cimlnk {cimlnk.__version__}: longitudinal profiling of CIML NK cells (docs: README.md)", ""]
    return "\n".join([*lines, *(f"  {verb:8} {what}" for verb, (_, _, what) in VERBS.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Hand the words after the verb to its function; 0 if it succeeded, 2 for a wrong word or input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ["MPLBACKEND"] = "Agg"  # a notebook's is refused by matplotlib where it is not installed
    try:
        code = _obey(words)
        sys.stdout.flush()  # what is still to be written fails here, not in a traceback as Python ends
        return code
    except UserError as error:
        print(f"cimlnk: error in the input, nothing was run:\n{error}", file=sys.stderr)
        return 2
    except OSError as error:
        return _refused(error, words[0] if words else "help")


def _obey(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if words[0] in ("-V", "--version"):
        print(cimlnk.__version__)
        return 0
    if words[0] not in VERBS:
        problems = Problems()
        problems.add("command line", "verb", words[0], f"one of {', '.join(VERBS)}", list(VERBS))
        problems.raise_if_any()
    module, name, _ = VERBS[words[0]]
    verb: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return verb(words[1:])


def _words_are_stuck(error: OSError) -> bool:
    """Whether it is standard output that cannot be written: an error of writing a file names no file either."""
    if error.errno == errno.EPIPE:  # of long texts nothing may be left to be written again
        output = select.poll()
        output.register(1, 0)
        return bool(output.poll(0))
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _refused(error: OSError, verb: str) -> int:
    """One line for what the operating system refused; nothing where the reader of our words went away (``| head``)."""
    from .common.job import machine_fault

    if error.filename is None and error.errno in UNWRITTEN and _words_are_stuck(error):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes the rest as it ends
        if error.errno == errno.EPIPE:
            return 128 + signal.SIGPIPE
        told: UserError | None = UserError(
            "standard output", "the words of this command", Plain(os.strerror(error.errno)), "a place with room"
        )
    else:
        told = machine_fault(error, verb)
    if told is None:
        raise error
    print(f"cimlnk: error: {told}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
