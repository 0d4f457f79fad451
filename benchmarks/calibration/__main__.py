"""Calibration of the statistics on simulated cohorts; writes the figures of docs/six-patients.md.

Run as ``./run python benchmarks/calibration``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its folder's name, a package is not on the path

from calibration.abundance import EFFECTS, NULLS, STRESS, abundance_study, fold_study  # noqa: E402
from calibration.figure import draw  # noqa: E402
from calibration.kinetics import kinetics_study  # noqa: E402


def main(arguments: list[str] | None = None) -> None:
    """Print the tables and write them, with the figure, into `--out`."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration", description=__doc__)
    parser.add_argument("--sets", type=int, default=1000, help="simulated cohorts per scenario")
    parser.add_argument("--kinetics", type=int, default=30, help="simulated cohorts of the kinetic model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args(arguments)
    tables = {
        "abundance": abundance_study(NULLS + STRESS + EFFECTS, options.sets, options.seed),
        "folds": pd.Series(fold_study(options.sets, options.seed), name="value").rename_axis("what").reset_index(),
        "kinetics": kinetics_study(options.kinetics, options.seed),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(options.out / f"calibration_{name}.csv", index=False, float_format="%.4g")
        print(f"\n{name}\n{table.round(3).to_string(index=False)}")
    promised = ~tables["abundance"]["scenario"].isin([s.name for s in STRESS])
    draw(tables["abundance"][promised], options.seed, options.out / "six_patients.svg")


if __name__ == "__main__":
    main()
