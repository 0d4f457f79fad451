"""A finding: what was asked of which grids, how often cohorts without the effect would answer yes, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from cimlnk.common.seeds import rng
from cimlnk.stats.intervals import wilson
from cimlnk.stats.one_sided import OneSided

from .chance import Grid, draw
from .evidence import LEVEL, NOT_EVALUABLE, Evidence, Verdict, judged, not_evaluable

Floats = NDArray[np.float64]
Arrays = Mapping[str, Floats]
SMALLEST_SHARE = 0.002  # shares below two in a thousand are one: a few cells decide them


class Decided(NamedTuple):
    """Per data set: whether the claim holds, the largest of the p it needs (NaN: it needs none), and their floor."""

    ok: NDArray[np.bool_]
    p: Floats
    p_floor: float


Decide = Callable[[Arrays], Decided]
Null = Callable[[int, np.random.Generator], "dict[str, Floats] | None"]


def all_of(conditions: list[NDArray[np.bool_]], tests: list[OneSided] | None = None, level: float = LEVEL) -> Decided:
    """The claim holds where all conditions do and every test rejects at `level`."""
    count = len(conditions[0]) if conditions else len(tests[0].p)  # type: ignore[index]
    ok = np.ones(count, dtype=bool)
    for condition in conditions:
        ok &= condition
    if not tests:
        return Decided(ok, np.full(count, np.nan), np.nan)
    p = np.max([t.p for t in tests], axis=0)
    return Decided(ok & (p <= level + 1e-12), p, max(t.p_floor for t in tests))


def find(
    evidence: Evidence,
    name: str,
    grids: Mapping[str, Grid],
    *,
    decide: Decide,
    why: str,
    null: Null | None = None,
    level: float = LEVEL,
    undecided: str | None = None,
    **fields: Any,
) -> Verdict:
    """Decide on the grids, count how often grids without effect would be decided alike, and judge.

    Parameters
    ----------
    name
        Claim, for its stream of random numbers.
    decide
        From arrays with a leading axis of data sets.
    why
        What was seen, in words.
    null
        Makes arrays without effect; by default every grid by :func:`.chance.draw`. None returned: noise unknown.
    undecided
        Why data as these leave the question open although nothing speaks against it; makes "not supported" into "not
        evaluable".
    fields
        Of the verdict.
    """
    seen = decide({k: g.values[None] for k, g in grids.items()})
    ok, p, floor = bool(seen.ok[0]), float(seen.p[0]), float(seen.p_floor)
    fields = {**fields, "p": p, "p_attainable": floor}
    if np.isfinite(floor) and floor > level + 1e-12:
        return not_evaluable(
            f"{why}; with these patients p cannot be below {floor:.3g}, so that {level:g} is out of reach", **fields
        )
    random = rng(evidence.seed, "claims", name, fields.get("arm"), fields.get("modality"))
    if evidence.draws == 0:
        drawn = None
    else:
        drawn = null(evidence.draws, random) if null is not None else _drawn(grids, evidence.draws, random)
    if drawn is None:
        if np.isfinite(floor):  # exact: the level is the most that chance can reach, whatever the noise
            return judged(ok, f"{why}; chance is the level of the exact test", chance=level, **fields)
        return not_evaluable(
            f"{why}; how much patients vary by chance cannot be estimated from so few values", **fields
        )
    chance = float(decide(drawn).ok.mean())
    exact = np.isfinite(floor)
    fields["chance"] = min(chance, level) if exact else chance  # an exact test cannot exceed its level; the count can
    if not exact and wilson(chance, evidence.draws)[0] > level:
        return not_evaluable(
            f"{why}; {chance:.0%} of such cohorts without the effect would be called supported, which is too often",
            **fields,
        )
    if not ok and undecided:
        return not_evaluable(f"{why}; {undecided}", **fields)
    return judged(ok, why, **fields)


def _drawn(grids: Mapping[str, Grid], count: int, random: np.random.Generator) -> dict[str, Floats] | None:
    made = {}
    for key in sorted(grids):
        one = draw(grids[key], count, random)
        if one is None:
            return None
        made[key] = one
    return made


def each_modality(evidence: Evidence, ask: Callable[[str], Verdict], modalities: list[str] | None = None) -> Verdict:
    """Ask in every modality; the one with more patients answers, the others stand beside it.

    The choice looks at the number of patients and never at the result; mass cytometry goes first among equals.
    """
    asked = [(m, ask(m)) for m in (evidence.modalities() if modalities is None else modalities)]
    if not asked:
        return not_evaluable("no populations in any modality")
    able = [(m, v) for m, v in asked if v.verdict != NOT_EVALUABLE] or asked
    chosen, verdict = max(able, key=lambda pair: (pair[1].n, pair[0] == "cytof"))
    others = [f"{m}: {v.verdict} ({v.why})" for m, v in asked if m != chosen]
    why = "; beside it, ".join([f"{chosen}: {verdict.why}" if len(asked) > 1 else verdict.why, *others])
    if verdict.modality is None and verdict.verdict != NOT_EVALUABLE:
        verdict = Verdict(**{**vars(verdict), "modality": chosen})
    return verdict.with_reason(verdict.verdict, why)


def logit(share: Floats | pd.Series) -> Floats:
    """Log odds of a share, the smallest resolved being 0.2 %."""
    return np.asarray(special.logit(np.clip(np.asarray(share, float), SMALLEST_SHARE, 1 - SMALLEST_SHARE)))


def risen(change: Floats, least: float) -> NDArray[np.bool_]:
    """Whether the median patient's change (natural logarithm, data sets × patients) is that of a factor `least`.

    Without a least effect a rise of nothing worth the name is a finding in as many cohorts as the test has its level.

    Examples
    --------
    >>> risen(np.log([[1.2, 1.6, 2.0], [1.2, 1.3, 2.0]]), 1.5).tolist()
    [True, False]
    """
    return np.asarray(np.median(change, axis=-1) >= np.log(least))


def unlogit(value: Floats) -> Floats:
    """Share of log odds: the inverse of :func:`logit`."""
    return np.asarray(special.expit(value))


def sides(
    evidence: Evidence,
    table: pd.DataFrame,
    wanted: Mapping[str, pd.Series],
    *,
    scale: Callable[[Floats], Floats],
    reference: str,
    what: str,
) -> Grid | Verdict:
    """Patients × sides (mean of a patient's samples on the scale of the test); patients with all sides.

    Parameters
    ----------
    table
        Rows with `patient`, `sample` and `value`.
    wanted
        Name of a side -> its rows.
    scale
        Of `value`, on which a patient's samples are averaged.
    reference
        The side without effect.
    what
        The sides in words, for the reason where there are too few patients.
    """
    scaled = table.assign(_v=scale(table["value"].to_numpy(float)))
    wide = pd.DataFrame({k: scaled[m].groupby("patient")["_v"].mean() for k, m in wanted.items()}).dropna()
    few = evidence.too_few(len(wide), what)
    if few:
        return few
    for key, mask in wanted.items():
        if key != reference and (reason := evidence.aliased(table, wanted[reference], mask)):
            return not_evaluable(f"{what}: {reason}")
    slots = tuple(wanted)
    return Grid(wide[list(slots)].to_numpy(float), tuple(map(str, wide.index)), slots, (slots.index(reference),))
