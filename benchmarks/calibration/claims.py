"""How often every finding is supported without its effect, and with it; writes the tables of docs/methods/claims.md.

Run as ``./run python benchmarks/calibration/claims.py --cohorts 1000 --n 3 6 12``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from calibration.claim_cohorts import NOISY, USUAL, Noise, tables  # noqa: E402
from cimlnk.claims.evaluate import evaluate, load_claims  # noqa: E402
from cimlnk.claims.evidence import FINDING, LEVEL, NOT_EVALUABLE, SUPPORTED, Arms, Evidence  # noqa: E402
from cimlnk.common.seeds import rng  # noqa: E402
from cimlnk.stats.intervals import wilson  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = {k: v for k, v in load_claims(ROOT / "seeds/claims.yaml").items() if v["kind"] == FINDING}
CMV = "C08"
CMV_RATIO = 3.0  # the dependence that C08 has to exclude
NOTHING, EFFECTS, CMV_DEPENDS = "nothing happens", "the study's effects", "folds depend on CMV three-fold"
NEAR = 0.045


def verdicts(
    patients: int,
    cohorts: int,
    *,
    effect: bool,
    seed: int,
    noises: Sequence[Noise] = (USUAL,),
    cmv_ratio: float = 1.0,
    only: Sequence[str] | None = None,
    draws: int = 40,
    first: int = 0,
) -> pd.DataFrame:
    """Verdicts, cohorts × findings; `noises` take turns.

    Parameters
    ----------
    first
        Number of the first cohort: cohort i is the same whichever others are made.
    draws
        Cohorts behind the claims' own `chance` (400 in a run: fewer make that gate looser, and the rates found here
        larger).
    """
    claims = CLAIMS if only is None else {k: CLAIMS[k] for k in only}
    # Where exact tests decide, chance is told beside the verdict and decides nothing: it need not be counted.
    exact = {k: v for k, v in claims.items() if "p" in v["bounds"]}
    counted = {k: v for k, v in claims.items() if k not in exact}
    rows = []
    for i in range(first, first + cohorts):
        random = rng(seed, "claims", patients, effect, cmv_ratio, i)
        # Of two modalities one answers, chosen without a look at the result, so one is enough here; only C11 asks both,
        # and is the easier to support where one is there.
        noise = noises[i % len(noises)]
        made = tables(patients, random, effect=effect, noise=noise, cmv_ratio=cmv_ratio, rna=False, whole=False)
        found = [
            evaluate(part, Evidence(made, Arms(), seed, draws=n)) for part, n in ((exact, 0), (counted, draws)) if part
        ]
        rows.append(pd.concat(found).set_index("claim")["verdict"])
    return pd.DataFrame(rows, columns=list(claims)).reset_index(drop=True)


def summary(found: pd.DataFrame, patients: int, what: str) -> pd.DataFrame:
    """Share of cohorts in which each finding is supported, with its 95 % interval, and not evaluable."""
    rows = []
    for claim in found.columns:
        told = found[claim].dropna()
        share = float((told == SUPPORTED).mean())
        low, high = wilson(share, len(told))
        rows.append(
            {
                "cohorts": what, "patients": patients, "claim": claim, "supported": share, "low": low, "high": high,
                "not_evaluable": float((told == NOT_EVALUABLE).mean()), "n": len(told),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def out_of_reach(n: int, *, seed: int) -> list[str]:
    """Findings whose exact p cannot be low enough with so many patients, whatever their data."""
    made = tables(n, rng(seed, "design", n), effect=True, rna=False, whole=False)
    found = evaluate(CLAIMS, Evidence(made, Arms(), seed, draws=0)).set_index("claim")
    return list(found.index[found["p_attainable"] > LEVEL])


def null_verdicts(n: int, cohorts: int, *, seed: int) -> pd.DataFrame:
    """Verdicts of cohorts without effect (usual and strong noise by turns), NaN where a finding was not asked.

    Findings supported in more than `NEAR` are asked of twice as many cohorts more, since a thousand tell 4 from 6 %
    badly; all cohorts count, so that going on where the first ones were unlucky can only raise the rate.
    """
    options: dict[str, Any] = {"effect": False, "seed": seed, "noises": (USUAL, NOISY)}
    barred = out_of_reach(n, seed=seed)
    found = verdicts(n, cohorts, only=[c for c in CLAIMS if c not in barred], **options)
    near = [c for c in found if (found[c] == SUPPORTED).mean() > NEAR]
    more = verdicts(n, 2 * cohorts, first=cohorts, only=near, **options) if near else pd.DataFrame()
    return pd.concat([found.assign(**dict.fromkeys(barred, NOT_EVALUABLE)), more], ignore_index=True)


def study(sizes: Sequence[int], cohorts: int, planted: int, *, seed: int) -> Iterator[pd.DataFrame]:
    """Cohorts without effect, with the study's effects, and with folds that depend on CMV."""
    for n in sizes:
        yield summary(null_verdicts(n, cohorts, seed=seed), n, NOTHING)
    for n in sizes:
        yield summary(verdicts(n, planted, effect=True, seed=seed), n, EFFECTS)
    for n in sizes:
        depends = verdicts(n, cohorts, effect=True, seed=seed, cmv_ratio=CMV_RATIO, only=[CMV])
        yield summary(depends, n, CMV_DEPENDS)


def as_markdown(table: pd.DataFrame) -> str:
    """The table of docs/methods/claims.md: by claim the rate without effect, its interval, and the power."""
    sizes = sorted(table["patients"].unique())
    lines = [
        "| claim | " + " | ".join(f"nothing happens, n = {n} | found, n = {n}" for n in sizes) + " |",
        "| --- |" + " --- | --- |" * len(sizes),
    ]
    for claim in sorted(table["claim"].unique()):
        # what C08 must exclude is dependence: folds that do not depend on CMV are its effect
        null = CMV_DEPENDS if claim == CMV else NOTHING
        cells = []
        for n in sizes:
            mine = table[(table["claim"] == claim) & (table["patients"] == n)].set_index("cohorts")
            row, power = mine.loc[null], mine.loc[EFFECTS]
            cells.append("–" if row["not_evaluable"] == 1 else f"{row['supported']:.3f} (to {row['high']:.3f})")
            cells.append("–" if power["not_evaluable"] == 1 else f"{power['supported']:.2f}")
        lines.append(f"| {claim} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables and write them into `--out`; fail if a finding is supported by chance too often."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/claims.py", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000, help="cohorts without effect for each number of patients")
    parser.add_argument("--planted", type=int, default=100, help="cohorts with the study's effects")
    parser.add_argument("--n", type=int, nargs="+", default=[3, 6, 12], help="patients in every arm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/calibration_claims.csv"))
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame()
    for part in study(options.n, options.cohorts, options.planted, seed=options.seed):
        table = pd.concat([table, part], ignore_index=True)
        table.to_csv(options.out, index=False, float_format="%.4g")  # after each part: the whole takes half an hour
    print(as_markdown(table))
    null = table[table["cohorts"] != EFFECTS]
    often = null[(null["high"] > 0.07) | (null["low"] > 0.05)] if options.cohorts >= 500 else null[null["low"] > 0.05]
    if len(often):
        print(often.to_string(index=False))
        raise SystemExit("findings that chance supports too often")


if __name__ == "__main__":
    main()
