"""Where a marker becomes positive, on an absolute scale: per batch one threshold with an interval and a method.

The methods in order: a **valley** between a negative and a positive mode of the tube; the upper edge of lineages that
do not carry the marker (**reference**); a number of the **panel** sheet; **absolute**, where all cells are unmistakably
bright or none is above the noise; **none**, with the reason. Never below the noise:
ten ion counts, since up to three quarters of a real channel's values are exact zeros and what lies just above them is
spill and background.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.home import HOME

REFERENCES = HOME / "resources" / "phenotypes" / "references.tsv"
NOISE_COUNTS = 10.0  # ion counts
PER_LINEAGE = 3000  # events of a lineage that are looked at
LEAST_REFERENCE = 50  # events of a lineage that show what negative is
LEAST_MODE = 0.01  # share of the NK cells (and at least LEAST_POSITIVE of them) that makes a positive mode
LEAST_POSITIVE = 30
DEPTH = 0.6  # density at a valley, as a share of the lower of the two modes beside it
BANDWIDTH = 0.22  # arcsinh units: spread of ion counting at a few counts
LOW_MODE = 0.6  # the median of negative cells lies at most this far above the noise
STRONG = math.log(4)  # cells this far above the noise are positive without any negative ones to compare with
AGREE = 1.0  # references whose edges are further above the lowest one do not count
SURE = 0.7  # confidence of a lineage from which an event is a reference
CARRIED = "carry it here"
NOT_MEASURED = "no file of the batch has it"
GRID = 256

Floats = NDArray[np.floating]


class Threshold(NamedTuple):
    """Positive above `value` (analysis scale; NaN if nothing tells), which may as well lie from `low` to `high`."""

    value: float
    low: float
    high: float
    method: str
    reason: str | None


class Reference(NamedTuple):
    """Live single events of all lineages, batch by batch, as ``cytof/lineages.npz`` holds them.

    Attributes
    ----------
    values
        Events × markers, analysis scale (float32).
    markers
        Names of the columns.
    batch, lineage
        Name of the batch and of the lineage of every event.
    confidence
        Of the lineage, 0 to 1.
    """

    values: Floats
    markers: list[str]
    batch: NDArray[Any]
    lineage: NDArray[Any]
    confidence: Floats

    @classmethod
    def read(cls, path: Any) -> Reference:
        """Read the file of rule ``cytof_lineages``."""
        with np.load(path, allow_pickle=False) as f:
            return cls(
                f["values"],
                [str(m) for m in f["markers"]],
                f["batches"].astype(str)[f["batch"]],
                f["lineages"].astype(str)[f["lineage"]],
                f["confidence"],
            )


@cache
def negative_lineages() -> dict[str, tuple[str, ...]]:
    """Marker -> lineages that do not carry it, from ``resources/phenotypes/references.tsv``."""
    rows = [line for line in REFERENCES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    split = (line.split("\t") for line in rows[1:])
    return {cells[0]: tuple(lineage.strip() for lineage in cells[1].split(",")) for cells in split}


def noise_level(cofactor: float) -> float:
    """The level of the noise on the analysis scale: arcsinh of ten counts over the cofactor."""
    return math.asinh(NOISE_COUNTS / cofactor)


def find_threshold(
    nk: Floats,
    references: Mapping[str, Floats],
    *,
    noise: float,
    panel: float | None = None,
    rng: np.random.Generator | None = None,
) -> Threshold:
    """The threshold of one marker in one batch.

    Parameters
    ----------
    nk
        Values of NK cells of the batch, analysis scale.
    references
        Lineage -> values of its cells in the same tubes, for lineages that do not carry the marker; empty if none.
    noise
        Level below which nothing is called positive.
    panel
        The panel sheet's own threshold, None without one.
    rng
        Draws the bootstraps of a valley's interval.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> nk = np.concatenate([rng.normal(0.3, 0.4, 700), rng.normal(4.2, 0.5, 300)])
    >>> find_threshold(nk, {}, noise=1.44).method
    'valley'
    """
    nk = nk[np.isfinite(nk)]
    edges, refused = _edges({k: v[np.isfinite(v)] for k, v in references.items()}, noise)
    valley = find_valley(nk, edges, noise, rng=rng or np.random.default_rng(0))
    if valley is not None:
        return valley
    if edges:
        lowest = min(edges, key=edges.__getitem__)
        agreeing = {k: v for k, v in edges.items() if v <= edges[lowest] + AGREE}
        value = max(edges[lowest], noise)
        why = f"99th percentile of {lowest} cells, which do not carry it" + (
            "" if value > noise else ", raised to the noise"
        )
        return Threshold(value, noise if value > noise else value, max([value, *agreeing.values()]), "reference", why)
    if panel is not None:
        return Threshold(panel, panel, panel, "panel", "the panel sheet's threshold")
    if len(nk) >= LEAST_POSITIVE:
        unlike = "no negative cells to compare with"
        if np.quantile(nk, 0.99) <= noise:
            return Threshold(noise, noise, noise, "absolute", f"{unlike}, and no cell above the noise")
        strong = noise + STRONG
        # where lineages that should be negative are bright as well, brightness says nothing
        background = any(CARRIED in r for r in refused)
        if not background and np.quantile(nk, 0.05) >= noise and np.median(nk) >= strong:
            why = f"{unlike}, but all cells above the noise and most of them four times as bright"
            return Threshold(noise + STRONG / 2, noise, strong, "absolute", why)
    why = "; ".join(refused) if refused else "no lineage in these tubes shows what negative is"
    return Threshold(math.nan, math.nan, math.nan, "none", f"no valley between two modes, and {why}")


def _edges(references: Mapping[str, Floats], noise: float) -> tuple[dict[str, float], list[str]]:
    """Upper edge of every usable reference lineage, and why others are none.

    The edge is the 99th percentile, or what the 90th lets expect where a few percent of the lineage carry the marker
    after all (late T cells, doublets): normal tails beyond the median.
    """
    edges: dict[str, float] = {}
    refused: list[str] = []
    for lineage, values in references.items():
        if len(values) < LEAST_REFERENCE:
            refused.append(f"{len(values)} {lineage} cells, fewer than {LEAST_REFERENCE}")
            continue
        middle, ninth, last = np.quantile(values, [0.5, 0.9, 0.99])
        if middle > noise + LOW_MODE:
            refused.append(f"{lineage} cells {CARRIED} (median {middle:.2f})")
            continue
        edges[lineage] = float(min(last, middle + (ninth - middle) * 2.326 / 1.282 + 0.25))
    return edges, refused


def find_valley(nk: Floats, edges: Mapping[str, float], noise: float, *, rng: np.random.Generator) -> Threshold | None:
    """The lowest valley of the NK cells' density between a mode of negative and one of positive cells.

    Negative is a mode whose peak lies below the edge of a reference lineage, or without one no further above the noise
    than background does. All values below the noise are one mode, however many peaks they have.
    """
    if len(nk) < 2 * LEAST_POSITIVE:
        return None
    grid = np.linspace(0.0, max(float(nk.max()), noise + 3) + 1, GRID)
    negative = max(min(edges.values()) if edges else noise + LOW_MODE, noise)
    found = _valley(np.maximum(nk, 0.0), grid, noise, negative=negative)
    if found is None:
        return None
    draws = [_valley(np.maximum(rng.choice(nk, len(nk)), 0.0), grid, noise, negative=negative) for _ in range(10)]
    seen = sorted([d for d in draws if d is not None] + [found])
    if len(seen) < 8:
        return None  # a valley that comes and goes with the draw is none
    return Threshold(found, seen[0], seen[-1], "valley", None)


def _valley(values: Floats, grid: Floats, noise: float, *, negative: float) -> float | None:
    step = grid[1] - grid[0]
    counts, _ = np.histogram(values, bins=len(grid), range=(grid[0] - step / 2, grid[-1] + step / 2))
    reach = int(math.ceil(4 * BANDWIDTH / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / BANDWIDTH) ** 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same")
    low = int(np.searchsorted(grid, noise))
    peaks = [i for i in range(1, len(grid) - 1) if density[i] >= density[i - 1] and density[i] > density[i + 1]]
    below = [i for i in peaks if grid[i] <= negative]
    above = [i for i in peaks if grid[i] > negative]
    if not above or (not below and (values < noise).mean() < LEAST_MODE):
        return None
    left = max(below, default=low, key=lambda i: density[i])
    for right in above:
        between = np.arange(max(left, low), right + 1)
        at = int(between[np.argmin(density[between])])
        ends = min(density[: at + 1].max(), density[at:].max())
        positive = int((values > grid[at]).sum())
        enough = positive >= max(LEAST_POSITIVE, LEAST_MODE * len(values))
        if enough and len(values) - positive >= LEAST_POSITIVE and density[at] <= DEPTH * ends:
            return float(max(grid[at], noise))
    return None


def protein_thresholds(
    nk: Floats,
    features: Sequence[str],
    batches: Sequence[str] | NDArray[Any],
    *,
    samples: NDArray[Any],
    cofactors: Mapping[str, float],
    reference: Reference | None = None,
    panel: Mapping[str, float] | None = None,
    seed: int = 0,
    per_sample: int = 1000,
) -> pd.DataFrame:
    """Thresholds of all markers in all batches (THRESHOLDS).

    Parameters
    ----------
    nk
        NK cells × features, analysis scale, all samples.
    features, batches, samples
        Name of every column; batch and sample of every row.
    cofactors, panel
        Cofactor, and the panel sheet's threshold where it has one, by marker.
    reference
        Events of the other lineages; without it (gates drawn by hand) valleys and the panel sheet are left.
    seed
        Of the bootstraps.
    per_sample
        NK cells taken from each sample, evenly spaced in the file's order, so that no sample outweighs the others.
    """
    batches, rows = np.asarray(batches).astype(str), []
    nothing = np.zeros(0, np.int64)
    picked = np.concatenate([nothing, *(_even(np.flatnonzero(samples == s), per_sample) for s in pd.unique(samples))])
    for batch in sorted(pd.unique(batches)):
        mine = picked[batches[picked] == batch]
        for column, feature in enumerate(features):
            if len(mine) and not np.isfinite(nk[mine, column]).any():
                nothing_there = Threshold(math.nan, math.nan, math.nan, "none", NOT_MEASURED)
                rows.append((feature, batch, *nothing_there))
                continue
            others = _of_batch(reference, batch, feature)
            found = find_threshold(
                nk[mine, column],
                others,
                noise=noise_level(cofactors.get(feature, 5.0)),
                panel=(panel or {}).get(feature),
                rng=seeds.rng(seed, "positivity", batch, feature),
            )
            rows.append((feature, batch, *found))
    return pd.DataFrame(rows, columns=["feature", "batch", "threshold", "low", "high", "method", "reason"])


def _of_batch(reference: Reference | None, batch: str, feature: str) -> dict[str, Floats]:
    if reference is None or feature not in reference.markers:
        return {}
    column = reference.markers.index(feature)
    out = {}
    for lineage in negative_lineages().get(feature, ()):
        rows = np.flatnonzero(
            (reference.batch == batch) & (reference.lineage == lineage) & (reference.confidence >= SURE)
        )
        if len(rows):
            out[lineage] = reference.values[_even(rows, PER_LINEAGE), column]
    return out


def _even(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)] if len(rows) else rows


def cuts_of(thresholds: pd.DataFrame, features: Sequence[str], batch: str, *, column: str = "threshold") -> Floats:
    """Thresholds of `features` in a batch as float32, NaN where there is none; rows without a batch hold for all."""
    table = thresholds[thresholds["batch"].isin([batch, ""])].set_index("feature")[column]
    return table.reindex(list(features)).to_numpy(dtype=np.float32)


def gene_thresholds(features: Sequence[str]) -> pd.DataFrame:
    """For genes a cell is positive if any molecule was counted, in every batch (THRESHOLDS)."""
    n = len(features)
    columns = {"feature": list(features), "batch": "", "threshold": 0.0, "low": 0.0, "high": 0.0}
    return pd.DataFrame({**columns, "method": "counted", "reason": [None] * n})


def fraction_positive(values: Floats, cuts: Floats) -> Floats:
    """Share of cells above their cut, per column, over the cells that have one and were measured; NaN where none.

    Examples
    --------
    >>> import numpy as np
    >>> from cimlnk.populations import fraction_positive
    >>> fraction_positive(np.array([[0.2, 3.0], [2.5, 3.5]]), np.array([1.5, np.nan])).tolist()
    [0.5, nan]
    """
    known = (np.isfinite(cuts) & np.isfinite(values)).sum(axis=0)
    above = (values > cuts).sum(axis=0)  # a comparison with NaN is false
    return np.divide(above, known, out=np.full(values.shape[1], np.nan), where=known > 0)
