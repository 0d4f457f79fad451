"""The config files a Snakemake command line names, looked for before Snakemake is started.

Snakemake opens them before it reads the Snakefile and ends in a traceback where one is missing, too early for the
checks of :func:`cimlnk.cohort.config.resolve`. ``run`` therefore calls this module first::

    python -m cimlnk.cohort.command_line --cores 4 --configfile config/mine.yaml
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.home import HOME, why_no_file
from cimlnk.common.yaml_file import key_lines, read_yaml

OPTIONS = ("--configfile", "--configfiles")
# of Snakemake, with which nothing of a cohort is written
READ_ONLY = frozenset(
    "-n --dry-run --dryrun --unlock --dag --rulegraph --filegraph --d3dag --lint --summary -S --detailed-summary -D "
    "--list-rules -l --report".split()
)


def config_files(arguments: Sequence[str]) -> list[str]:
    """The paths that Snakemake would take for config files: each option takes every word up to the next option."""
    found: list[str] = []
    taking = False
    for word in arguments:
        option, _, value = word.partition("=")
        if word == "--":
            break
        if word.startswith("-"):
            taking = word in OPTIONS
            if option in OPTIONS and value:
                found.append(value)
        elif taking:
            found.append(word)
    return found


def check_config_files(arguments: Sequence[str], base: str | Path = ".") -> None:
    """Check that every config file on a Snakemake command line is there.

    Parameters
    ----------
    arguments
        The command line without the word ``snakemake``.
    base
        Folder to which relative paths refer, and whose ``config/`` is searched for the nearest name (default: the
        working directory, as in Snakemake).

    Raises
    ------
    UserErrors
        One message per path that is no file (with the nearest YAML or JSON file of ``config/`` or of the path's
        folder) or no YAML (with the line), and per section that stands twice.
    """
    base, problems = Path(base), Problems()
    for name in config_files(arguments):
        path = base / name
        if path.is_file():
            if path.suffix != ".json":
                try:
                    content = read_yaml(path, name)
                    if not isinstance(content, dict):
                        kind = Plain("nothing" if content is None else f"a {type(content).__name__}")
                        problems.add(name, "top level", kind, "a mapping of sections (cohort: …)")
                except UserError as error:
                    problems.extend(error)
            continue
        beside = path.parent.iterdir() if path.parent.is_dir() else []
        near = [f"config/{p.name}" for p in (base / "config").glob("*")] + [
            str(Path(name).parent / p.name) for p in beside if p.name != path.name
        ]
        valid = sorted({n for n in near if Path(n).suffix in (".yaml", ".yml", ".json")})
        expected = f"the path of a config file, but there {why_no_file(path)}"
        if path.suffix not in (".yaml", ".yml", ".json"):
            expected += " (every word up to the next option is read as one: put -- before targets)"
        problems.add("command line", "--configfile", name, expected, valid)
    problems.raise_if_any()


def check_place(*folders: str | Path) -> None:
    """Check that no folder of the run holds ``{`` or ``}``: in paths they stand for wildcards and variables.

    Raises
    ------
    UserError
        For the first one.
    """
    for folder in map(str, folders):
        if "{" in folder or "}" in folder:
            expected = "a path without { and }, which stand for wildcards: rename or move it"
            raise UserError(folder, "folder of the run", Plain("a brace in its path"), expected)


NEEDED = 5_000_000  # bytes: Snakemake's records of a run; without them it ends in a traceback of its own


def check_folder(arguments: Sequence[str], base: str | Path = ".") -> None:
    """Check that Snakemake can write its records where the run is.

    Parameters
    ----------
    arguments
        The command line without the word ``snakemake``; ``--directory`` names another folder than `base`.
    base
        The working directory.

    Raises
    ------
    UserError
        If the folder, or ``.snakemake`` in it, cannot be written to, its disk is full, or its path holds a brace.
    """
    words = [w for word in arguments for w in (word.split("=", 1) if word.startswith("--directory=") else [word])]
    named = [after for word, after in pairwise(words) if word in ("--directory", "-d")]
    folder = Path(base, *named[-1:])
    if not folder.is_dir():
        return  # Snakemake makes it, or says why not
    records = folder / ".snakemake"
    shown = str(folder.resolve())
    check_place(shown, HOME)
    for place in (folder, records):
        if os.path.lexists(place) and not place.is_dir():
            raise UserError(str(place), "folder of the run", Plain(f"there {why_no_file(place)}"), "a folder")
        if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
            expected = "a folder of your own (run it there, or name it by --directory)"
            raise UserError(shown if place is folder else f"{shown}/.snakemake", "folder of the run",
                            Plain("no permission to write"), expected)  # fmt: skip
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        raise UserError(shown, "folder of the run", Plain(f"{free:,} bytes free"), "a disk with room for results")


def check_results(folders: Sequence[str], arguments: Sequence[str], base: str | Path = ".") -> None:
    """Check that results can be written where they lie, or are to lie; a dry run and ``--unlock`` write none.

    Parameters
    ----------
    folders
        What a run writes to, below `base`; one that is not there yet is made in the nearest one that is.
    arguments
        The command line without the word ``snakemake``.
    base
        The folder of the run.

    Raises
    ------
    UserError
        For the first folder, or folder in one, without permission to write.
    """
    if READ_ONLY & {word.partition("=")[0] for word in arguments}:
        return
    for name in folders:
        top = Path(base, name)
        while not os.path.lexists(top) and top != top.parent:
            top = top.parent
        if not top.is_dir():
            raise UserError(str(top), "folder of the results", Plain(f"there {why_no_file(top)}"), "a folder")
        inside = [folder for folder, _, _ in os.walk(top)] if top == Path(base, name) else [top]
        for place in inside:
            if not os.access(place, os.W_OK | os.X_OK):
                expected = "a folder of your own (or run elsewhere: --directory DIR)"
                raise UserError(str(place), "folder of the results", Plain("no permission to write"), expected)


def placed(error: UserError, files: Sequence[str]) -> str:
    """The message of `error`, with the config's file and line for ``config: some.key``."""
    if not files:
        return str(error)
    lines = {key: (file, line) for file in files for key, line in key_lines(file).items()}

    def place(match: re.Match[str]) -> str:
        key = match[1]
        while key and key not in lines:
            key = key.rpartition(".")[0]
        file, line = lines.get(key, (", ".join(files), None))
        return f"{file}: {'' if line is None else f'line {line}, '}{match[1]}: found"

    return re.sub(r"(?m)^config: ([^:\n]+): found", place, str(error))


if __name__ == "__main__":
    try:
        check_folder(sys.argv[1:])
        check_config_files(sys.argv[1:])
    except UserError as error:
        print(f"cimlnk: error in the input, nothing was run:\n{error}", file=sys.stderr)
        sys.exit(1)
