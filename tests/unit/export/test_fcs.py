"""Round trip: the file with populations as channels, opened by FlowKit, has the old events and the new columns."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from cimlnk.cytof.cells import leave_out, make_cells
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.export.fcs import ADDED, export_fcs

SAMPLE = "P1_D28_cytof"


@pytest.fixture
def made(cohort, places, settings, tmp_path):
    fcs, cells = cohort / f"{SAMPLE}.fcs", tmp_path / "c.h5ad"
    make_cells(
        fcs=fcs, sample=SAMPLE, batch="b", panel=places["panel"], gate_file=places["gates"], pool=None,
        settings=settings, seed=1, output=cells, gates=tmp_path / "g.parquet", provenance={},
    )  # fmt: skip
    ids = anndata.read_h5ad(cells).obs_names.to_numpy()
    rng = np.random.default_rng(0)
    others = [f"{SAMPLE}2:{i}" for i in range(20)]  # a sample whose name begins alike
    cell = np.concatenate([others, rng.permutation(ids)])
    table = pd.DataFrame({"cell": cell, "sample": "x", "cluster": rng.integers(0, 4, len(cell)).astype("i4")})
    table["population"] = rng.choice(["adaptive", "CD56bright", "unassigned"], len(cell))
    table["confidence"] = rng.random(len(cell)).astype("f4")
    table.to_parquet(tmp_path / "p.parquet")
    umap = pd.DataFrame({"cell": cell, "umap1": rng.normal(size=len(cell)), "umap2": rng.normal(size=len(cell))})
    umap.astype({"umap1": "f4", "umap2": "f4"}).to_parquet(tmp_path / "u.parquet")
    return fcs, cells, table.set_index("cell"), umap.set_index("cell")


def test_round_trip_through_flowkit(made, tmp_path):
    fk = pytest.importorskip("flowkit")
    fcs, cells, table, umap = made
    output = tmp_path / "o.fcs"
    export_fcs(
        fcs=fcs, cells=cells, populations=tmp_path / "p.parquet", umap=tmp_path / "u.parquet", output=output,
        provenance={"rule": "cytof_export"},
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sample = fk.Sample(str(output), preprocess=False)
    old = read_header(fcs)
    events = sample.get_events(source="raw")
    assert sample.pnn_labels == [*old.channels, *ADDED] and sample.pns_labels[: len(old.markers)] == list(old.markers)
    np.testing.assert_array_equal(events[:, : len(old.channels)], read_events(old))
    extra = dict(zip(ADDED, events[:, len(old.channels) :].T, strict=True))
    ids = anndata.read_h5ad(cells).obs_names
    rows = [int(i.split(":")[1]) for i in ids]
    assert extra["cimlnk_nk"].sum() == len(ids) and (extra["cimlnk_nk"][rows] == 1).all()
    text = read_header(output).text
    names = {i: text[f"CIMLNK_POPULATION_{i}"] for i in (1, 2, 3)}
    assert [names[int(c)] for c in extra["cimlnk_population"][rows]] == table.loc[ids, "population"].tolist()
    np.testing.assert_array_equal(extra["cimlnk_cluster"][rows], table.loc[ids, "cluster"] + 1)
    np.testing.assert_array_equal(extra["cimlnk_confidence"][rows], table.loc[ids, "confidence"])
    np.testing.assert_array_equal(extra["cimlnk_umap2"][rows], umap.loc[ids, "umap2"].astype("f4"))
    outside = np.setdiff1d(np.arange(len(events)), rows)
    assert (extra["cimlnk_population"][outside] == 0).all()
    assert (extra["cimlnk_umap1"][outside] < umap["umap1"].min()).all()
    assert text["$CYT"] == old.text["$CYT"] and text["$TOT"] == old.text["$TOT"]


def test_a_left_out_sample_is_exported_without_cells(made, cohort, tmp_path):
    from cimlnk.common.errors import UserError

    leave_out(UserError("f", "w", "x", "y"), output=tmp_path / "l.h5ad", gates=tmp_path / "l.parquet")
    export_fcs(
        fcs=cohort / f"{SAMPLE}.fcs", cells=tmp_path / "l.h5ad", populations=tmp_path / "p.parquet",
        umap=tmp_path / "u.parquet", output=tmp_path / "l.fcs", provenance={},
    )  # fmt: skip
    events = read_events(tmp_path / "l.fcs", list(ADDED))
    assert (events[:, :4] == 0).all()
