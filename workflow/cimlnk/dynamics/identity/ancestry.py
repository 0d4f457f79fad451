"""Which product subset founds the subsets seen later: transport composed over time, against shuffled labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.stats.transport import shares, transport

from .course import Course, shuffled_labels, summaries
from .links import Profile, Summary, profile

Floats = NDArray[np.float64]
MIN_CELLS = 20
# Named subsets are states that cells pass through, so here growth costs as much as becoming the typical other subset
# (Waddington-OT's default); else the few cells of a name in the product would found all later ones of that name.
GROWTH_PRICE = 1.0
BOOTSTRAPS = 200  # nothing is clustered in them, so they cost little


def ancestry(
    course: Course,
    population: NDArray[np.object_],
    line: Sequence[str],
    *,
    per_ul: Mapping[str, float],
    seed: int,
) -> pd.DataFrame:
    """Share of every later subset that descends from every founder subset, with bootstrap limits and control.

    Subsets are the named ones of the joint clustering. Between consecutive time points the cost of becoming another
    subset is the squared distance of the mean profiles, in units of the median distance between subsets; the shares
    of ancestors are multiplied along the line. The control exchanges (time point, subset) labels between the cells of
    a patient: subsets then have no profile of their own and every one descends from the founders in proportion to
    their number. A founder is called one if its interval lies above that.

    Ancestry by transport is a statement on likeness and numbers. It cannot tell infused cells from the patient's own
    (which are of the same donor after a haploidentical transplant).

    Parameters
    ----------
    course
        Cells of one arm.
    population
        Subset per cell.
    line
        Time points, founders first.
    per_ul
        NK cells per microlitre by time point, NaN or absent where unknown; for the growth of a founder.

    Returns
    -------
    DataFrame
        ANCESTRY without modality, arm and day.
    """
    names, code = np.unique(population.astype(str), return_inverse=True)
    wanted = course._replace(pairs=list(zip(line[:-1], line[1:], strict=True)))
    moments = summaries(wanted, code)
    control = summaries(shuffled_labels(wanted, code, seed), code)
    scale = _scale([profile(moments[t]) for t in line])
    observed = _compose(moments, line, scale)
    shuffled = _compose(control, line, scale)
    generator = rng(seed, "ancestry")
    patients = int(course.patient.max(initial=-1)) + 1
    drawn = []
    for _ in range(BOOTSTRAPS):
        weight = np.bincount(generator.integers(0, patients, patients), minlength=patients).astype(float)
        drawn.append(_compose(moments, line, scale, weight=weight, noise=generator))
    size = {t: profile(moments[t]).share for t in line}
    alone = int((moments[line[0]].counts.sum(axis=0) >= MIN_CELLS).sum()) < 2
    rows = []
    for later in line[1:]:
        stack = np.stack([d[later] for d in drawn])
        for j in np.flatnonzero(np.isfinite(observed[later]).any(axis=0)):
            for i in np.flatnonzero(np.isfinite(observed[later][:, j])):
                known = stack[:, i, j][np.isfinite(stack[:, i, j])]
                low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
                share, null = observed[later][i, j], shuffled[later][i, j]
                rows.append(
                    {
                        "founder_timepoint": line[0],
                        "founder": names[i],
                        "timepoint": later,
                        "population": names[j],
                        "share": share,
                        "share_low": low,
                        "share_high": high,
                        "share_shuffled": null,
                        "growth": _growth(
                            share, size[later][j], size[line[0]][i], per_ul=per_ul, first=line[0], at=later
                        ),
                        "verdict": "founder" if low > null and not alone else "not shown",
                        "reason": f"only one founder has {MIN_CELLS} cells: nothing to choose from" if alone else None,
                    }
                )
    return pd.DataFrame(rows)


def _growth(share: float, later: float, founder: float, *, per_ul: Mapping[str, float], first: str, at: str) -> float:
    """Descendants per founder cell: both as cells per microlitre of blood."""
    before, after = per_ul.get(first, np.nan), per_ul.get(at, np.nan)
    return float(share * later * after / (founder * before)) if founder > 0 and before > 0 else float("nan")


def _compose(
    moments: Mapping[str, Summary],
    line: Sequence[str],
    scale: float,
    *,
    weight: Floats | None = None,
    noise: np.random.Generator | None = None,
) -> dict[str, Floats]:
    """Founders x subsets ancestor shares at every later time point; NaN where a subset has too few cells."""
    k = max(s.counts.shape[1] for s in moments.values())
    found: dict[str, Profile] = {}
    for timepoint in line:
        s = moments[timepoint]
        has = s.counts.sum(axis=1) > 0
        found[timepoint] = profile(s, weight if weight is not None and weight[has].any() else None, noise)
    result: dict[str, Floats] = {}
    so_far: Floats | None = None
    enough = {t: moments[t].counts.sum(axis=0) >= MIN_CELLS for t in line}
    for before, after in zip(line[:-1], line[1:], strict=True):
        step = _step(found[before], found[after], enough[before], wanted=enough[after], k=k, scale=scale)
        so_far = step if so_far is None else _chain(so_far, step)
        result[after] = so_far
    return result


def _scale(found: Sequence[Profile]) -> float:
    """Median squared distance between subsets of one time point; the control is measured with the same."""
    between = []
    for p in found:
        usable = np.flatnonzero(p.cells >= MIN_CELLS)
        between += [((p.mean[i] - p.mean[j]) ** 2).sum() for i in usable for j in usable if i < j]
    return float(np.median(between)) if between else float(np.mean([p.variance.sum(axis=1).mean() for p in found]))


def _step(
    before: Profile, after: Profile, usable: NDArray[np.bool_], *, wanted: NDArray[np.bool_], k: int, scale: float
) -> Floats:
    # a bootstrap may draw no patient that has a subset: it then says nothing about it
    a, b = np.flatnonzero(usable & (before.cells > 0)), np.flatnonzero(wanted & (after.cells > 0))
    whole = np.full((k, k), np.nan)
    if not len(a) or not len(b):
        return whole
    square = ((before.mean[a][:, None] - after.mean[b][None]) ** 2).sum(axis=-1)
    plan = transport(
        square / max(scale, 1e-12), before.share[a] / before.share[a].sum(), after.share[b], relax_source=GROWTH_PRICE
    )
    _, ancestors = shares(plan)
    whole[np.ix_(a, b)] = ancestors
    return whole


def _chain(first: Floats, second: Floats) -> Floats:
    """Founders of the later subsets: shares of ancestors multiplied, subsets that are NaN in between left out."""
    known = np.isfinite(first).any(axis=0) & np.isfinite(second).any(axis=1)
    result = np.nan_to_num(first[:, known]) @ np.nan_to_num(second[known])
    total = result.sum(axis=0, keepdims=True)
    result = np.divide(result, total, out=np.zeros_like(result), where=total > 0)
    gone = ~np.isfinite(first).any(axis=1)
    result[gone] = np.nan
    result[:, ~np.isfinite(second).any(axis=0)] = np.nan
    return result
