"""Claims about numbers of NK cells over time (C01, C05–C08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .compare import clr, mann_whitney
from .evidence import Evidence, Verdict, judged, not_evaluable


def _peaks(evidence: Evidence, arm: str):  # type: ignore[no-untyped-def]
    table = evidence.kinetics_of(arm)
    return table.dropna(subset=["peak_fold"]) if len(table) else table


def expansion(evidence: Evidence, bounds: Mapping[str, Any], arm: str | None = None) -> Verdict:
    """C01: peak NK count over pre-infusion count, per patient."""
    arm = arm or evidence.arms.treated
    peaks = _peaks(evidence, arm)
    if not len(peaks):
        return not_evaluable(f"no patient of arm {arm} has a fold over a pre-infusion count")
    inside = peaks["peak_fold"].between(bounds["low"], bounds["high"])
    allowed = int(np.floor(len(peaks) * bounds["exceptions_per_six"] / 6))
    outside = peaks.loc[~inside]
    named = ", ".join(f"{p} {f:.1f}" for p, f in zip(outside["patient"], outside["peak_fold"], strict=True))
    return judged(
        int((~inside).sum()) <= allowed,
        f"{int(inside.sum())} of {len(peaks)} patients inside, {allowed} outside allowed"
        + (f"; outside: {named}" if named else "")
        + "; value is the median, low and high the range of the patients",
        value=float(peaks["peak_fold"].median()),
        low=float(peaks["peak_fold"].min()),
        high=float(peaks["peak_fold"].max()),
        bound=f"{bounds['low']:g} to {bounds['high']:g} fold",
        n=len(peaks),
    )


def rapid(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C05: the first sampled day with the asked fold, median over the patients that reach it."""
    folds = evidence.folds_of(evidence.arms.treated)
    if not len(folds):
        return not_evaluable("no folds")
    after = folds[folds["day"] > 0]
    first = after[after["fold_change"] >= bounds["fold"]].groupby("patient")["day"].min()
    n = after["patient"].nunique()
    early = int((first <= bounds["day"]).sum())
    return judged(
        2 * early > n,
        f"{early} of {n} patients reach {bounds['fold']:g}-fold by day {bounds['day']}",
        value=float(first.median()) if len(first) else np.nan,
        low=float(first.min()) if len(first) else np.nan,
        high=float(first.max()) if len(first) else np.nan,
        bound=f"first day <= {bounds['day']} in more than half",
        n=n,
    )


def sustained(evidence: Evidence, bounds: Mapping[str, Any], arm: str | None = None) -> Verdict:
    """C06: at every sampled day from `from_day` on the median fold holds, and sampling goes beyond `last_day`."""
    arm = arm or evidence.arms.treated
    folds = evidence.folds_of(arm)
    late = folds[folds["day"] >= bounds["from_day"]] if len(folds) else folds
    if not len(late):
        return not_evaluable(f"no fold of arm {arm} on or after day {bounds['from_day']}")
    medians = late.groupby("day")["fold_change"].median()
    last = int(late["day"].max())
    return judged(
        bool((medians >= bounds["fold"]).all()) and last >= bounds["last_day"],
        "median fold by day: " + ", ".join(f"D{d} {v:.1f}" for d, v in medians.items()),
        value=float(medians.min()),
        low=float(late["fold_change"].min()),
        high=float(late["fold_change"].max()),
        bound=f">= {bounds['fold']:g} at every day from {bounds['from_day']}, last day >= {bounds['last_day']}",
        n=late["patient"].nunique(),
    )


def _shift(evidence: Evidence, arm: str):  # type: ignore[no-untyped-def]
    """Mean change of the log-ratio composition, days 7 to 28 against before infusion; None if not measured."""
    table = evidence.fractions(arm)
    if not len(table):
        return None
    blood = table[table["tissue_or_product"] == "blood"]
    wide = blood.pivot_table(index=["patient", "day"], columns="population", values="fraction", aggfunc="mean")
    logs = clr(wide.fillna(0.0)).reset_index()
    early = logs[logs["day"].between(7, 28)].groupby("patient").mean().drop(columns="day")
    before = logs[logs["day"] < 0].groupby("patient").mean().drop(columns="day")
    both = early.index.intersection(before.index)
    return (early.loc[both] - before.loc[both]).mean() if len(both) else None


def beyond_il2(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C07: larger peak folds than under IL-2 alone, and another subset that rises most (in log-ratios)."""
    x, y = _peaks(evidence, evidence.arms.treated), _peaks(evidence, evidence.arms.control)
    if not len(x) or not len(y):
        return not_evaluable(f"needs folds in both arms, {evidence.arms.treated} and {evidence.arms.control}")
    ratio = float(x["peak_fold"].median() / y["peak_fold"].median())
    p = mann_whitney(x["peak_fold"].to_numpy(), y["peak_fold"].to_numpy())
    a, b = _shift(evidence, evidence.arms.treated), _shift(evidence, evidence.arms.control)
    if a is None or b is None:
        return not_evaluable("peak folds differ or not, but the composition before and after was not measured")
    risers = str(a.idxmax()), str(b.idxmax())
    ok = ratio >= bounds["ratio"] and p < bounds["p"] and risers[0] != risers[1]
    return judged(
        ok,
        f"median peak fold ratio {ratio:.1f}, exact rank-sum p {p:.4f}; days 7 to 28 against before, {risers[0]} rises "
        f"most in {evidence.arms.treated}, {risers[1]} in {evidence.arms.control}",
        value=ratio,
        bound=f"ratio >= {bounds['ratio']:g}, p < {bounds['p']:g}, another subset rises most",
        n=len(x) + len(y),
    )


def without_cmv(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C08: patients without CMV viremia expand as well, and folds do not follow the adaptive share."""
    from scipy.stats import spearmanr

    table, peaks = evidence.get("patients"), _peaks(evidence, evidence.arms.treated)
    if not len(peaks) or not len(table) or "cmv_viremia" not in table:
        return not_evaluable("needs folds and cmv_viremia in the patients sheet")
    negative = set(table.loc[table["cmv_viremia"] == "no", "patient"])
    without = peaks[peaks["patient"].isin(negative)]
    if not len(without):
        return not_evaluable("no treated patient is known to be free of CMV viremia")
    rho = np.nan
    shares = evidence.fractions(evidence.arms.treated)
    if len(shares):
        adaptive = shares[(shares["population"] == "adaptive") & (shares["day"] > 0)]
        adaptive = adaptive[adaptive["tissue_or_product"] == "blood"]
        both = peaks.set_index("patient")["peak_fold"].to_frame()
        both = both.join(adaptive.groupby("patient")["fraction"].mean()).dropna()
        if len(both) >= 4:
            rho = float(spearmanr(both["peak_fold"], both["fraction"]).statistic)
    median = float(without["peak_fold"].median())
    return judged(
        median >= bounds["fold"],
        f"median peak fold without viremia {median:.1f}; rank correlation of the fold with the adaptive share "
        + (f"{rho:.2f} (reported, not tested: n is too small)" if np.isfinite(rho) else "not available"),
        value=median,
        low=float(without["peak_fold"].min()),
        high=float(without["peak_fold"].max()),
        bound=f">= {bounds['fold']:g}",
        n=len(without),
    )
