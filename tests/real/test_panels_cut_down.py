"""Names of real NK cells on 30 and on 12 markers of one file: lineages, clusters and thresholds found again on each."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.cohort.config import fill_defaults
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.lineage import LINEAGES, call_lineages
from cimlnk.graph import knn, leiden, weights
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.neighbours import Lists
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.smoothing import Cells, name_cells

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
RAW = DATA / "cytof_mdipa_raw_beads" / "raw_cytof.fcs"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not RAW.is_file(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
TWELVE = "CD45 CD3 CD19 CD14 CD66b HLA-DR CD56 CD16 CD57 CD38 CD161 CD27".split()
OTHER_CELLS = "CD45 CD3 CD19 CD20 CD14 CD66b CD33 CD123 CD11c IgD TCRgd CD294 CCR4".split()
DEFINITIONS = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=False)


def named(values, markers):
    """Names of the events called NK cells, None for the others."""
    called = call_lineages(values, markers, [5.0] * len(markers), seed=1)
    lineage = np.array(LINEAGES)[called.lineage]
    own = np.flatnonzero(lineage == "NK")
    nk = values[own]
    use = [j for j, m in enumerate(markers) if m not in OTHER_CELLS]
    lists = knn(np.ascontiguousarray(nk[:, use]), 15, 0.9, seed=1, threads=1)
    graph = weights(lists, ordered=True, threads=1)
    labels = leiden(graph, 3.0, seed=1, order=lists.order, ordered=True, threads=1).labels
    one, all_of_it = np.full(len(own), "b"), np.full(len(values), "b")
    cuts = protein_thresholds(
        nk, markers, one, samples=one, cofactors=dict.fromkeys(markers, 5.0), seed=1,
        reference=Reference(values, markers, all_of_it, lineage, called.confidence),
    )  # fmt: skip
    distances = cluster_distances(nk, markers, labels, batch=one, thresholds=cuts, definitions=DEFINITIONS)
    out = np.full(len(values), None, object)
    cells = Cells(nk, markers, one, thresholds=cuts, definitions=DEFINITIONS, clusters=distances)
    out[own] = name_cells(cells, labels, DEFINITIONS, lists=Lists(lists.indices, np.arange(len(own))))[0]
    return out, lineage == "NK"


def test_twelve_markers_say_the_same_as_thirty_or_less():
    settings = fill_defaults({}, yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text()))
    data = read_sample(RAW, ROOT / "resources/panels/mdipa.tsv", settings)
    found = [c for c in data.matched.markers if c.marker not in ("CCR6", "CXCR5")]
    values = np.ascontiguousarray(data.scaled[:, [c.column for c in found]])
    markers = [c.marker for c in found]
    live = values[:, markers.index("CD45")] > np.arcsinh(20 / 5)  # beads and debris carry none
    values = values[live]
    assert len(markers) == 30 and len(values) > 4000
    more, nk = named(values, markers)
    less, again = named(np.ascontiguousarray(values[:, [markers.index(m) for m in TWELVE]]), TWELVE)
    both = nk & again
    assert both.sum() >= 0.9 * max(nk.sum(), again.sum()) > 300
    pairs = pd.Series(list(zip(more[both], less[both], strict=True)))
    holds = [b == a or (a is not None and b in DEFINITIONS.ancestors(a)) for a, b in pairs]
    assert np.mean(holds) >= 0.95
    assert len(set(less[both])) >= 3 and pd.notna(less[both]).mean() > 0.95
