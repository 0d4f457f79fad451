"""The claim that the expansion does not depend on CMV viremia (C08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cimlnk.common.seeds import rng

from .chance import Grid
from .checks_kinetics import asked_folds, folds
from .evidence import Evidence, Verdict, not_evaluable
from .finding import Arrays, Decided, all_of, find, logit

Floats = NDArray[np.float64]


def _viremia(evidence: Evidence, arm: str) -> dict[str, str]:
    """CMV viremia of every patient by the patients sheet, else by a covariate of the samples sheet."""
    known: dict[str, str] = {}
    for name in ("samples", "patients"):  # the patients sheet has the last word
        table = evidence.get(name)
        if "cmv_viremia" not in table:
            continue
        rows = table[(table["arm"] == arm) & table["cmv_viremia"].notna()]
        for patient, values in rows.groupby("patient")["cmv_viremia"]:
            words = {str(v).strip().lower() for v in values}
            known[str(patient)] = "yes" if words & {"yes", "true", "positive", "1"} else "no"
    return known


def without_cmv(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C08: patients without CMV viremia expand, and no less than those with it; folds do not follow adaptive cells."""
    arm = evidence.arms.treated
    grid = asked_folds(evidence, arm)
    if isinstance(grid, Verdict):
        return grid
    viremia = _viremia(evidence, arm)
    if not viremia:
        return not_evaluable("cmv_viremia stands neither in the patients nor in the samples sheet", arm=arm)
    group = np.array([viremia.get(p, "") for p in grid.patients])
    free, with_it = group == "no", group == "yes"
    if free.sum() < 2 or with_it.sum() < 2:
        return not_evaluable(
            f"{int(free.sum())} treated patient(s) without and {int(with_it.sum())} with CMV viremia have a fold; two "
            "of each are needed to compare them", arm=arm, n=int(free.sum() + with_it.sum()),
        )  # fmt: skip
    log_peak = np.log2(np.nanmax(folds(grid.values), axis=1))[None]

    def interval(values: Floats) -> tuple[Floats, Floats, Floats]:
        """Log2 ratio of the groups' geometric means (with over without), with the limits of two one-sided t tests."""
        x, y = values[:, with_it], values[:, free]
        df = x.shape[1] + y.shape[1] - 2
        gap = x.mean(axis=1) - y.mean(axis=1)
        squares = ((x - x.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) + (
            (y - y.mean(axis=1, keepdims=True)) ** 2
        ).sum(axis=1)
        half = stats.t.ppf(0.95, df) * np.sqrt(squares / df * (1 / x.shape[1] + 1 / y.shape[1]))
        return gap, gap - half, gap + half

    limit = np.log2(bounds["ratio"])
    rho, p_rho = _with_adaptive(evidence, arm, grid.patients, log_peak=log_peak[0])
    follows = bool(np.isfinite(p_rho) and p_rho <= 0.05 and rho > 0)

    def decide(of: Arrays) -> Decided:
        peak = of["peak"]
        _, low, high = interval(peak)
        enough = np.median(2.0 ** peak[:, free], axis=1) >= bounds["fold"]
        return all_of([enough, (low > -limit) & (high < limit), np.full(len(peak), not follows)])

    def null(count: int, random: np.random.Generator) -> dict[str, Floats] | None:
        """Cohorts in which folds depend on viremia by just the ratio that must be excluded."""
        x = log_peak[0].copy()
        residual = np.concatenate([x[free] - x[free].mean(), x[with_it] - x[with_it].mean()])
        sd = np.sqrt((residual**2).sum() / max(len(residual) - 2, 1))
        if sd <= 0:
            return None
        df = len(residual) - 2
        spread = sd * np.sqrt(df / random.chisquare(df, size=(count, 1)))
        centre = max(float(x[free].mean()), np.log2(bounds["fold"])) + limit * with_it
        return {"peak": centre + spread * random.normal(size=(count, len(x)))}

    gap, low, high = (float(v[0]) for v in interval(log_peak))
    median = float(np.median(2.0 ** log_peak[0][free]))
    adaptive = (
        f"rank correlation of the fold with the share of adaptive cells {rho:.2f} (exact p {p_rho:.2g})"
        if np.isfinite(rho) else "no adaptive cells to correlate the folds with"
    )  # fmt: skip
    wide = low < limit and high > -limit and median >= bounds["fold"] and not follows
    return find(
        evidence, "C08", {"peak": Grid(log_peak[0], grid.patients, ())}, decide=decide,
        why=f"median peak fold without viremia {median:.1f} ({int(free.sum())} patients), with over without viremia "
        f"{2**gap:.2f}-fold (90 % interval {2**low:.2f} to {2**high:.2f}); {adaptive}",
        null=null, value=median, low=float(2.0 ** log_peak[0][free].min()), high=float(2.0 ** log_peak[0][free].max()),
        bound=f">= {bounds['fold']:g} without viremia; ratio within 1/{bounds['ratio']:g} to {bounds['ratio']:g}; fold "
        "does not rise with the adaptive share",
        n=int(free.sum() + with_it.sum()), arm=arm,
        undecided=f"neither independence nor a {bounds['ratio']:g}-fold difference is excluded" if wide else None,
    )  # fmt: skip


def _with_adaptive(evidence: Evidence, arm: str, patients: tuple[str, ...], *, log_peak: Floats) -> tuple[float, float]:
    """Spearman correlation of the folds with the mean adaptive share after infusion, and its exact p (rising)."""
    for modality in evidence.modalities():
        shares = evidence.shares("adaptive", arm, modality)
        if not len(shares):
            continue
        mine = shares[evidence.side(shares, "blood")].assign(value=lambda t: logit(t["value"]))
        share = mine.groupby("patient")["value"].mean().reindex(patients).to_numpy(float)
        known = np.isfinite(share)
        if known.sum() < 4 or len(np.unique(share[known])) < 2:
            continue
        x, y = stats.rankdata(share[known]), stats.rankdata(log_peak[known])
        random = rng(evidence.seed, "claims", "C08", "adaptive")
        orders = np.array([random.permutation(len(x)) for _ in range(4999)])
        centred = y - y.mean()
        seen = float((x - x.mean()) @ centred)
        null = (x - x.mean())[orders] @ centred
        scale = np.sqrt(((x - x.mean()) ** 2).sum() * (centred**2).sum())
        return seen / scale, float((1 + (null >= seen - 1e-9).sum()) / (1 + len(orders)))
    return np.nan, np.nan
