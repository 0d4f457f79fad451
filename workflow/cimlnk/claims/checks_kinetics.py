"""Claims about numbers of NK cells over time (C01, C05–C07)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.palette import label
from cimlnk.stats.centroids import two_groups
from cimlnk.stats.composition import clr
from cimlnk.stats.one_sided import rank_sum

from .chance import Grid
from .evidence import Evidence, Verdict, not_evaluable
from .finding import Arrays, Decided, all_of, each_modality, find

Floats = NDArray[np.float64]
SMALLEST_FOLD = 1 / 64  # a day without a cell stands at this fold: the logarithm of zero cannot be averaged


def fold_grid(evidence: Evidence, arm: str) -> Grid | None:
    """Log2 folds of an arm, patients × (baseline, days after infusion); None without any."""
    key = ("folds", arm)
    if key not in evidence.kept:
        evidence.kept[key] = _fold_grid(evidence.folds_of(arm))
    return evidence.kept[key]


def _fold_grid(table: pd.DataFrame) -> Grid | None:
    after = table[table["day"] > 0] if len(table) else table
    if not len(after):
        return None
    wide = np.log2(
        after.pivot_table(index="patient", columns="day", values="fold_change", aggfunc="mean").clip(SMALLEST_FOLD)
    )
    values = np.column_stack([np.zeros(len(wide)), wide.to_numpy(float)])
    days = (0, *(int(d) for d in wide.columns))
    return Grid(values, tuple(map(str, wide.index)), days, (0,))


def _width(evidence: Evidence, arm: str, patients: tuple[str, ...]) -> Floats:
    """Half of the 95 % interval of each patient's folds (log2), the median over days; 0 where none is stated."""
    table = evidence.folds_of(arm)
    if "fold_low" not in table or "fold_high" not in table:
        return np.zeros(len(patients))
    after = table[(table["day"] > 0) & (table["fold_low"] > 0)]
    half = (np.log2(after["fold_high"]) - np.log2(after["fold_low"])) / 2
    return half.groupby(after["patient"]).median().reindex(patients).fillna(0.0).to_numpy(float)


def folds(values: Floats) -> Floats:
    """Data sets × patients × days after infusion, over each patient's baseline."""
    return 2.0 ** (values[..., 1:] - values[..., :1])


def asked_folds(evidence: Evidence, arm: str) -> Grid | Verdict:
    """The folds of an arm, or why there are none."""
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    grid = fold_grid(evidence, arm)
    if grid is None:
        table = evidence.get("folds")
        mine = table[table["arm"] == arm] if len(table) else table
        said = mine["reason"].dropna() if "reason" in mine else pd.Series(dtype=object)
        why = f": {said.iloc[0]}" if len(said) else ""
        return not_evaluable(f"no patient of arm {arm} has a fold over a count before infusion{why}", arm=arm)
    few = evidence.too_few(len(grid.patients), f"a fold in arm {arm}", arm=arm)
    return few or grid


def _left_out(evidence: Evidence, patients: tuple[str, ...]) -> str:
    """Which patients' later days are not read."""
    days = {p: d for p, d in evidence.censored_days().items() if p in patients}
    named = ", ".join(f"{p} after day {d:.0f}" for p, d in sorted(days.items()))
    return f"; not read because of an event: {named}" if named else ""


def expansion(evidence: Evidence, bounds: Mapping[str, Any], arm: str | None = None) -> Verdict:
    """C01: peak NK count over pre-infusion count, per patient.

    A patient is outside if the whole 95 % interval of the peak fold is: a true 45-fold is measured above 50 half of
    the time or so with counts as blood counts are.
    """
    arm = arm or evidence.arms.treated
    grid = asked_folds(evidence, arm)
    if isinstance(grid, Verdict):
        return grid
    n = len(grid.patients)
    allowed = int(np.floor(n * bounds["exceptions_per_six"] / 6))

    slack = 2.0 ** _width(evidence, arm, grid.patients)

    def inside(peak: Floats) -> NDArray[np.bool_]:
        return (peak * slack >= bounds["low"]) & (peak / slack <= bounds["high"])

    def decide(of: Arrays) -> Decided:
        return all_of([n - inside(np.nanmax(folds(of["folds"]), axis=2)).sum(axis=1) <= allowed])

    peak = np.nanmax(folds(grid.values), axis=1)
    outside = [(p, f) for p, f, i in zip(grid.patients, peak, inside(peak), strict=True) if not i]
    named = ", ".join(f"{p} {f:.1f}" for p, f in outside)
    return find(
        evidence, "C01", {"folds": grid}, decide=decide,
        why=f"{n - len(outside)} of {n} patients overlap, {allowed} may lie outside"
        + (f"; outside: {named}" if named else "")
        + "; value is the median, low and high the range of the patients" + _left_out(evidence, grid.patients),
        value=float(np.median(peak)), low=float(peak.min()), high=float(peak.max()),
        bound=f"95 % interval overlaps {bounds['low']:g} to {bounds['high']:g} fold in {n - allowed} of {n} or more",
        n=n, arm=arm,
    )  # fmt: skip


def rapid(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C05: more than half of the patients sampled by then have the asked fold by the asked day."""
    arm = evidence.arms.treated
    grid = asked_folds(evidence, arm)
    if isinstance(grid, Verdict):
        return grid
    days = np.array(grid.slots[1:], dtype=float)
    early = np.concatenate([[True], days <= bounds["day"]])
    sampled = np.asarray(np.isfinite(grid.values[:, early][:, 1:]).any(axis=1))
    few = evidence.too_few(int(sampled.sum()), f"a fold by day {bounds['day']}", arm=arm)
    if few:
        return few
    grid = grid.only(sampled)
    n = len(grid.patients)

    def decide(of: Arrays) -> Decided:
        reached = (folds(of["folds"][..., early]) >= bounds["fold"]).any(axis=2)
        return all_of([2 * reached.sum(axis=1) > n])

    fold = folds(grid.values)
    hit = fold >= bounds["fold"]
    first = np.array([days[h].min() for h in hit if h.any()])
    soon = int((fold[:, early[1:]] >= bounds["fold"]).any(axis=1).sum())
    return find(
        evidence, "C05", {"folds": grid}, decide=decide,
        why=f"{soon} of {n} patients reach {bounds['fold']:g}-fold by day {bounds['day']}",
        value=float(np.median(first)) if len(first) else np.nan, low=float(first.min()) if len(first) else np.nan,
        high=float(first.max()) if len(first) else np.nan, bound=f"first day <= {bounds['day']} in more than half",
        n=n, arm=arm,
    )  # fmt: skip


def sustained(evidence: Evidence, bounds: Mapping[str, Any], arm: str | None = None) -> Verdict:
    """C06: at every sampled day from `from_day` on the median fold holds, and sampling goes beyond `last_day`."""
    arm = arm or evidence.arms.treated
    grid = asked_folds(evidence, arm)
    if isinstance(grid, Verdict):
        return grid
    days = np.array((-1, *grid.slots[1:]), dtype=float)
    late = days >= bounds["from_day"]
    followed = np.asarray(np.isfinite(grid.values[:, late]).any(axis=1))
    few = evidence.too_few(int(followed.sum()), f"a count on or after day {bounds['from_day']}", arm=arm)
    if few:
        return few.with_reason(few.verdict, few.why + _left_out(evidence, grid.patients))
    last = float(days[np.isfinite(grid.values).any(axis=0)].max())
    if last < bounds["last_day"]:
        return not_evaluable(
            f"followed to day {last:.0f} only, day {bounds['last_day']} asked", arm=arm, n=len(followed)
        )
    grid = grid.only(followed)
    late &= np.isfinite(grid.values).any(axis=0)

    def decide(of: Arrays) -> Decided:
        medians = np.nanmedian(folds(of["folds"])[..., late[1:]], axis=1)
        return all_of([(medians >= bounds["fold"]).all(axis=1)])

    fold = folds(grid.values)[:, late[1:]]
    medians = np.nanmedian(fold, axis=0)
    return find(
        evidence, "C06", {"folds": grid}, decide=decide,
        why="median fold by day: " + ", ".join(f"D{d:.0f} {v:.1f}" for d, v in zip(days[late], medians, strict=True))
        + _left_out(evidence, grid.patients),
        value=float(medians.min()), low=float(np.nanmin(fold)), high=float(np.nanmax(fold)),
        bound=f">= {bounds['fold']:g} at every day from {bounds['from_day']}, last day >= {bounds['last_day']}",
        n=len(grid.patients), arm=arm,
    )  # fmt: skip


def _compositions(evidence: Evidence, arm: str, modality: str, *, names: list[str]) -> Grid | None:
    """Log-ratios of an arm, patients × (before, days 7 to 28) × populations; None if no patient has both."""
    table = evidence.fractions(arm, modality)
    if not len(table):
        return None
    parts = []
    for mask in (evidence.side(table, "before"), evidence.side(table, "blood", (7, 28))):
        wide = table[mask].pivot_table(
            index=["patient", "sample"], columns="population", values="fraction", aggfunc="sum", fill_value=0.0
        )
        wide = wide.reindex(columns=names, fill_value=0.0)
        parts.append(pd.DataFrame(clr(wide.to_numpy(float)), wide.index, names).groupby("patient").mean())
    both = parts[0].index.intersection(parts[1].index)
    if not len(both):
        return None
    return Grid(np.stack([p.loc[both].to_numpy() for p in parts], axis=1), tuple(both), ("before", "after"), (0,))


def beyond_il2(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C07: larger peak folds than under IL-2 alone, and another change of the composition (days 7 to 28)."""
    arm, control = evidence.arms.treated, evidence.arms.control
    for name in (arm, control):
        if not evidence.has_arm(name):
            return evidence.without_arm(name)
    treated, untreated = (asked_folds(evidence, a) for a in (arm, control))
    if isinstance(treated, Verdict):
        return treated
    if isinstance(untreated, Verdict):
        return untreated
    peaks = [np.nanmax(folds(g.values), axis=1) for g in (treated, untreated)]
    ratio = float(np.median(peaks[0]) / np.median(peaks[1]))

    def of(modality: str) -> Verdict:
        table = evidence.get("abundance")
        names = sorted(set(table.loc[table["modality"] == modality, "population"]) - {"NK"})
        a, b = (_compositions(evidence, name, modality, names=names) for name in (arm, control))
        if a is None or b is None:
            return not_evaluable(
                "no composition before infusion and on days 7 to 28 in both arms", arm=f"{arm}, {control}"
            )
        cohort = {"x": treated, "y": untreated, "a": a, "b": b}

        def decide(given: Arrays) -> Decided:
            x, y = (np.nanmax(folds(given[k]), axis=2) for k in ("x", "y"))
            moved, _ = two_groups(*(given[k][:, :, 1] - given[k][:, :, 0] for k in ("a", "b")), seed=evidence.seed)
            larger = np.median(x, axis=1) / np.median(y, axis=1) >= bounds["ratio"]
            return all_of([larger], [rank_sum(x, y, two_sided=True, seed=evidence.seed), moved], bounds["p"])

        tested = two_groups(*(g.values[None, :, 1] - g.values[None, :, 0] for g in (a, b)), seed=evidence.seed)[0]
        ranks = rank_sum(*peaks, two_sided=True, seed=evidence.seed)
        rises = [(g.values[:, 1] - g.values[:, 0]).mean(axis=0) for g in (a, b)]
        most = [names[int(np.argmax(r))] for r in rises]
        return find(
            evidence, "C07", cohort, decide=decide,
            why=f"median peak fold ratio {ratio:.1f}, exact rank-sum p {ranks.p[0]:.3g}; change of composition, days 7 "
            f"to 28 against before, differs between the arms with exact relabelling p {tested.p[0]:.3g} (rising most: "
            f"{label(most[0])} in {arm}, {label(most[1])} in {control})",
            value=ratio, bound=f"ratio >= {bounds['ratio']:g}, both p <= {bounds['p']:g}", level=bounds["p"],
            n=len(peaks[0]) + len(peaks[1]), arm=f"{arm}, {control}", modality=modality,
        )  # fmt: skip

    return each_modality(evidence, of)
