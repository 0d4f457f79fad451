"""How often every finding is supported without its effect, and with it; the table of docs/methods/claims.md.

Run as ``./run python benchmarks/calibration/claims.py``. What was made is kept in ``build/calibration``: a call that
was stopped goes on where it was, and code that has changed is measured again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from calibration.claim_arrays import BY_TABLES  # noqa: E402
from calibration.claim_verdicts import CLAIMS, CMV_RATIO, SEEDS, by_tables, on_grids  # noqa: E402
from calibration.pieces import ROOT, Pieces, Work, code_of  # noqa: E402
from cimlnk.common.imports import LIBRARY  # noqa: E402
from cimlnk.stats.intervals import wilson  # noqa: E402

NOTHING, EFFECTS, CMV_DEPENDS = "nothing happens", "the study's effects", "folds depend on CMV three-fold"
SIZES = (3, 6, 12)
NEAR = 0.04
MORE = 4  # times as many cohorts of findings near the bound
BLOCK = 50  # cohorts a piece
STAGES = ("claims/evaluate.py", "dynamics/repertoire/differential.py", "stats/composition.py")  # behind the numbers


class Asked:
    """Cohorts without effect and with it, by number, made in pieces."""

    def __init__(self, pieces: Pieces, *, seed: int) -> None:
        here = Path(__file__).parent
        made = [here / f"claim_{name}.py" for name in ("verdicts", "arrays", "cohorts", "tables")]
        self.pieces, self.seed = pieces, seed
        self.code = code_of(*made, SEEDS, *(LIBRARY / s for s in STAGES))

    def __call__(self, work: Work, numbers: range, *, claims: Sequence[str], **of: Any) -> pd.DataFrame:
        """Cohorts × findings."""
        blocks = [
            {**of, "claims": tuple(claims), "start": k, "stop": min(k + BLOCK, numbers.stop), "seed": self.seed}
            for k in range(numbers.start, numbers.stop, BLOCK)
        ]
        first = self.pieces(work, blocks[:1], code=self.code)
        if first[0].isna().all(axis=None):  # too few patients, whatever their data
            return first[0]
        return pd.concat([*first, *self.pieces(work, blocks[1:], code=self.code)], ignore_index=True)

    def enough(self, work: Work, cohorts: int, *, claims: Sequence[str], **of: Any) -> pd.DataFrame:
        """`cohorts` cohorts without effect, and three times as many more of findings supported in more than `NEAR`.

        A thousand tell 4 from 6 % badly. All cohorts count, so that going on where the first ones were unlucky can only
        raise the rate.
        """
        first = self(work, range(cohorts), claims=claims, **of)
        near = [str(c) for c in first.columns[first.mean() > NEAR]]
        if not near:
            return first
        more = self(work, range(cohorts, MORE * cohorts), claims=near, **of)
        return pd.concat([first, more], ignore_index=True)


def summary(table: pd.DataFrame, patients: int, what: str) -> pd.DataFrame:
    """Share of cohorts in which each finding is supported, with its 95 % interval; NaN where none can be."""
    rows = []
    for claim in table.columns:
        told = table[claim].dropna()
        share = float(told.mean()) if len(told) else np.nan
        low, high = wilson(share, len(told)) if len(told) else (np.nan, np.nan)
        rows.append(
            {
                "cohorts": what, "patients": patients, "claim": claim, "supported": share, "low": low, "high": high,
                "n": len(told),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def study(
    asked: Asked, sizes: Sequence[int], claims: Sequence[str], *, cohorts: int, planted: int
) -> Iterator[pd.DataFrame]:
    """Cohorts without effect (usual and strong noise by turns), with the study's, and with folds that depend on CMV."""
    grids, whole = ([c for c in claims if (c in BY_TABLES) == b] for b in (False, True))
    for n in sizes:
        if grids:
            yield summary(asked.enough(on_grids, cohorts, claims=grids, n=n, effect=False), n, NOTHING)
            yield summary(asked(on_grids, range(planted), claims=grids, n=n, effect=True), n, EFFECTS)
        if whole:
            yield summary(asked.enough(by_tables, cohorts, claims=whole, n=n, cmv_ratio=CMV_RATIO), n, CMV_DEPENDS)
            yield summary(asked(by_tables, range(planted), claims=whole, n=n, cmv_ratio=1.0), n, EFFECTS)


def as_markdown(table: pd.DataFrame) -> str:
    """The table of docs/methods/claims.md: by claim the rate without effect, its interval, and the power."""
    sizes = sorted(table["patients"].unique())
    lines = [
        "| claim | " + " | ".join(f"no effect, n = {n}" for n in sizes) + " | "
        + " | ".join(f"effect, n = {n}" for n in sizes) + " |",
        "| --- |" + " --- |" * (2 * len(sizes)),
    ]  # fmt: skip
    for claim in sorted(table["claim"].unique()):
        mine = table[table["claim"] == claim].set_index(["cohorts", "patients"])
        # what C08 must exclude is dependence: folds that do not depend on CMV are its effect
        nulls = [mine.loc[(CMV_DEPENDS if claim in BY_TABLES else NOTHING, n)] for n in sizes]
        power = [mine.loc[(EFFECTS, n), "supported"] for n in sizes]
        cells = [
            "–" if row["n"] == 0 else f"{row['supported']:.3f} ({row['low']:.3f}–{row['high']:.3f})" for row in nulls
        ]
        lines.append(
            f"| {claim} | " + " | ".join([*cells, *("–" if np.isnan(p) else f"{p:.2f}" for p in power)]) + " |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table; write it into `--out` if all was asked for; fail if chance supports a finding too often."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/claims.py", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000, help="cohorts without effect for each number of patients")
    parser.add_argument("--planted", type=int, default=400, help="cohorts with the study's effects")
    parser.add_argument("--claims", nargs="+", default=list(CLAIMS), choices=list(CLAIMS))
    parser.add_argument("--n", type=int, nargs="+", default=list(SIZES), help="patients in every arm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/figures/calibration_claims.csv")
    options = parser.parse_args(arguments)
    pieces = Pieces(jobs=options.jobs)
    asked = Asked(pieces, seed=options.seed)
    parts = study(asked, options.n, options.claims, cohorts=options.cohorts, planted=options.planted)
    table = pd.concat(parts).sort_values(["patients", "cohorts", "claim"]).reset_index(drop=True)
    print(as_markdown(table))
    print(f"\n{pieces.seconds:.0f} CPU seconds in all, {pieces.made} pieces made by this call")
    whole = all(getattr(options, of) >= parser.get_default(of) for of in ("cohorts", "planted"))
    if whole and set(options.claims) == set(CLAIMS) and set(options.n) >= set(SIZES):
        table.to_csv(options.out, index=False, float_format="%.4g")
    null = table[table["cohorts"] != EFFECTS]
    often = (
        null[(null["high"] > 0.07) | (null["supported"] > 0.05)] if options.cohorts >= 500 else null[null["low"] > 0.05]
    )
    if len(often):
        print(often.to_string(index=False))
        raise SystemExit("findings that chance supports too often")


if __name__ == "__main__":
    main()
