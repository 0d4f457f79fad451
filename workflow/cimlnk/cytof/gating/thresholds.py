"""The threshold of a cut: of the sample's own density, of its batch where the sample cannot tell, or none, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cuts import Cut
from .density import Threshold, lone_edge, mode_interval, valley_threshold, with_reason
from .dna import dna_interval

AGREE = 1.0  # a sample's own valley further than this from its batch's (arcsinh units) is another valley

TOO_FEW = 20  # events below which not even an edge is estimated

NAN = float("nan")


def find(
    values: NDArray[np.floating],
    cut: Cut,
    settings: Mapping[str, Any],
    *,
    rng: np.random.Generator,
    pool: Mapping[str, Threshold] | None,
) -> tuple[Threshold, Threshold]:
    """Thresholds of a cut: (low, high) of a two-sided gate, twice the same otherwise."""
    n, least, bootstraps = len(values), int(settings["minimum_events"]), int(settings["bootstraps"])
    if cut.part:
        names = _pair_names(cut)
        pooled = [pool[g] for g in names if g in pool] if pool else []
        if n >= least or (len(pooled) < 2 and n >= TOO_FEW):
            if cut.spec.keep == "singlets":
                return dna_interval(values, rng, bootstraps)
            return mode_interval(values, cut.spec.sds)
        why = f"{n} events, fewer than {least}"
        if len(pooled) == 2:
            low, high = (with_reason(t, "pool", f"{why}: threshold of the batch") for t in pooled)
            return low, high
        none = Threshold(NAN, NAN, NAN, "skipped", f"{why}, and no threshold of the batch")
        return none, none
    threshold = _one(
        values, cut, n, least=least, bootstraps=bootstraps, rng=rng, pooled=pool.get(cut.gate) if pool else None
    )
    return threshold, threshold


def _pair_names(cut: Cut) -> tuple[str, str]:
    marker = cut.channels[0].marker
    low = f"{cut.node} ({marker} low)"
    high = cut.gate if cut.part == "high" else f"{cut.node} ({marker} high)"
    return low, high


def _one(
    values: NDArray[np.floating],
    cut: Cut,
    n: int,
    *,
    least: int,
    bootstraps: int,
    rng: np.random.Generator,
    pooled: Threshold | None,
) -> Threshold:
    spec = cut.spec
    own = None
    if n >= least:
        spare = spec.keep if spec.spare else None
        own = valley_threshold(
            values,
            spec.valley,  # type: ignore[arg-type]
            rng,
            bootstraps=bootstraps,
            spare=spare,  # type: ignore[arg-type]
            apart=spec.apart,
            least=spec.least,
        )
    trusted = pooled is not None and pooled.method == "valley"
    if own is not None:
        if trusted and pooled is not None and abs(own.value - pooled.value) > AGREE:
            reason = f"valley at {own.value:.2f} in this sample, where the batch has none: threshold of the batch"
            return with_reason(pooled, "pool", reason)
        return own
    why = f"{n} events, fewer than {least}" if n < least else "no second peak in this sample"
    if trusted and pooled is not None:
        return with_reason(pooled, "pool", f"{why}: threshold of the batch")
    if cut.side == "not_all_above":
        return Threshold(NAN, NAN, NAN, "skipped", f"{why} nor in its batch: nothing is taken for a bead")
    # without a peak the samples of a batch share one cut, so that they stay comparable
    if pooled is not None and pooled.method == "edge":
        return with_reason(pooled, "pool", f"{why} nor in its batch, whose cut is taken; {pooled.reason}")
    if n >= TOO_FEW:
        edge = lone_edge(values, cut.side, kept=spec.role == "viability")  # type: ignore[arg-type]
        return edge if n >= least else with_reason(edge, "edge", f"{why}; {edge.reason}")
    return Threshold(NAN, NAN, NAN, "skipped", f"{why}, and no threshold of the batch")
