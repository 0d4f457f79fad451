"""The claim that the expansion does not depend on CMV viremia (C08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cimlnk.cohort.words import count
from cimlnk.common.seeds import rng
from cimlnk.stats.one_sided import rank_sum

from .chance import Grid, noise_of
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
    """C08: patients without CMV viremia expand, and no less than those with it; folds do not follow adaptive cells.

    Compared is each patient's mean log fold over the days after infusion, adjusted for which days those were: a peak is
    one count over another, a mean has the error of all days' counts divided by their number. A dependence by the bound
    has to be excluded twice, by t tests and by exact rank sums of folds shifted by it: folds are not normal.
    """
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
            f"{count(int(free.sum()), 'treated patient')} without and {int(with_it.sum())} with CMV viremia have a "
            "fold; two of each are needed to compare them", arm=arm, n=int(free.sum() + with_it.sum()),
        )  # fmt: skip
    peak = np.nanmax(folds(grid.values), axis=1)
    after = noise_of(Grid(grid.values[:, 1:] - grid.values[:, :1], grid.patients, grid.slots[1:]))
    course = (after.level + after.own)[:, 0]  # log2 folds, mean over the days

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

    limit, near = np.log2(bounds["ratio"]), np.log2(bounds["measured"])
    rho, p_rho = _with_adaptive(evidence, arm, grid.patients, course=course)
    follows = bool(np.isfinite(p_rho) and p_rho <= 0.05 and rho > 0)

    def decide(of: Arrays) -> Decided:
        gap, low, high = interval(of["course"])
        enough = np.median(of["peak"][:, free], axis=1) >= bounds["fold"]
        alike = (low > -limit) & (high < limit) & (np.abs(gap) <= near)
        x, y = of["course"][:, with_it], of["course"][:, free]
        exact = [rank_sum(a + limit, b, seed=evidence.seed) for a, b in ((x, y), (y, x))]
        return all_of([enough, alike, np.full(len(enough), not follows)], exact)

    def null(count: int, random: np.random.Generator) -> dict[str, Floats] | None:
        """Cohorts in which folds depend on viremia by just the ratio that must be excluded."""
        residual = np.concatenate([course[g] - course[g].mean() for g in (free, with_it)])
        df = len(residual) - 2
        sd = np.sqrt((residual**2).sum() / df)
        if sd <= 0:
            return None
        spread = sd * np.sqrt(df / random.chisquare(df, size=(count, 1)))
        drawn = limit * with_it + spread * random.normal(size=(count, len(course)))
        return {"course": drawn, "peak": np.tile(np.maximum(peak, bounds["fold"]), (count, 1))}

    gap, low, high = (float(v[0]) for v in interval(course[None]))
    median = float(np.median(peak[free]))
    adaptive = (
        f"rank correlation of the fold with the share of adaptive cells {rho:.2f} (exact p {p_rho:.2g})"
        if np.isfinite(rho) else "no adaptive cells to correlate the folds with"
    )  # fmt: skip
    wide = low < limit and high > -limit and median >= bounds["fold"] and not follows
    undecided = f"neither independence nor a {bounds['ratio']:g}-fold difference is excluded"
    if -limit < low and high < limit:
        undecided = f"a {bounds['ratio']:g}-fold difference is excluded, a {2 ** abs(gap):.1f}-fold one was measured"
    asked = {"course": Grid(course, grid.patients, ()), "peak": Grid(peak, grid.patients, ())}
    return find(
        evidence, "C08", asked, decide=decide,
        why=f"median peak fold without viremia {median:.1f} ({int(free.sum())} patients), mean fold over the days "
        f"with over without viremia {2**gap:.2f} (90 % interval {2**low:.2f} to {2**high:.2f}); {adaptive}",
        null=null, value=median, low=float(peak[free].min()), high=float(peak[free].max()),
        bound=f">= {bounds['fold']:g} without viremia; ratio measured within 1/{bounds['measured']:g} to "
        f"{bounds['measured']:g}, its interval within 1/{bounds['ratio']:g} to {bounds['ratio']:g}; fold "
        "does not rise with the adaptive share",
        n=int(free.sum() + with_it.sum()), arm=arm,
        undecided=undecided if wide else None,
    )  # fmt: skip


def _with_adaptive(evidence: Evidence, arm: str, patients: tuple[str, ...], *, course: Floats) -> tuple[float, float]:
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
        x, y = stats.rankdata(share[known]), stats.rankdata(course[known])
        random = rng(evidence.seed, "claims", "C08", "adaptive")
        centred = y - y.mean()
        seen = float((x - x.mean()) @ centred)
        shuffled = random.permuted(np.tile(x - x.mean(), (4999, 1)), axis=1)
        null = shuffled @ centred
        scale = np.sqrt(((x - x.mean()) ** 2).sum() * (centred**2).sum())
        return seen / scale, float((1 + (null >= seen - 1e-9).sum()) / (1 + len(null)))
    return np.nan, np.nan
