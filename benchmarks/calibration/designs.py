"""Type I error of every family of tests where designs are worse than planned, for docs/six-patients.md.

Run as ``./run python benchmarks/calibration/designs.py``. Nothing changes over time in any cohort. What was made is
kept in ``build/calibration``: a call that was stopped goes on where it was, and changed code is measured again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from calibration.design_cohorts import FAMILIES, PARTS, PLANS, counted  # noqa: E402
from calibration.pieces import ROOT, Pieces, code_of  # noqa: E402
from cimlnk.common.imports import LIBRARY  # noqa: E402
from cimlnk.stats.intervals import wilson  # noqa: E402

MOST = 0.07  # what no test may exceed
PIECE = 20  # cohorts
MORE = (2, 4)  # times as many cohorts, by turns, where those before leave a rate above MOST possible
EXACT = ("sign_flip", "signed_rank", "relabelling", "block_permutation")
#: Cohorts of the first look, for one of `--cohorts`: families with many tests a cohort need few.
SHARE = {
    "cells per microlitre": 1.4, "all NK cells": 4.0, "abundance": 1.0, "marker state": 0.6, "gene state": 0.8,
    "expression": 0.4, "neighbourhoods": 0.4, "distances": 1.4, "distances of times": 2.0,
}  # fmt: skip
Cell = tuple[str, str]  # plan and family


def code(family: str) -> str:
    """Hash of what is behind the numbers of a family."""
    here = Path(__file__).parent
    return code_of(
        here / "design_cohorts.py", here / "fits_together.py", *(LIBRARY / stage for stage in FAMILIES[family].stages)
    )


def study(cells: Sequence[Cell], cohorts: int, *, seed: int, pieces: Pieces) -> pd.DataFrame:
    """Counts of all cohorts: a few of each cell, all of cells that answer at all, and more of those near the limit."""
    first = {c: max(round(cohorts * SHARE[c[1]] / PIECE), 1) for c in cells}
    table = _ask(dict.fromkeys(cells, 1), seed=seed, pieces=pieces)
    answer = {c for c, part in table.groupby(["plan", "family"]) if part["tests, all"].any()}
    wanted = {c: n if c in answer else 1 for c, n in first.items()}
    for more in MORE:
        near = _near(rates(_ask(wanted, seed=seed, pieces=pieces)))
        wanted |= {c: more * first[c] for c in cells if c in near}
    pieces.seconds = 0.0  # the last call asks for the pieces of those before it, too
    return _ask(wanted, seed=seed, pieces=pieces)


def _near(found: pd.DataFrame) -> set[Cell]:
    """Cells in which a test may reject more than MOST, and is not known to."""
    # day 7 is a question of its own where it was measured worse than the others
    noisy = found["plan"].map({p.name: p.noisy > 1 for p in PLANS})
    asked = (found["contrasts"] != "day 7") | noisy
    # what exact tests exchange is alike but on the noisy day: their level is theory, which a rate can only contradict
    known = found["method"].isin(EXACT) & ~noisy
    possible = found["high"].where(~known, found["type_1"]) > MOST
    near = found[asked & possible & (found["low"] <= MOST)]
    return set(zip(near["plan"], near["family"], strict=True))


def _ask(wanted: dict[Cell, int], *, seed: int, pieces: Pieces) -> pd.DataFrame:
    arguments = [
        {"plan": plan, "family": family, "start": k * PIECE, "stop": (k + 1) * PIECE, "seed": seed}
        for (plan, family), n in wanted.items()
        for k in range(n)
    ]
    return pd.concat(pieces(counted, arguments, code=[code(str(a["family"])) for a in arguments]), ignore_index=True)


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """One row a plan, test, method and part of the contrasts: rate of p < .05 with its 95 % interval.

    Tests of one cohort are not independent: the interval is Wilson's of as many independent tests as have the variance
    that the rates show from cohort to cohort.
    """
    rows = []
    for (plan, family, test, method), of in table.groupby(["plan", "family", "test", "method"], sort=False):
        for part in PARTS:
            tests, hits = (of[f"{what}, {part}"].to_numpy(float) for what in ("tests", "hits"))
            if part != "all" and not tests.any():
                continue
            answered = tests > 0
            rate, n = _rate(tests[answered], hits[answered])
            low, high = wilson(rate, n) if n else (np.nan, np.nan)  # type: ignore[arg-type]
            why = of.loc[of["reason"] != "", "reason"]
            rows.append(
                {
                    "plan": plan, "family": family, "test": test, "method": method, "contrasts": part,
                    "cohorts": int(answered.sum()), "tests": int(tests.sum()), "type_1": rate, "low": low, "high": high,
                    "independent": n, "least_p": of["least_p"].median() if of["least_p"].notna().any() else np.nan,
                    "answered": of["tests, all"].sum() / of["asked"].sum(),
                    "reason": why.mode().iloc[0] if len(why) else "",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _rate(tests: np.ndarray, hits: np.ndarray) -> tuple[float, float]:
    """Rate of a ratio of sums over cohorts, and to how many independent tests they amount."""
    k, m = len(tests), tests.sum()
    if not m:
        return np.nan, 0.0
    rate = float(hits.sum() / m)
    spread = ((hits - rate * tests) ** 2).sum() * k / max(k - 1, 1) / m**2
    if spread == 0.0:  # no hit at all: cohorts are what is surely independent
        return rate, float(k)
    return rate, float(min(rate * (1 - rate) / spread, m))


def as_markdown(found: pd.DataFrame, part: str = "all", plans: Sequence[str] = tuple(p.name for p in PLANS)) -> str:
    """Tests by plans: rate, 95 % interval, and the number of cohorts."""
    lines = ["| test, method | " + " | ".join(plans) + " |", "| --- |" + " --- |" * len(plans)]
    of_part = found[found["contrasts"] == part]
    order = of_part.assign(at=of_part["family"].map(list(FAMILIES).index)).sort_values(["at", "test", "method"])
    for (_, test, method), rows in order.groupby(["family", "test", "method"], sort=False):
        by_plan = {str(r["plan"]): r for _, r in rows.iterrows()}
        cells = [_cell(by_plan.get(p)) for p in plans]
        if any(c[0] == "." for c in cells):
            lines.append(f"| {_name(str(test), str(rows['family'].iloc[0]))}, {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _name(test: str, family: str) -> str:
    return f"{test} of {'genes' if family == 'gene state' else 'markers'}" if test.startswith("state_") else test


def _cell(row: pd.Series | None) -> str:
    if row is None:
        return "–"
    if not row["cohorts"]:
        return "not estimable"
    rate, low, high = (f"{row[k]:.3f}".removeprefix("0") for k in ("type_1", "low", "high"))
    return f"{rate} ({low}–{high}) {row['cohorts']}"


def main(arguments: list[str] | None = None) -> None:
    """Print the tables and, where all was asked for, write them into `--out`; fail if a test rejects too often."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/designs.py", description=__doc__)
    parser.add_argument(
        "--cohorts",
        type=int,
        default=100,
        help="cohorts for each plan (families: their share of it); then more of some",
    )
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    names = [p.name for p in PLANS]
    parser.add_argument("--plans", nargs="+", default=names, choices=names)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/figures/calibration_designs.csv")
    options = parser.parse_args(arguments)
    cells = [(p, f) for f in options.families for p in options.plans]
    pieces = Pieces(jobs=options.jobs)
    found = rates(study(cells, options.cohorts, seed=options.seed, pieces=pieces))
    print(as_markdown(found, plans=options.plans))
    for part in PARTS[1:]:
        print(f"\n{part}\n{as_markdown(found, part, options.plans)}")
    print(f"\n{pieces.seconds:.0f} CPU seconds in all, {pieces.made} pieces made by this call")
    if options.cohorts >= parser.get_default("cohorts") and set(cells) == {(p, f) for p in names for f in FAMILIES}:
        found.to_csv(options.out, index=False, float_format="%.4g")
    often = found[found["type_1"] > MOST]
    if len(often):
        print(often.to_string(index=False))
        raise SystemExit(f"tests that reject more than {MOST:.0%} of true nulls")


if __name__ == "__main__":
    main()
