"""Does an outcome go with the exposure? Exact permutation of the patients, with the smallest p that they could give."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from math import comb, factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.stats.fdr import fdr
from cimlnk.stats.ranks import mid_ranks

from .tables import OUTCOMES

PARAMETERS = ("cmax", "tmax", "tlast", "auc0_28", "auc0_last", "half_life")
MOST = 200_000  # assignments looked at one by one; more are sampled
FEWEST = 4  # patients


def group_test(
    values: NDArray[np.float64], member: NDArray[np.bool_], seed: int = 0
) -> tuple[float, float, float, str]:
    """Probability of superiority of the members, its two-sided permutation p, the smallest attainable p, the method."""
    n, k = len(values), int(member.sum())
    ranks = mid_ranks(values)
    centre = k * (n + 1) / 2
    if comb(n, k) <= MOST:
        sums = np.array([ranks[list(c)].sum() for c in combinations(range(n), k)])
        method = "exact permutation of patients (rank sum)"
    else:
        random = rng(seed, "export", "outcomes")
        sums = np.array([ranks[random.permutation(n)[:k]].sum() for _ in range(MOST // 10)] + [ranks[member].sum()])
        method = f"permutation of patients (rank sum, {len(sums) - 1:,} drawn)"
    away = np.abs(sums - centre)
    p = float((away >= abs(ranks[member].sum() - centre) - 1e-9).mean())
    floor = float((away >= away.max() - 1e-9).mean())
    effect = (ranks[member].sum() - k * (k + 1) / 2) / (k * (n - k))
    return float(effect), p, floor, method


def rank_test(
    values: NDArray[np.float64], other: NDArray[np.float64], seed: int = 0
) -> tuple[float, float, float, str]:
    """Spearman's correlation, its permutation p, the smallest attainable p, the method."""
    a, b = mid_ranks(values), mid_ranks(other)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    if scale == 0:
        return np.nan, np.nan, np.nan, "permutation of patients (Spearman)"
    if factorial(len(a)) <= MOST:
        sums = np.array([a @ b[list(order)] for order in permutations(range(len(a)))])
        method = "exact permutation of patients (Spearman)"
    else:
        random = rng(seed, "export", "outcomes")
        sums = np.array([a @ random.permutation(b) for _ in range(MOST // 10)] + [a @ b])
        method = f"permutation of patients (Spearman, {len(sums) - 1:,} drawn)"
    away = np.abs(sums)
    p = float((away >= abs(a @ b) - 1e-9).mean())
    return float(a @ b / scale), p, float((away >= away.max() - 1e-9).mean()), method


def test_outcomes(
    exposure: pd.DataFrame, patients: pd.DataFrame, outcomes: Sequence[str], *, seed: int = 0
) -> pd.DataFrame:
    """OUTCOMES: every outcome column of the patients' sheet against every exposure parameter, arm by arm.

    Parameters
    ----------
    exposure, patients
        EXPOSURE and PATIENTS.
    outcomes
        Columns to look at; those the sheet lacks are passed over. Two values are compared as groups (the second in
        alphabetical order against the first), numbers by rank correlation, more than two texts each against the rest.
    seed
        Only used where the orders of the patients are too many to enumerate.
    """
    rows: list[dict[str, object]] = []
    for outcome in [o for o in outcomes if o in patients]:
        told = patients.set_index("patient")[outcome].dropna()
        for (arm, modality, population, measure), part in exposure.groupby(
            ["arm", "modality", "population", "measure"], sort=True
        ):
            for parameter in PARAMETERS:
                both = part.set_index("patient")[parameter].dropna()
                both = both[both.index.isin(told.index)]
                head = {
                    "outcome": outcome, "modality": modality, "arm": arm, "population": population,
                    "measure": measure, "parameter": parameter,
                }  # fmt: skip
                rows += _one(head, both, told.reindex(both.index), seed=seed)
    if not rows:
        return OUTCOMES.empty()
    table = pd.DataFrame(rows)
    table["fdr"] = np.nan
    for _, part in table[(table["p_floor"] < 0.05) & table["p"].notna()].groupby(["outcome", "modality", "measure"]):
        table.loc[part.index, "fdr"] = fdr(part["p"])
    return OUTCOMES.check(table)


def _one(head: dict[str, object], values: pd.Series, outcome: pd.Series, *, seed: int) -> list[dict[str, object]]:
    numbers = pd.to_numeric(outcome, errors="coerce")
    numeric = len(outcome) > 0 and bool(numbers.notna().all()) and outcome.nunique() > 2
    blank = {"group": None, "n": len(values), "n_group": 0, "effect": np.nan, "p": np.nan, "p_floor": np.nan}
    unit = "rank correlation" if numeric else "probability of superiority"
    nothing = {**head, **blank, "effect_unit": unit, "method": "none"}
    if len(values) < FEWEST:
        return [{**nothing, "reason": f"{len(values)} patients with both, fewer than {FEWEST}"}]
    if values.nunique() < 2:
        return [{**nothing, "reason": "all patients have the same value"}]
    if numeric:
        effect, p, floor, method = rank_test(values.to_numpy(float), numbers.to_numpy(float), seed)
        filled = {"effect": effect, "p": p, "p_floor": floor, "method": method, "reason": None}
        return [{**nothing, **filled}]
    groups = sorted(set(outcome.astype(str)))
    if len(groups) < 2:
        return [{**nothing, "reason": f"every patient has {groups[0]!r}"}]
    rows = []
    for group in groups[1:] if len(groups) == 2 else groups:
        member = (outcome.astype(str) == group).to_numpy()
        effect, p, floor, method = group_test(values.to_numpy(float), member, seed)
        rows.append(
            {
                **nothing, "group": group, "n_group": int(member.sum()), "effect": effect, "p": p, "p_floor": floor,
                "method": method, "reason": None,
            }
        )  # fmt: skip
    return rows
