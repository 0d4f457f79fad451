"""Synthetic flow files and antibodies: the same cells as by mass cytometry, seen by other instruments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.home import HOME
from cimlnk.common.tables import read_table
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.flow.instrument import check_fluorescence, foreign_to_mass
from cimlnk.cytof.flow.read import read_linear
from cimlnk.cytof.flow.spillover import applied_already, compensate, keyword_spillover
from cimlnk.rna.antibodies import read_antibodies
from cimlnk.simulate import antibodies, design
from cimlnk.simulate.flow import simulate_flow
from cimlnk.simulate.flow_panel import DYES, panel, spillover
from cimlnk.simulate.proteins import MARKERS, kind_levels
from cimlnk.simulate.rna import simulate_sample
from cimlnk.simulate.tables import CELLS_FLOW
from cimlnk.simulate.tenx import features


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow")
    simulate_flow("three", 1, "P2_pre_flow", fcs=folder / "a.fcs", truth=folder / "a.parquet")
    return folder / "a.fcs", read_table(folder / "a.parquet", CELLS_FLOW)


def test_the_file_is_uncompensated_fluorescence_with_its_matrix(written):
    path, truth = written
    header = read_header(path)
    check_fluorescence(header)
    assert "light scatter" in foreign_to_mass(header)
    spill = keyword_spillover(header)
    np.testing.assert_allclose(spill.matrix, spillover(), atol=1e-6)
    data = read_linear(path)
    columns = [header.index(c) for c in spill.channels]
    assert applied_already(data.events, columns, spill).done is False
    assert len(truth) == header.n_events and (data.events[:, columns] < 0).any()


def test_compensated_values_show_what_the_cells_carry(written):
    path, truth = written
    header = read_header(path)
    spill = keyword_spillover(header)
    columns = [header.index(c) for c in spill.channels]
    value = compensate(np.asarray(read_events(header)), columns, spill.matrix)

    def median(channel, kind):
        return np.median(value[(truth["class"] == kind).to_numpy(), header.index(channel)])

    for channel, kind in (("BUV395-A", "T"), ("BUV737-A", "monocyte"), ("BV421-A", "NK")):
        others = [median(channel, k) for k in ("T", "monocyte", "NK", "B") if k != kind]
        assert median(channel, kind) > 5 * max(others)
    light = {k: median("FSC-A", k) for k in ("NK", "monocyte", "debris", "doublet")}
    assert light["debris"] < 0.3 * light["NK"] < 0.3 * light["monocyte"] < 0.3 * light["doublet"]
    assert median("Zombie NIR-A", "dead") > 20 * median("Zombie NIR-A", "NK")


def test_the_shipped_panel_is_the_generators():
    shipped = pd.read_csv(HOME / "resources/panels/synthetic_flow.tsv", sep="\t")
    pd.testing.assert_frame_equal(shipped, panel(), check_dtype=False)
    assert (np.linalg.cond(spillover()) < 5) and len(DYES) == 16


def test_antibodies_are_read_with_the_rna_of_the_same_cells():
    counts, barcodes, truth = simulate_sample("three", 1, design.sample("three", 1, "P2_pre_rna"))
    rows = features(antibodies.NAMES)
    assert counts.shape == (len(barcodes), len(rows))
    found = read_antibodies(antibodies.NAMES)
    assert [a.label for a in found if a.kind == "protein"] == list(antibodies.PROTEINS)
    assert sum(a.kind == "isotype" for a in found) == 2
    tags = pd.DataFrame(counts[:, -len(antibodies.NAMES) :], columns=[a.label for a in found])
    kinds = truth["class"].to_numpy()
    assert tags.loc[kinds == "NK", "CD56"].median() > 4 * tags.loc[kinds == "T", "CD56"].median()
    # the same cells: NKG2C protein and adaptive name go together
    adaptive = (truth["population"] == "adaptive").to_numpy()
    if adaptive.sum() >= 5:
        assert tags.loc[adaptive, "NKG2C"].median() > 4 * tags.loc[(kinds == "NK") & ~adaptive, "NKG2C"].median()
    assert tags.loc[kinds == "doublet", "IgG1_control"].mean() > 1.5 * tags.loc[kinds == "NK", "IgG1_control"].mean()


def test_antibody_counts_grow_with_the_level():
    random = np.random.default_rng(0)
    b = kind_levels(random, "B", 400)
    counts = pd.DataFrame(antibodies.counts(random, b, seed=1, batch="x"), columns=antibodies.NAMES)
    assert counts["CD19_TotalSeqB"].median() > 5 * counts["CD3_TotalSeqB"].median()
    assert "CD19" in MARKERS and (counts >= 0).all().all()
