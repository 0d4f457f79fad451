"""Planted NK cells named on all markers and on some of them: the same name or a less specific one."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.positivity import Reference
from cimlnk.scenarios.ask import DEFINITIONS, clusters, lineages, name
from cimlnk.scenarios.naming import infused

SIX = ("CD3", "CD14", "CD19", "CD56", "CD16", "CD57")
TWELVE = (*SIX, "CD7", "CD127", "CD27", "CD62L", "HLA-DR", "CD38")
LEFT_OUT = "CD25 TIGIT NKp30 CXCR3 Perforin Eomes CD122 LAG-3 PD-1 NKp46 NKp44 DNAM-1".split()


@pytest.fixture(scope="module")
def named():
    """Names of the cells of one run by all markers, and by any of them: thresholds and names, not the clusters."""
    cohort = infused(1, True)
    lineage, confidence = lineages(cohort, 1)
    kept = lineage == "NK"
    found = clusters(cohort.only(kept), 1)

    def by(markers):
        part = cohort.with_markers(list(markers))
        shown = Reference(part.values, part.markers, part.batch.astype(str), lineage.astype(str), confidence)
        return name(part.only(kept), found, shown, seed=1, infused=True)[0]

    return cohort.markers, by, by(cohort.markers)


@pytest.mark.parametrize("size", [6, 12, 30])
def test_the_same_cells_on_fewer_markers_have_the_same_name_or_a_less_specific_one(named, size):
    markers, by, full = named
    less = by({6: SIX, 12: TWELVE, 30: [m for m in markers if m not in LEFT_OUT]}[size])
    definitions = load_definitions(DEFINITIONS, infused=True)
    holds = [b == a or (a != "unassigned" and b in definitions.ancestors(a)) for a, b in zip(full, less, strict=True)]
    assert np.mean(holds) >= 0.98
    assert np.isin(less, ["CD56bright", "CD56dim_CD57"]).mean() >= 0.1  # not by saying little
