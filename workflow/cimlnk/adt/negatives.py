"""Backgrounds over the samples of a batch: a sample's own where its cells show it, that of the others where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.lineage.markers import NEGATIVE
from cimlnk.populations.positivity import negative_lineages

PSEUDO = 10.0  # as in background
LEAST_NEGATIVE = 50  # cells that make a lowest mode that can be relied upon
LEAST_OF_LINEAGE = 10  # cells of lineages without the protein whose median is better than nothing
SAME = 3.0  # lowest modes of two samples of a batch that differ more, depth aside, are not both negative
SHAKY = (
    0.3  # standard error (log) that is added where few negative cells are there: a mode then runs into positive ones
)
LEAST_SE = 0.05
SHARED_SD = 50  # cells that the batch's spread counts for
MOST_DOUBT = float(np.log(3.0)) / 2  # standard error (log) beyond which a background may be threefold off
# Proteins that most resting T cells of blood lack, though a part of them (half after an infection) carries them.
T_MOSTLY_LACK = (
    "CD56", "CD57", "CD94", "NKG2A", "NKG2C", "NKp30", "NKp80", "KIR2DL1", "KIR2DL2_3", "KIR3DL1", "KIR3DL2", "KIR2DL5",
    "KIR2DS4", "CD158", "CD25", "CD69", "CD137", "TIGIT",
)  # fmt: skip

Floats = NDArray[np.floating]


class Found(NamedTuple):
    """Samples × antibodies: centre and spread on log(count + 10), cells behind them, how and why.

    `told` is true where empty droplets or lineages without the protein show that the level is background, `untold`
    where too few cells of such lineages are there to say so of a mode.
    """

    centre: Floats
    sd: Floats
    n: Floats
    method: list[list[str]]
    reason: list[list[str | None]]
    trusted: NDArray[np.bool_]
    told: NDArray[np.bool_]
    untold: NDArray[np.bool_]

    @classmethod
    def nothing(cls, samples: int, antibodies: int) -> Found:
        """Nothing known of any."""
        empty = np.full((samples, antibodies), np.nan)
        said: list[list[str | None]] = [[None] * antibodies for _ in range(samples)]
        methods = [["none"] * antibodies for _ in range(samples)]
        no = np.zeros(empty.shape, bool)
        return cls(empty, empty.copy(), np.zeros(empty.shape), methods, said, ~no, no.copy(), no.copy())

    def put(self, s: int, j: int | slice, *, centre: Any, sd: Any, n: int, method: str) -> None:
        """Enter what was found in a sample for one antibody, or for all."""
        self.centre[s, j], self.sd[s, j], self.n[s, j] = centre, sd, n
        for at in range(self.centre.shape[1])[j] if isinstance(j, slice) else [j]:
            self.method[s][at] = method

    def say(self, s: int, j: int, method: str, *, reason: str) -> None:
        """Change the method of one antibody in a sample, and say why."""
        self.method[s][j], self.reason[s][j] = method, reason


class OfLineage(NamedTuple):
    """Centre and spread below it (log(count + 10)) of a lineage's cells, their number and name."""

    centre: float
    sd: float
    n: int
    lineage: str


def without_protein(marker: str) -> tuple[str, ...]:
    """Lineages that do not carry a marker, or of which most cells do not.

    Examples
    --------
    >>> without_protein("CD16")
    ('B', 'T')
    >>> without_protein("CD45")
    ()
    """
    known = {*negative_lineages().get(marker, ()), *NEGATIVE.get(marker, ())}
    return tuple(sorted(known | ({"T"} if marker in T_MOSTLY_LACK else set())))


def of_lineages(x: Floats, lineage: NDArray[Any], names: Sequence[str], *, partly: bool = False) -> OfLineage | None:
    """Centre of the commonest of the lineages, or of all together if none has ten cells; None below that.

    The centre is the median; where up to half of the T cells may carry the protein (`partly`), the middle of the
    shortest interval that holds half of the values. The spread is that of the values below the centre, mirrored: a few
    cells of a lineage carry the protein after all.

    Examples
    --------
    >>> x = np.array([2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 5.0, 6.0, 7.0, 8.0, 9.0])
    >>> t = np.full(12, "T", object)
    >>> of_lineages(x, t, ["T"]).centre, of_lineages(x, t, ["T"], partly=True).centre
    (2.55, 2.25)
    """
    parts = {name: x[lineage == name] for name in names}
    name = max(parts, key=lambda key: len(parts[key]), default="")
    if not name or len(parts[name]) < LEAST_OF_LINEAGE:
        if sum(map(len, parts.values())) < LEAST_OF_LINEAGE:
            return None
        name = " and ".join(key for key in sorted(parts) if len(parts[key]))
        parts[name] = np.concatenate(list(parts.values()))
    own = np.sort(parts[name])
    n = len(own)
    if partly and "T" in name.split():
        half = (n + 1) // 2
        start = int(np.argmin(own[half - 1 :] - own[: n - half + 1]))
        own = own[start : start + half]
    centre = float(np.median(own))
    below = parts[name][parts[name] <= centre]
    return OfLineage(centre, float(np.sqrt(np.mean((below - centre) ** 2))), n, name)


def share(found: Found) -> NDArray[np.bool_]:
    """Draw uncertain backgrounds to those of the batch's other samples, in place; which modes are of positive cells.

    Parameters
    ----------
    found
        Of every sample by itself. Changed: `centre`, `sd`, `method`, `reason` and `trusted`.

    Returns
    -------
    numpy.ndarray of bool
        Samples × antibodies whose lowest mode lies threefold above others' and was not believed.
    """
    k, n = found.centre.shape
    positive = np.zeros((k, n), bool)
    if k < 2:
        return positive
    empty, by_lineage = (
        np.array([[m == name for m in row] for row in found.method]) for name in ("empty droplets", "negative lineages")
    )
    own = np.log(np.maximum(np.exp(found.centre) - PSEUDO, 0) + 1)
    depth = _depths(own)
    own = own - depth[:, None]
    sure = np.isfinite(own) & (found.told | (found.n >= LEAST_NEGATIVE))
    for j in range(n):
        judges = own[sure[:, j], j] if sure[:, j].any() else own[np.isfinite(own[:, j]), j]
        if len(judges):
            positive[:, j] = ~found.told[:, j] & (own[:, j] > judges.min() + np.log(SAME))
    use = np.isfinite(own) & ~positive
    _spreads(found, use & ~empty)
    se = _standard_error(found, by_lineage)
    shared = _between(own, se, use)
    for j in range(n):
        if not use[:, j].any():
            continue
        mean, tau2 = shared.mean[j], shared.tau2[j]
        for s in np.flatnonzero(~empty[:, j]):
            mine = se[s, j] ** 2 if use[s, j] else np.inf
            weight = tau2 / (tau2 + mine) if use[s, j] and use[:, j].sum() > 1 else float(use[s, j])
            doubt = np.sqrt(weight * mine if use[s, j] and weight > 0 else tau2)
            place = mean + weight * (own[s, j] - mean) if use[s, j] else mean
            found.centre[s, j] = np.log(max(np.exp(place + depth[s]) - 1, 0) + PSEUDO)
            found.trusted[s, j] = doubt <= MOST_DOUBT
            if weight < 0.5:
                why = _why(found, int(s), j, positive=positive[s, j], factor=float(np.exp(2 * doubt)))
                found.say(int(s), j, "other samples", reason=why)
    return positive


class _Shared(NamedTuple):
    mean: Floats
    tau2: Floats


def _why(found: Found, s: int, j: int, *, positive: np.bool_, factor: float) -> str:
    if positive:
        what = "the lowest mode here is that of positive cells"
    elif not found.n[s, j]:
        what = "too few cells here"
    elif found.untold[s, j] and found.n[s, j] >= LEAST_NEGATIVE:
        what = "no lineage here says that the lowest mode is of negative cells"
    else:
        what = f"few negative cells here ({int(found.n[s, j])})"
    told = f"{what}; taken from other samples of the batch, corrected for depth"
    if found.trusted[s, j]:
        return told
    return f"{told}, though these differ {factor:.1f}-fold: not trustworthy, names that need it are not given"


def _depths(own: Floats) -> Floats:
    """Depths of the samples: median over antibodies of the log ratio to the antibody's middle sample."""
    known = np.isfinite(own).all(axis=1)
    if known.sum() < 2:
        return np.zeros(len(own))
    middle = np.median(own[known], axis=0)
    depth = np.zeros(len(own))
    depth[known] = np.median(own[known] - middle, axis=1)
    return depth


def _standard_error(found: Found, by_lineage: NDArray[np.bool_]) -> Floats:
    """Of log(level + 1), from the spread on log(count + 10) and the number of cells."""
    level = np.maximum(np.exp(found.centre) - PSEUDO, 0)
    with np.errstate(all="ignore"):
        # a mode is less sure than a median (1.25); the cells of a lineage are those that looked like it
        se = np.where(by_lineage, 2.5, 1.25) * found.sd / np.sqrt(found.n)
    shaky = ((found.n < LEAST_NEGATIVE) | found.untold) & ~by_lineage
    return np.maximum(np.hypot(se, np.where(shaky, SHAKY, 0.0)) * (level + PSEUDO) / (level + 1), LEAST_SE)


def _between(own: Floats, se: Floats, use: NDArray[np.bool_]) -> _Shared:
    """Mean of every antibody over the samples and the variance between them beyond what the cells' number explains.

    The variance of an antibody is at least the middle one of the panel: few samples show little of their own.
    """
    n = own.shape[1]
    excess = np.full(n, np.nan)
    mean = np.full(n, np.nan)
    for j in range(n):
        y, w = own[use[:, j], j], 1 / se[use[:, j], j] ** 2
        if len(y) < 2:
            mean[j] = y[0] if len(y) else np.nan
            continue
        plain = (w * y).sum() / w.sum()
        excess[j] = ((w * (y - plain) ** 2).sum() - (len(y) - 1)) / (w.sum() - (w**2).sum() / w.sum())
    usual = max(float(np.nanmedian(excess)), 0.0) if np.isfinite(excess).any() else 0.0
    tau2 = np.maximum(np.nan_to_num(excess, nan=usual), usual)
    for j in map(int, np.flatnonzero(np.isfinite(excess))):
        w = 1 / (se[use[:, j], j] ** 2 + tau2[j])
        mean[j] = (w * own[use[:, j], j]).sum() / w.sum()
    return _Shared(mean, tau2)


def _spreads(found: Found, use: NDArray[np.bool_]) -> None:
    """Draw every sample's spread to the batch's, which counts as much as fifty cells."""
    weight = np.where(use, found.n, 0.0)
    total = weight.sum(axis=0)
    variance = np.nan_to_num(found.sd) ** 2
    shared = np.divide((weight * variance).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
    for s in range(len(found.sd)):
        drawn = np.sqrt((weight[s] * variance[s] + SHARED_SD * shared) / (weight[s] + SHARED_SD))
        keep = np.array([m == "empty droplets" for m in found.method[s]]) | ~np.isfinite(shared)
        found.sd[s] = np.where(keep, found.sd[s], drawn)
