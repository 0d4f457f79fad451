"""Names of real NK cells where half of the files lack five of the twelve markers of the graph."""

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
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.smoothing import name_in_graph

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data")) / "cytof_batch_cytonorm"
PANEL = ROOT / "resources/panels/cytonorm.tsv"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA.parent} (CIMLNK_TEST_DATA)"),
]
DROPPED = ("HLA-DR", "CD25", "CD45RA", "CXCR3", "T-bet")


def test_names_of_two_volunteers_in_four_batches_agree_with_those_of_the_full_panel():
    settings = fill_defaults({}, yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text()))
    sheet = pd.read_csv(PANEL, sep="\t", comment="#").set_index("marker")
    parts, samples, batches = [], [], []
    for path in sorted(DATA.glob("*.fcs")):
        data = read_sample(path, PANEL, settings)
        columns = {c.marker: data.scaled[:, c.column] for c in data.matched.markers}
        parts.append(pd.DataFrame(columns))
        samples += [path.stem] * len(parts[-1])
        batches += [path.stem.split("_")[1]] * len(parts[-1])
    table = pd.concat(parts, join="inner", ignore_index=True)
    markers, values = list(table), table.to_numpy(np.float32)
    sample, batch = np.array(samples), np.array(batches)
    cofactors = sheet["cofactor"].reindex(markers).fillna(5.0)
    lineage, confidence = np.empty(len(values), object), np.zeros(len(values), np.float32)
    for name in np.unique(batch):
        rows = np.flatnonzero(batch == name)
        called = call_lineages(values[rows], markers, cofactors.to_numpy(float), seed=1)
        lineage[rows], confidence[rows] = np.array(LINEAGES, object)[called.lineage], called.confidence
    nk = np.flatnonzero(lineage == "NK")
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=False)

    def named(given, use):
        near = knn(np.ascontiguousarray(values[nk][:, use]), 15, 0.9, seed=1, threads=1)
        graph = weights(near, ordered=True, threads=1)
        labels = leiden(graph, 1.0, seed=1, order=near.order, ordered=True, threads=1).labels
        cuts = protein_thresholds(
            given[nk], markers, batch[nk], samples=sample[nk], cofactors=cofactors.to_dict(), seed=1,
            reference=Reference(given, markers, batch, lineage.astype(str), confidence),
        )  # fmt: skip
        some = {"batch": batch[nk], "thresholds": cuts, "definitions": definitions}
        return name_in_graph(given[nk], markers, labels, indices=near.indices, **some)[0]

    clustered = [j for j, m in enumerate(markers) if sheet["cluster"].get(m) == "yes"]
    full = named(values, clustered)
    fewer = values.copy()
    lacking = np.isin(sample, np.unique(sample)[::2])
    fewer[np.ix_(lacking, [markers.index(m) for m in DROPPED])] = np.nan
    found = named(fewer, [j for j in clustered if markers[j] not in DROPPED])
    assert len(nk) > 200 and {"CD56bright", "CD56dim"} <= set(full)
    assert (found == full).mean() >= 0.97
    one, other = found == "CD56bright", full == "CD56bright"
    assert (one & other).sum() >= 0.5 * (
        one | other
    ).sum()  # most cells are CD56dim, so the few others have to agree, too
