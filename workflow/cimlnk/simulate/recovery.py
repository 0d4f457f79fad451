"""Marks the pipeline on a synthetic cohort: ``./run truth``, and the rule behind the report's recovered-truth page."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.home import HOME
from cimlnk.common.snakemake import PYTHON, environment, run_snakemake
from cimlnk.common.tables import read_table, write_table

from .scores import score
from .tables import ABUNDANCE, RECOVERY, RECOVERY_CASES, read_cells


def make_recovery(
    truth_cells: Mapping[str, str | Path],
    truth_abundance: str | Path,
    populations: Mapping[str, str | Path],
    *,
    summaries: Mapping[str, str | Path],
    abundance: str | Path,
    folds: str | Path,
    recovery: str | Path,
    cases: str | Path,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Read the tables :func:`score` needs and write RECOVERY and RECOVERY_CASES.

    Of the truth's cells only the NK cells and those the pipeline kept are held: all others count by not being there.
    """
    named = {m: read_table(path, columns=["cell", "population"]) for m, path in populations.items()}
    marks, details = score(
        {m: read_cells(path, kept=named[m]["cell"]) for m, path in truth_cells.items()},
        read_table(truth_abundance, ABUNDANCE),
        named,
        summaries={m: read_table(path) for m, path in summaries.items()},
        abundance=read_table(abundance),
        folds=read_table(folds),
    )
    write_table(marks, recovery, RECOVERY, provenance=provenance)
    write_table(details, cases, RECOVERY_CASES, provenance=provenance)


def as_text(marks: pd.DataFrame) -> str:
    """RECOVERY for the terminal."""
    lines = [f"{'':6} {'measure':32} {'data':7} {'value':>7} {'asked':>7} {'n':>8}  worst"]
    for row in marks.itertuples():
        asked = "" if np.isnan(row.threshold) else f"{row.threshold:.2f}"
        verdict = "" if not asked else ("ok" if row.passed else "MISSED")
        worst = row.worst or ""
        lines.append(f"{verdict:6} {row.measure:32} {row.modality:7} {row.value:7.4f} {asked:>7} {row.n:8d}  {worst}")
    return "\n".join(lines)


def cohort_id(config: Path) -> str:
    """Id of the synthetic cohort that a config describes.

    Raises
    ------
    UserError
        If there is no such file, it is no YAML mapping or not valid, or the cohort is not synthetic.
    """
    from cimlnk.cohort.config import resolve
    from cimlnk.common.yaml_file import read_yaml

    if not config.is_file():
        raise UserError(config, "file", Plain("nothing"), "a cohort's YAML file", [str(p) for p in _configs()])
    cfg = resolve(read_yaml(config), ".", str(config))
    if cfg["simulate"] is None:
        raise UserError(config, "simulate", Plain("nothing"), "a synthetic cohort: real data have no planted truth")
    return str(cfg["cohort"]["id"])


def _configs() -> list[Path]:
    return sorted(p.relative_to(HOME) for p in (HOME / "config").glob("*.yaml"))


def main(arguments: list[str] | None = None) -> int:
    """Run the cohort as far as needed, print the marks; 0 if all are reached, 1 if not, 2 for a wrong argument.

    ``--scenarios`` checks the numbered situations instead (:mod:`cimlnk.scenarios`, with its own arguments).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--scenarios" in words:
        rest = [w for w in words if w != "--scenarios"]
        command = [*PYTHON, "cimlnk.scenarios", *rest]  # a program of its own, as simulate may not import scenarios
        return subprocess.run(command, env=environment(), check=False).returncode
    parser = argparse.ArgumentParser(prog="run truth", description="Mark the pipeline on a synthetic cohort.")
    parser.epilog = "--scenarios [--small] [--only NUMBERS]: check the numbered situations instead"
    demo = Path("config/config.yaml")
    parser.add_argument("--config", "--configfile", type=Path, default=demo, help="cohort (default: the demo)")
    parser.add_argument("--cores", default="all", help="cores for the run (default: all)")
    parser.add_argument("--no-run", action="store_true", help="show the marks that are there, run nothing")
    given = parser.parse_args(words)
    try:
        marks_file = Path("results") / cohort_id(given.config) / "truth/recovery.parquet"
        if not given.no_run:
            command = ["--cores", given.cores, "--configfile", str(given.config), "--", str(marks_file)]
            print("run truth: snakemake", *command, file=sys.stderr, flush=True)
            if run_snakemake(command) != 0:
                return 1
        if not marks_file.is_file():
            raise UserError(marks_file, "file", Plain("nothing"), "the marks of an earlier run (leave --no-run out)")
    except UserError as error:
        print(f"cimlnk: error: {error}", file=sys.stderr)
        return 2
    marks = read_table(marks_file, RECOVERY)
    print(as_text(marks))
    missed = int((~marks["passed"]).sum())
    print(f"{missed} of {int(marks['threshold'].notna().sum())} marks missed; table: {marks_file}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
