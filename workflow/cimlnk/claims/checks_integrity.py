"""Whether the analysis kept its own rules: honest p, sums, recovery, negative controls (C24–C27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK

from .checks_kinetics import expansion, sustained
from .evidence import NOT_EVALUABLE, SUPPORTED, Evidence, Verdict, judged, not_evaluable

#: Fewest sign patterns or dealings behind each exact method, from the number of patients.
EXACT = ("sign_flip", "signed_rank", "relabelling")
KEYS = ["table", "modality", "population", "feature", "contrast"]
OURS, CEILING = "this pipeline", "linear classifier"
SUFFIXES = ("_paired", "_signflip", "_signedrank", "_relabelling")


def p_floors(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C24: no exact p is below what its patients can give, and the models agree with the exact test beside them.

    The floor is computed again from the number of patients, not read from the column that the tests wrote. A model
    contradicts its exact test where it says p < .01 and the exact p, although .05 was in its reach, is above .1.
    """
    table = evidence.get("tests")
    table = table.dropna(subset=["p"]) if len(table) else table
    if not len(table):
        return not_evaluable(
            "no change over time and no course of an arm was tested; a comparison of arms on the report's overview is "
            "exact by construction and not read here"
        )
    table = table.assign(base=table["test"].map(_base))
    for column in KEYS:
        table[column] = table[column].fillna("").astype(str) if column in table else ""
    exact = table[table["method"].isin(EXACT)]
    within = exact[exact["method"] != "relabelling"]
    least = pd.concat([2.0 / 2.0 ** within["n_patients"], exact["p_floor"].drop(within.index)]).reindex(exact.index)
    below = int((exact["p"] < np.maximum(least, exact["p_floor"]) * (1 - 1e-9)).sum())
    permuted = table[table["method"] == "block_permutation"]
    below += int((permuted["p"] < permuted["p_floor"] * (1 - 1e-9)).sum()) + int((permuted["p_floor"] <= 0).sum())
    models = table[~table["method"].isin([*EXACT, "block_permutation"])]
    beside = exact[["base", *KEYS, "p", "p_floor"]].rename(columns={"p": "exact_p", "p_floor": "floor"})
    beside = beside.groupby(["base", *KEYS], as_index=False)[["exact_p", "floor"]].min()
    joined = models.merge(beside, on=["base", *KEYS], how="left")
    alone = joined[joined["exact_p"].isna()].groupby("base").size().to_dict()
    asked = joined[(joined["floor"] <= 0.05) & (joined["p"] < 0.01)]
    against = float((asked["exact_p"] > 0.1).mean()) if len(asked) else 0.0
    without = ", ".join(f"{k} ({n:,} rows)" for k, n in sorted(alone.items()))
    return judged(
        below == 0 and against <= bounds["contradicted"],
        f"{below} of {len(exact) + len(permuted):,} exact and permutation p are below what their patients can give; of "
        f"{len(asked):,} model p below .01 with an exact test that could reach .05, {against:.1%} have an exact p "
        "above .1" + (f"; without an exact test beside them: {without}" if without else ""),
        value=against,
        bound=f"no p below its floor, at most {bounds['contradicted']:.0%} of the models contradicted",
        n=len(table),
    )


def _base(test: str) -> str:
    """What is tested, without the method in its name."""
    for suffix in SUFFIXES:
        if test.endswith(suffix):
            return test[: -len(suffix)]
    return test


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
    """C26: the names agree with the planted populations clearly better than those of simpler methods do.

    An adjusted Rand index says little by itself: the table of difficulty has what k-means and plain scanpy (each
    cluster given its true name, which is kinder than life) and hand thresholds reach on the same cells. A classifier
    that was shown the truth of other patients stands beside them as the ceiling and is no rival.
    """
    table = evidence.get("difficulty")
    table = table.dropna(subset=["ari"]) if len(table) else table
    if not len(table):
        return not_evaluable("not a synthetic cohort: nothing was planted")
    gaps, words = [], []
    for modality, part in table.groupby("modality", sort=True):
        score = part.set_index("method")["ari"]
        rivals = score[[m for m in score.index if m != OURS and not str(m).startswith(CEILING)]]
        if OURS not in score or not len(rivals):
            continue
        gaps.append(float(score[OURS] - rivals.max()))
        ceiling = score[[m for m in score.index if str(m).startswith(CEILING)]]
        words.append(
            f"{modality} {score[OURS]:.2f}, best simpler method {rivals.max():.2f} ({rivals.idxmax()})"
            + (f", ceiling {ceiling.max():.2f}" if len(ceiling) else "")
        )
    if not gaps:
        return not_evaluable("no simpler method was scored on the same cells")
    return judged(
        min(gaps) >= bounds["margin"],
        "adjusted Rand index: " + "; ".join(words),
        value=min(gaps),
        bound=f"at least {bounds['margin']:g} above every simpler method, in every modality",
        n=len(gaps),
    )


def negative_controls(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C27: IL-2 alone does not expand NK cells ten-fold, and the cells of non-persisters do not last.

    Both arms are read from the data by the very checks that the treated arm has to pass (C01, C06).
    """
    parts, ok, n = [], True, 0
    c01 = {"low": bounds["low"], "high": 1e9, "exceptions_per_six": 1}
    control = expansion(evidence, c01, evidence.arms.control)
    if control.verdict != NOT_EVALUABLE:
        ok &= control.verdict != SUPPORTED
        parts.append(f"{evidence.arms.control}: median peak fold {control.value:.1f} (must not reach {bounds['low']})")
        n += control.n
    c06 = {"fold": 2, "from_day": 60, "last_day": 60}
    fleeting = sustained(evidence, c06, evidence.arms.nonpersister)
    if fleeting.verdict != NOT_EVALUABLE:
        ok &= fleeting.verdict != SUPPORTED
        parts.append(f"{evidence.arms.nonpersister}: lowest late median fold {fleeting.value:.1f} (must not hold at 2)")
        n += fleeting.n
    if not parts:
        return not_evaluable(f"{evidence.arms.control}: {control.why}; {evidence.arms.nonpersister}: {fleeting.why}")
    read = ", ".join(v.arm or "" for v in (control, fleeting) if v.verdict != NOT_EVALUABLE)
    return judged(ok, "; ".join(parts), bound="every control fails its claim", n=n, arm=read)
