"""How often every finding is supported without its effect, and with it; writes the tables of docs/methods/claims.md.

Run as ``./run python benchmarks/calibration/claims.py --cohorts 1000 --n 3 6 12``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from calibration.claim_cohorts import NOISY, USUAL, Noise, tables  # noqa: E402
from cimlnk.claims.evaluate import evaluate, load_claims  # noqa: E402
from cimlnk.claims.evidence import FINDING, Arms, Evidence  # noqa: E402
from cimlnk.common.seeds import rng  # noqa: E402
from cimlnk.stats.intervals import wilson  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = {k: v for k, v in load_claims(ROOT / "seeds/claims.yaml").items() if v["kind"] == FINDING}
CMV = "C08"
CMV_RATIO = 3.0  # the dependence that C08 has to exclude


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
    rows = []
    for i in range(first, first + cohorts):
        random = rng(seed, "claims", patients, effect, cmv_ratio, i)
        # Of two modalities one answers, chosen without a look at the result, so one is enough here; only C11 asks both,
        # and is the easier to support where one is there.
        noise = noises[i % len(noises)]
        made = tables(patients, random, effect=effect, noise=noise, cmv_ratio=cmv_ratio, rna=False)
        found = evaluate(claims, Evidence(made, Arms(), seed, draws=draws))
        rows.append(found.set_index("claim")["verdict"])
    return pd.DataFrame(rows).reset_index(drop=True)


def summary(found: pd.DataFrame, patients: int, what: str) -> pd.DataFrame:
    """Share of cohorts in which each finding is supported, with its 95 % interval, and not evaluable."""
    rows = []
    for claim in found.columns:
        share = float((found[claim] == "supported").mean())
        low, high = wilson(share, len(found))
        rows.append(
            {
                "cohorts": what, "patients": patients, "claim": claim, "supported": share, "low": low, "high": high,
                "not_evaluable": float((found[claim] == "not evaluable").mean()), "n": len(found),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def study(sizes: Sequence[int], cohorts: int, planted: int, *, seed: int) -> Iterator[pd.DataFrame]:
    """Null cohorts (usual and strong noise by turns), planted cohorts, and cohorts whose folds depend on CMV."""
    for n in sizes:
        found = verdicts(n, cohorts, effect=False, seed=seed, noises=(USUAL, NOISY))
        yield summary(found, n, "nothing happens")
    for n in sizes:
        yield summary(verdicts(n, planted, effect=True, seed=seed), n, "the study's effects")
    for n in sizes:
        depends = verdicts(n, cohorts // 2, effect=True, seed=seed, cmv_ratio=CMV_RATIO, only=[CMV])
        yield summary(depends, n, "folds depend on CMV three-fold")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables and write them into `--out`; fail if a finding is supported by chance too often."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/claims.py", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=1000, help="cohorts without effect for each number of patients")
    parser.add_argument("--planted", type=int, default=200, help="cohorts with the study's effects")
    parser.add_argument("--n", type=int, nargs="+", default=[3, 6, 12], help="patients in every arm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/calibration_claims.csv"))
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame()
    for part in study(options.n, options.cohorts, options.planted, seed=options.seed):
        table = pd.concat([table, part], ignore_index=True)
        table.to_csv(options.out, index=False, float_format="%.4g")  # after each part: the whole takes half an hour
    wide = table.pivot_table(index="claim", columns=["cohorts", "patients"], values="supported")
    print(wide.round(3).to_string())
    null = table[table["cohorts"] != "the study's effects"]
    often = null[null["high"] > 0.07] if options.cohorts >= 500 else null[null["low"] > 0.05]
    if len(often):
        print(often.to_string(index=False))
        raise SystemExit("findings that chance supports too often")


if __name__ == "__main__":
    main()
