"""How often every finding is supported without its effect, and with it; writes the table of docs/methods/claims.md.

Run as ``./run python benchmarks/calibration/claims.py --cohorts 1000 --n 3 6 12``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from calibration.claim_arrays import BY_TABLES, questions, supported  # noqa: E402
from calibration.claim_cohorts import NOISY, USUAL, Noise, cohort  # noqa: E402
from calibration.claim_tables import tables  # noqa: E402
from cimlnk.claims.evaluate import evaluate, load_claims  # noqa: E402
from cimlnk.claims.evidence import FINDING, NOT_EVALUABLE, SUPPORTED, Arms, Evidence  # noqa: E402
from cimlnk.common.seeds import rng  # noqa: E402
from cimlnk.stats.intervals import wilson  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = {k: v for k, v in load_claims(ROOT / "seeds/claims.yaml").items() if v["kind"] == FINDING}
CMV = "C08"
CMV_RATIO = 3.0  # the dependence that C08 has to exclude
NOTHING, EFFECTS, CMV_DEPENDS = "nothing happens", "the study's effects", "folds depend on CMV three-fold"
NEAR = 0.04
SETTLED = 50
BLOCK = 250
DRAWS = 100  # cohorts behind `chance` (400 in a run: fewer make that gate looser, and the rates found here larger)


def found(
    n: int,
    numbers: Sequence[int],
    *,
    effect: bool,
    seed: int,
    noises: Sequence[Noise] = (USUAL,),
    claims: Sequence[str] = tuple(CLAIMS),
) -> pd.DataFrame:
    """Whether each finding is supported, cohorts × findings (float; NaN: not evaluable with any data of this size).

    Parameters
    ----------
    numbers
        Of the cohorts: cohort i is the same whichever others are made, and `noises` take turns.
    claims
        Those to ask; the answer to one does not depend on the others.
    """
    # Of two modalities one answers, chosen without a look at the result, so one is enough here; only C11 asks both,
    # and is the easier to support where one is there.
    asked, donors = questions({c: CLAIMS[c] for c in claims}, n, seed), "C10" in claims
    blocks = []
    for start in range(0, len(numbers), BLOCK):
        made = [
            cohort(
                n,
                rng(seed, "claims", n, effect, i),
                effect=effect,
                noise=noises[i % len(noises)],
                rna=False,
                identity=donors,
            )
            for i in numbers[start : start + BLOCK]
        ]
        verdicts = supported(asked, made, seed=seed, draws=DRAWS)
        blocks.append(pd.DataFrame({c: ok.astype(float) if can else np.nan for c, (ok, can) in verdicts.items()}))
    return pd.concat(blocks, ignore_index=True)[sorted(blocks[0])]


def by_tables(n: int, numbers: Sequence[int], *, seed: int, cmv_ratio: float, claim: str = CMV) -> pd.DataFrame:
    """The same of a claim that is no decision on a grid, from whole tables, with the study's effects."""
    rows: list[str] = []
    for i in numbers:
        random = rng(seed, "claims", n, "tables", cmv_ratio, i)
        made = tables(
            n, random, effect=True, cmv_ratio=cmv_ratio, rna=False, arms=("CIML",), identity=False, states=False
        )
        rows.append(evaluate({claim: CLAIMS[claim]}, Evidence(made, Arms(), seed, draws=DRAWS)).iloc[0]["verdict"])
        if len(rows) == SETTLED and set(rows) == {NOT_EVALUABLE}:  # too few patients, whatever their data
            return pd.DataFrame({claim: np.nan}, index=range(SETTLED))
    return pd.DataFrame({claim: [float(v == SUPPORTED) for v in rows]})


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


def enough(ask: Callable[[Sequence[int]], pd.DataFrame], cohorts: int) -> pd.DataFrame:
    """`cohorts` cohorts without effect, and three times as many more of findings supported in more than `NEAR`.

    A thousand tell 4 from 6 % badly. All cohorts count, so that going on where the first ones were unlucky can only
    raise the rate.
    """
    first = ask(range(cohorts))
    near = first.columns[first.mean() > NEAR]
    return pd.concat([first, ask(range(cohorts, 4 * cohorts))[near]], ignore_index=True) if len(near) else first


def study(
    sizes: Sequence[int], cohorts: int, planted: int, *, seed: int, claims: Sequence[str] = tuple(CLAIMS)
) -> Iterator[pd.DataFrame]:
    """Cohorts without effect (usual and strong noise by turns), with the study's, and with folds that depend on CMV."""
    for n in sizes:
        on_grids = [c for c in claims if c not in BY_TABLES]
        if on_grids:
            nothing = partial(found, n, effect=False, seed=seed, noises=(USUAL, NOISY), claims=on_grids)
            yield summary(enough(nothing, cohorts), n, NOTHING)
            yield summary(found(n, range(planted), effect=True, seed=seed, claims=on_grids), n, EFFECTS)
        if CMV in claims:
            yield summary(enough(partial(by_tables, n, seed=seed, cmv_ratio=CMV_RATIO), cohorts), n, CMV_DEPENDS)
            yield summary(by_tables(n, range(planted), seed=seed, cmv_ratio=1.0), n, EFFECTS)


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
        nulls = [mine.loc[(CMV_DEPENDS if claim in BY_TABLES[:1] else NOTHING, n)] for n in sizes]
        power = [mine.loc[(EFFECTS, n), "supported"] for n in sizes]
        cells = [
            "–" if row["n"] == 0 else f"{row['supported']:.3f} ({row['low']:.3f}–{row['high']:.3f})" for row in nulls
        ]
        lines.append(
            f"| {claim} | " + " | ".join([*cells, *("–" if np.isnan(p) else f"{p:.2f}" for p in power)]) + " |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write it into `--out`; fail if a finding is supported by chance too often.

    Rows of claims and numbers of patients that are not asked for stay in `--out`.
    """
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/claims.py", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000, help="cohorts without effect for each number of patients")
    parser.add_argument("--planted", type=int, default=400, help="cohorts with the study's effects")
    parser.add_argument("--claims", nargs="+", default=list(CLAIMS), choices=list(CLAIMS))
    parser.add_argument("--n", type=int, nargs="+", default=[3, 6, 12], help="patients in every arm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/calibration_claims.csv"))
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    keys = ["patients", "cohorts", "claim"]
    table = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame(columns=keys)
    for part in study(options.n, options.cohorts, options.planted, seed=options.seed, claims=options.claims):
        table = pd.concat([table, part]).drop_duplicates(keys, keep="last")
        table = table.sort_values(keys).reset_index(drop=True)
        table.to_csv(options.out, index=False, float_format="%.4g")
    print(as_markdown(table))
    null = table[table["cohorts"] != EFFECTS]
    often = null[(null["high"] > 0.07) | (null["low"] > 0.05)] if options.cohorts >= 500 else null[null["low"] > 0.05]
    if len(often):
        print(often.to_string(index=False))
        raise SystemExit("findings that chance supports too often")


if __name__ == "__main__":
    main()
