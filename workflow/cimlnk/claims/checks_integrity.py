"""Claims about the analysis itself: honest p, sums, recovery, negative controls (C24–C27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cimlnk.common.seeds import rng
from cimlnk.common.vocabulary import NK

from .checks_kinetics import expansion, sustained
from .checks_phenotype import composition
from .compare import blocked_permutation
from .evidence import NOT_EVALUABLE, SUPPORTED, Evidence, Verdict, judged, not_evaluable

N_SHUFFLES = 40


def p_floors(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C24: every p is at or above the floor printed beside it."""
    table = evidence.get("tests")
    table = table.dropna(subset=["p"]) if len(table) else table
    if not len(table):
        return not_evaluable("no test was made")
    below = table["p"] < table["p_floor"] * (1 - 1e-9)
    floors = table.loc[table["p_floor"] > 0, "p_floor"]
    return judged(
        not below.any(),
        f"{int(below.sum())} of {len(table)} p values are below their floor"
        + (f"; smallest floor {floors.min():.3g}" if len(floors) else ""),
        value=float(table["p"].min()),
        bound="p >= floor",
        n=len(table),
    )


def invariants(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C25: fractions of a sample sum to one; cells/µL is NK/µL times fraction."""
    table = evidence.get("abundance")
    table = table[table["sample"].notna() & table["fraction"].notna()] if len(table) else table
    if not len(table):
        return not_evaluable("no abundance table")
    named = table[table["population"] != NK]
    sums = named.groupby(["modality", "sample"])["fraction"].sum()
    off = float((sums - 1).abs().max())
    product = table["nk_per_ul"] * table["fraction"]
    scale = table["nk_per_ul"].clip(lower=1)
    error = float(((table["cells_per_ul"] - product) / scale).abs().max())
    error = 0.0 if np.isnan(error) else error
    return judged(
        off <= bounds["tolerance"] and error <= bounds["tolerance"],
        f"largest distance of a sample's sum from one {off:.1e}; of cells/uL from NK/uL x fraction {error:.1e}",
        value=max(off, error),
        bound=f"<= {bounds['tolerance']:g}",
        n=len(sums),
    )


def recovery(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C26: adjusted Rand index against the planted populations, synthetic cohorts only."""
    table = evidence.get("recovery")
    if not len(table):
        return not_evaluable("not a synthetic cohort (or recovery was not scored)")
    scores = table[table["measure"] == "population ARI"].set_index("modality")["value"]
    if not len(scores):
        return not_evaluable("the recovery table has no population ARI")
    ok = all(scores[m] >= bounds[m] for m in scores.index)
    return judged(
        ok,
        ", ".join(f"{m} {v:.3f}" for m, v in scores.items()),
        value=float(scores.min()),
        bound=", ".join(f"{m} >= {bounds[m]:g}" for m in sorted(bounds)),
        n=len(scores),
    )


def negative_controls(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C27: shuffled days show no course, IL-2 alone does not expand, the cells of non-persisters do not last."""
    parts, ok, n = [], True, 0
    logs = composition(evidence, ("blood",))
    if len(logs) and logs.index.get_level_values("day").nunique() > 1:
        days = logs.index.get_level_values("day").to_numpy()
        blocks = logs.index.get_level_values("patient").to_numpy()
        random = rng(evidence.seed, "C27")
        hits = 0
        for _ in range(N_SHUFFLES):
            shuffled = days.copy()
            for b in np.unique(blocks):
                rows = np.flatnonzero(blocks == b)
                shuffled[rows] = days[random.permutation(rows)]
            hits += (
                blocked_permutation(logs.to_numpy(), shuffled, blocks, rng=random, n_permutations=199)[1] < bounds["p"]
            )
        # 5 of 40 is the 95 % limit of a binomial with the nominal 5 %
        ok &= hits <= 5
        parts.append(f"shuffled days significant in {hits} of {N_SHUFFLES} (5 allowed)")
        n += 1
    c01 = {"low": bounds["low"], "high": 1e9, "exceptions_per_six": 0}
    control = expansion(evidence, c01, evidence.arms.control)
    if control.verdict != NOT_EVALUABLE:
        ok &= control.verdict != SUPPORTED
        parts.append(f"{evidence.arms.control}: median peak fold {control.value:.1f} (must not reach {bounds['low']})")
        n += 1
    c06 = {"fold": 2, "from_day": 60, "last_day": 90}
    fleeting = sustained(evidence, c06, evidence.arms.nonpersister)
    if fleeting.verdict != NOT_EVALUABLE:
        ok &= fleeting.verdict != SUPPORTED
        parts.append(f"{evidence.arms.nonpersister}: lowest late median fold {fleeting.value:.1f} (must not hold at 2)")
        n += 1
    if not parts:
        return not_evaluable("no control arm and no course to shuffle")
    return judged(ok, "; ".join(parts), bound="every control fails its claim", n=n)
