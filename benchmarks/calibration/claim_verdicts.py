"""Whether each finding is supported in cohorts by number: cohort i is the same whichever others are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cimlnk.claims.evaluate import evaluate, load_claims
from cimlnk.claims.evidence import FINDING, NOT_EVALUABLE, SUPPORTED, Arms, Evidence
from cimlnk.common.seeds import rng

from .claim_arrays import questions, supported
from .claim_cohorts import NOISY, USUAL, cohort
from .claim_tables import tables
from .pieces import ROOT

SEEDS = ROOT / "seeds/claims.yaml"
CLAIMS = {k: v for k, v in load_claims(SEEDS).items() if v["kind"] == FINDING}
CMV = "C08"
CMV_RATIO = 3.0  # the dependence that C08 has to exclude
SETTLED = 50
DRAWS = 100  # cohorts behind `chance` (400 in a run: fewer make that gate looser, and the rates found here larger)


def on_grids(n: int, *, effect: bool, start: int, stop: int, seed: int, claims: Sequence[str]) -> pd.DataFrame:
    """Whether each finding is supported, cohorts × findings (float; NaN: not evaluable with any data of this size).

    Parameters
    ----------
    effect
        The study's; else nothing happens, with usual and strong noise by turns.
    start, stop
        Numbers of the cohorts.
    claims
        Those to ask; the answer to one does not depend on the others.
    """
    # Of two modalities one answers, chosen without a look at the result, so one is enough here; only C11 asks both,
    # and is the easier to support where one is there.
    asked, noises = questions({c: CLAIMS[c] for c in claims}, n, seed), (USUAL,) if effect else (USUAL, NOISY)
    made = [
        cohort(
            n,
            rng(seed, "claims", n, effect, i),
            effect=effect,
            noise=noises[i % len(noises)],
            rna=False,
            identity="C10" in claims,
        )
        for i in range(start, stop)
    ]
    verdicts = supported(asked, made, seed=seed, draws=DRAWS, first=start)
    found = pd.DataFrame({c: ok.astype(float) if can else np.nan for c, (ok, can) in verdicts.items()})
    return found[sorted(found)]


def by_tables(n: int, *, cmv_ratio: float, start: int, stop: int, seed: int, claims: Sequence[str]) -> pd.DataFrame:
    """The same of claims that are no decision on a grid, from whole tables, with the study's effects."""
    rows: dict[str, list[str]] = {c: [] for c in claims}
    for i in range(start, stop):
        random = rng(seed, "claims", n, "tables", cmv_ratio, i)
        made = tables(
            n, random, effect=True, cmv_ratio=cmv_ratio, rna=False, arms=("CIML",), identity=False, states=False
        )
        told = evaluate({c: CLAIMS[c] for c in claims}, Evidence(made, Arms(), seed, draws=DRAWS)).set_index("claim")
        for c in claims:
            rows[c].append(told.loc[c, "verdict"])
        if len(rows[claims[0]]) == SETTLED and {v for of in rows.values() for v in of} == {NOT_EVALUABLE}:
            return pd.DataFrame(np.nan, index=range(SETTLED), columns=list(claims))  # too few, whatever their data
    return pd.DataFrame({c: [float(v == SUPPORTED) for v in of] for c, of in rows.items()})
