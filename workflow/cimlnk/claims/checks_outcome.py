"""Claims about what goes with the outcome (C17, C23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.words import count
from cimlnk.stats.one_sided import rank_sum

from .chance import Grid
from .checks_subsets import shares_of
from .evidence import Evidence, Verdict, not_evaluable
from .finding import Arrays, Decided, all_of, each_modality, find, logit, unlogit

Floats = NDArray[np.float64]


def cd8_outcome(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C17: CD8a+ share of donor NK in patients with and without response."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    patients = evidence.patients_of(arm)
    table = evidence.states(evidence.protein(), "CD8a", "fraction_positive", arm=arm)
    if "response" not in patients or not patients["response"].notna().any():
        return not_evaluable("the patients sheet has no column response (yes/no)", arm=arm)
    if not len(table):
        return not_evaluable("CD8a was not measured as protein, or has no threshold", arm=arm)
    donor = table[evidence.side(table, "donor")]
    share = pd.Series(logit(donor["value"]), index=donor["patient"]).groupby(level=0).mean()
    return by_outcome(
        evidence, "C17", share, outcome=patients.set_index("patient")["response"], worse="no", arm=arm,
        level=bounds["p"], modality=evidence.protein(),
        what="CD8a+ share of donor NK cells", words=("without response", "with response"),
    )  # fmt: skip


def by_outcome(
    evidence: Evidence,
    name: str,
    share: pd.Series,
    *,
    outcome: pd.Series,
    worse: str,
    arm: str,
    level: float,
    what: str,
    words: tuple[str, str],
    modality: str = "cytof",
) -> Verdict:
    """Whether `share` (log odds by patient) is larger where the outcome is `worse`: exact rank sum, one-sided."""
    said = outcome.dropna().astype(str).str.strip().str.lower().reindex(share.index)
    known = said.isin(["yes", "no"])
    bad, good = share[known & (said == worse)].to_numpy(), share[known & (said != worse)].to_numpy()
    if not len(bad) or not len(good):
        return not_evaluable(f"{count(len(bad), 'patient')} {words[0]} and {len(good)} {words[1]} with {what}", arm=arm)
    value = float((bad[:, None] > good).mean() + 0.5 * (bad[:, None] == good).mean())

    def decide(of: Arrays) -> Decided:
        return all_of([], [rank_sum(of["bad"], of["good"], seed=evidence.seed)], level)

    def null(count: int, random: np.random.Generator) -> dict[str, Floats]:
        both = np.concatenate([bad, good])
        dealt = random.permuted(np.tile(both, (count, 1)), axis=1)
        return {"bad": dealt[:, : len(bad)], "good": dealt[:, len(bad) :]}

    made = {
        "bad": Grid(bad, tuple(map(str, range(len(bad)))), ()),
        "good": Grid(good, tuple(map(str, range(len(good)))), ()),
    }  # fmt: skip
    return find(
        evidence, name, made, decide=decide,
        why=f"{what}: median {unlogit(np.median(bad)):.0%} {words[0]} ({len(bad)} patients), "
        f"{unlogit(np.median(good)):.0%} {words[1]} ({len(good)}); exact rank-sum p "
        f"{rank_sum(bad, good, seed=evidence.seed).p[0]:.3g}",
        null=null, value=value, bound=f"area under the curve > 0.5, p <= {level:g}", n=len(bad) + len(good), arm=arm,
        modality=modality, level=level,
    )  # fmt: skip


def diversity_outcome(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C23: after cord-blood transplant, relapse goes with a larger immature share and with a lower diversity."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    patients = evidence.patients_of(arm)
    if "relapse" not in patients or "transplant" not in patients or not (patients["transplant"] == "cord").any():
        return not_evaluable("needs columns relapse (yes/no) and transplant (cord) in the patients sheet", arm=arm)
    relapse = patients[patients["transplant"] == "cord"].set_index("patient")["relapse"]

    def of(modality: str) -> Verdict:
        shares = shares_of(evidence, "CD56bright", arm, modality=modality)
        if isinstance(shares, Verdict):
            return shares
        mine = shares[evidence.side(shares, "blood") & shares["patient"].isin(relapse.index)]
        table = evidence.diversities()
        if len(table):
            table = table[(table["modality"] == modality) & table["patient"].isin(relapse.index)]
            table = table[evidence.side(table, "blood")]
        if not len(mine) or not len(table):
            return not_evaluable("no CD56bright share or no diversity in blood after a cord-blood transplant", arm=arm)
        immature = pd.Series(logit(mine["value"]), index=mine["patient"]).groupby(level=0).mean()
        diversity = -np.log2(table.groupby("patient")["inverse_simpson"].mean())
        both = pd.DataFrame({"immature": immature, "diversity": diversity}).dropna()
        asked: dict[str, Any] = {"worse": "yes", "arm": arm, "level": bounds["p"], "modality": modality}
        words = ("with relapse", "without relapse")
        first = by_outcome(
            evidence,
            "C23",
            both["immature"],
            outcome=relapse,
            what="CD56bright share after infusion",
            words=words,
            **asked,
        )
        if first.verdict != "supported":
            return first
        # low diversity as log odds only for the words' sake: ranks are what is tested
        second = by_outcome(
            evidence, "C23", both["diversity"], outcome=relapse, what="low diversity", words=words, **asked
        )
        why = f"{first.why}; low diversity: exact rank-sum p {second.p:.3g}"
        return Verdict(**{**vars(first), "verdict": second.verdict, "why": why, "p": max(first.p, second.p)})

    return each_modality(evidence, of)
