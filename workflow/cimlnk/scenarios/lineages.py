"""Situations 10, 16 and 19 of lineages: NK cells are found whatever is in the tube or the panel lacks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import ask
from .cells import BLOOD, RESTING, Cohort, File, make
from .checks import Check, Scenario, at_least, at_most

MYELOID = ("monocyte", "nonclassical", "cDC", "neutrophil")
NK_MARKERS = ("CD56", "NKp46", "CD94", "NKp30", "NKp44", "NKG2D", "T-bet")


class Found(NamedTuple):
    """Lineage and confidence of every cell of a cohort; precision and recall of the NK cells."""

    lineage: NDArray[np.object_]
    confidence: NDArray[np.float32]
    precision: float
    recall: float


def lineages(cohort: Cohort, seed: int) -> Found:
    """Call lineages batch by batch, as a run does, and hold them to the truth."""
    lineage, confidence = ask.lineages(cohort, seed)
    kept = lineage == "NK"
    hits = int((kept & cohort.nk).sum())
    return Found(lineage, confidence, hits / max(int(kept.sum()), 1), hits / max(int(cohort.nk.sum()), 1))


def blood(seed: int, small: bool, *absent: str, fluorescence: bool = False) -> Cohort:
    """Resting blood of three people (two if small) without some kinds of cell."""
    kinds = {kind: n for kind, n in BLOOD.items() if kind not in absent}
    files = [File(p, "pre", RESTING, 700, kinds, False) for p in ("C1", "C2", "C3")[: 2 if small else 3]]
    return make(files, seed, fluorescence=fluorescence)


def absent_lineages(seed: int, small: bool) -> list[Check]:
    """Situation 16: NK cells are found where whole lineages are not in the tube."""
    whole = lineages(blood(seed, small), seed).recall
    checks = [at_least("NK recall with all lineages", whole, 0.95)]
    for words, kinds in (
        ("monocytes", MYELOID),
        ("B cells", ("B",)),
        ("both", (*MYELOID, "B", "pDC", "basophil")),
    ):
        found = lineages(blood(seed, small, *kinds), seed)
        checks.append(at_most(f"NK recall without {words} is lower by", whole - found.recall, 0.02))
        checks.append(at_least(f"NK precision without {words}", found.precision, 0.95))
    return checks


def cd7_only(seed: int, small: bool) -> list[Check]:
    """Situation 10: NK cells are found without CD56 and NK receptors."""
    cohort = blood(seed, small)
    found = lineages(cohort.with_markers([m for m in cohort.markers if m not in NK_MARKERS]), seed)
    return [at_least("NK cells are found", found.recall, 0.9), at_least("and little else", found.precision, 0.9)]


def fluorescence(seed: int, small: bool) -> list[Check]:
    """Situation 19: NK cells are found by light."""
    found = lineages(blood(seed, small, fluorescence=True), seed)
    return [at_least("NK cells are found", found.recall, 0.9), at_least("and little else", found.precision, 0.9)]


SCENARIOS = (
    Scenario("10", "a panel without CD56: lineages", cd7_only),
    Scenario("16", "absent monocytes, absent B cells", absent_lineages),
    Scenario("19", "fluorescence: lineages", fluorescence),
)
