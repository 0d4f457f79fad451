"""From a file to the h5ad of its NK cells, and on to the features of all samples."""

from __future__ import annotations

import json
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table
from cimlnk.cytof.cells import counts_as_none, leave_out, make_cells
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.features import integration, make_features
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.h5ad import iterate_x, read_names, read_record
from cimlnk.cytof.lineages import make_lineages
from cimlnk.cytof.tables import CELLS, GATES, SUMMARY


def run(fcs, folder, places, settings, sample="s1", pool=None, least=None, lineages=None):
    output, gates = folder / f"{sample}.h5ad", folder / f"{sample}.parquet"
    make_cells(
        fcs=fcs, sample=sample, batch="b", panel=places["panel"], gate_file=places["gates"], pool=pool,
        lineages=lineages, settings=settings, seed=1, output=output, gates=gates, provenance={"rule": "test"},
        least_lymphocytes=least,
    )  # fmt: skip
    return output, gates


@pytest.fixture
def made(cohort, places, settings, tmp_path):
    return run(cohort / "P1_D28_cytof.fcs", tmp_path, places, settings)


def test_anndata_reads_what_was_written(made, cohort):
    output, gates = made
    data = anndata.read_h5ad(output)
    raw = cohort / "P1_D28_cytof.fcs"
    header = read_header(raw)
    events = read_events(header)
    rows = data.obs["event"].to_numpy()
    assert data.obs_names[0] == f"s1:{rows[0]}" and data.obs["sample"].unique().tolist() == ["s1"]
    column = header.channels.index(data.var.loc["CD56", "channel"])
    np.testing.assert_array_equal(data[:, "CD56"].layers["raw"].ravel(), events[rows, column])
    np.testing.assert_allclose(data[:, "CD56"].X.ravel(), np.arcsinh(events[rows, column] / 5), atol=1e-5)
    assert data.X.dtype == np.float32 and data.var.loc["CD56", "cluster"] and not data.var.loc["CD3", "cluster"]
    assert "DNA1" not in data.var_names and data.obs["dna1"].between(4.6, 5.9).all()
    record = json.loads(data.uns["cimlnk"])
    assert record["summary"]["n_nk"] == data.n_obs and not record["left_out"]
    assert "CD45+ CD14- CD33-" in record["lymphocytes"]
    table = read_table(gates, GATES)
    assert table.iloc[-1]["n_out"] == data.n_obs


def test_equal_bytes_for_a_seed(cohort, places, settings, tmp_path):
    one = run(cohort / "P1_D28_cytof.fcs", tmp_path, places, settings, "a")[0].read_bytes()
    two = run(cohort / "P1_D28_cytof.fcs", tmp_path, places, settings, "a")[0].read_bytes()
    assert one == two


def test_what_cannot_be_used_is_told(cohort, places, settings, tmp_path):
    raw = cohort / "P1_D28_cytof.fcs"
    header = read_header(raw)
    events = read_events(header)
    path = tmp_path / "x.fcs"

    def refused(values, names, message, **changes):
        write_fcs(path, values, names, markers=header.markers[: len(names)])
        with pytest.raises(UserError, match=message):
            run(path, tmp_path, places, {**settings, **changes})

    refused(events[:0], header.channels, "found none, expected an FCS file with events")
    refused(np.arcsinh(events / 5), header.channels, "values that look arcsinh.*set cytof.input_scale: arcsinh")
    at = header.channels.index("In115Di")
    refused(events[:, :at], header.channels[:at], r"In115Di \(CD3\)")
    refused(np.where(events > 500, np.nan, events), header.channels, "not finite")
    off = events.copy()
    off[:, header.channels.index("Nd145Di")] = 0.5
    refused(off, header.channels, r"no NK cells among \d+ events \(none passes gate nk\)")
    refused(
        events, header.channels, "acquisition.*at least 100%",
        acquisition_qc={**settings["acquisition_qc"], "minimum_score": 1.0, "tolerance": 1.01, "events_per_bin": 20},
    )  # fmt: skip


@pytest.fixture
def without(cohort, tmp_path):
    """A file out of which the truth's NK cells, and what may pass for one, were taken."""
    raw = cohort / "P1_D28_cytof.fcs"
    header, truth = read_header(raw), pd.read_parquet(cohort / "P1_D28_cytof.truth.parquet").set_index("event")
    kinds = truth["class"].reindex(range(header.n_events))
    others = ~kinds.isin(["NK", "ILC", "doublet", "dead", "debris"]).to_numpy()
    write_fcs(tmp_path / "none.fcs", read_events(header)[others], header.channels, markers=header.markers)
    return tmp_path / "none.fcs", header


def batch_of(file, cohort, places, settings, folder):
    """Pool and lineages of a batch of a file and one with NK cells, as :func:`run` takes them."""
    files, pool, lineages = {"a": file, "b": cohort / "P1_pre_cytof.fcs"}, folder / "pool.json", folder / "l.npz"
    batches, how = dict.fromkeys(files, "b"), {"settings": settings, "seed": 1}
    make_pool(files, batches, places["panel"], gates=places["gates"], output=pool, until="live", **how)
    how |= {"files": files, "batches": batches, "panel": places["panel"], "gate_file": places["gates"]}
    make_lineages(pool=pool, output=lineages, **how)
    return {"pool": pool, "lineages": lineages}


def test_no_nk_cell_among_enough_lymphocytes_is_a_count_of_zero(without, cohort, places, settings, tmp_path):
    file, header = without
    batch = batch_of(file, cohort, places, settings, tmp_path)
    with pytest.raises(UserError, match="no NK cells among"):  # a product, say
        run(file, tmp_path, places, settings, **batch)
    with pytest.raises(UserError, match="no NK cells among"):
        run(file, tmp_path, places, settings, **batch, least=10_000)
    output, gates = run(file, tmp_path, places, settings, **batch, least=50)
    record, data = read_record(output), anndata.read_h5ad(output)
    counts = record["summary"]
    assert data.n_obs == 0 and "CD56" in data.var_names and not record["left_out"] and record["reason"] is None
    assert counts["n_nk"] == counts["n_nk_low"] == 0 and counts["n_lymphocytes"] >= 50
    assert len(read_table(gates, GATES)) > 5
    paths = {k: tmp_path / k for k in ("summary", "cell_table", "report")} | {"features": tmp_path / "f.npy"}
    how = {"settings": settings, "provenance": {}, **paths}
    full = run(cohort / "P1_pre_cytof.fcs", tmp_path, places, settings, "full")[0]
    make_features(cells=[output, full], sample_names=["s1", "full"], **how)
    summary = read_table(paths["summary"], SUMMARY).set_index("sample")
    assert not summary["left_out"].any() and summary["reason"].isna().all() and summary.loc["s1", "n_nk"] == 0
    assert len(np.load(paths["features"])) == summary.loc["full", "n_nk"] > 0
    with pytest.raises(UserError, match="none in 1 sample .0 NK cells among the lymphocytes."):
        make_features(cells=[output], sample_names=["s1"], **how)
    # where the NK cells' own marker was not recorded they cannot be seen
    off = read_events(header)
    off[:, header.channels.index("Nd145Di")] = 0.5
    write_fcs(tmp_path / "off.fcs", off, header.channels, markers=header.markers)
    with pytest.raises(UserError, match="no NK cells among"):
        run(tmp_path / "off.fcs", tmp_path, places, settings, least=50)


@pytest.mark.parametrize(
    ("lymphocytes", "unsure", "least", "skipped", "counts"),
    [(300, 40, 50, {}, True), (49, 0, 50, {}, False), (300, 301, 50, {}, False), (300, 40, None, {}, False),
     (300, 40, 50, {"lymphocytes": "no CD45"}, False)],
)  # fmt: skip
def test_lineages_that_are_not_sound_give_no_count_of_zero(lymphocytes, unsure, least, skipped, counts):
    fit = SimpleNamespace(record=lambda n: {"counts": {"T": lymphocytes, "NK": 0, "unsure": unsure}})
    gated = SimpleNamespace(fit=fit, by_lineage=True, n_gates=0.0, lymphocytes=np.ones(lymphocytes), skipped=skipped)
    assert counts_as_none(gated, ["CD5: at most one count"], "CD56", least=least) is counts
    assert not counts_as_none(gated, ["CD56: zero in every event"], "CD56", least=least)


def test_transformed_input_is_taken_when_stated(cohort, places, settings, tmp_path):
    raw = cohort / "P1_D28_cytof.fcs"
    header = read_header(raw)
    events = read_events(header).astype(float)
    linear = [header.channels.index(c) for c in ("Time", "Event_length", "Center", "Offset", "Width", "Residual")]
    values = np.arcsinh(events / 5)
    values[:, linear] = events[:, linear]
    write_fcs(tmp_path / "t.fcs", values, header.channels, markers=header.markers)
    one = anndata.read_h5ad(run(raw, tmp_path, places, settings, "s")[0])
    two = anndata.read_h5ad(run(tmp_path / "t.fcs", tmp_path, places, {**settings, "input_scale": "arcsinh"}, "s")[0])
    assert one.obs_names.equals(two.obs_names)
    np.testing.assert_allclose(one.X, two.X, atol=1e-5)


def test_features_of_several_samples(cohort, places, settings, tmp_path):
    files = [run(cohort / f"{s}.fcs", tmp_path, places, settings, s)[0] for s in ("P1_D28_cytof", "P2_D7_cytof")]
    leave_out(UserError("f.fcs", "TEXT", "x", "y"), output=tmp_path / "out.h5ad", gates=tmp_path / "out.parquet")
    assert anndata.read_h5ad(tmp_path / "out.h5ad").n_obs == 0
    assert len(read_table(tmp_path / "out.parquet", GATES)) == 0
    names = ["P1_D28_cytof", "out", "P2_D7_cytof"]
    paths = {k: tmp_path / k for k in ("summary", "cell_table", "features", "report")}
    paths["features"] = tmp_path / "features.npy"
    cells = [files[0], tmp_path / "out.h5ad", files[1]]
    make_features(cells=cells, sample_names=names, settings=settings, provenance={}, **paths)
    matrix, table = np.load(paths["features"]), read_table(paths["cell_table"], CELLS)
    summary = read_table(paths["summary"], SUMMARY).set_index("sample")
    assert matrix.dtype == np.float32 and len(matrix) == len(table) == summary["n_nk"].sum()
    assert summary.loc["out", "left_out"] and summary.loc["out", "reason"] == "f.fcs: TEXT: found 'x', expected y"
    both = [anndata.read_h5ad(f) for f in files]
    assert table["cell"].tolist() == [*both[0].obs_names, *both[1].obs_names]
    report = json.loads(paths["report"].read_text())
    assert report["instruments"] == dict.fromkeys(
        ("P1_D28_cytof", "P2_D7_cytof"), "DVSSCIENCES-CYTOF-6.7.1014 synthetic"
    )
    stacked = np.vstack([b[:, report["features"]].X for b in both])
    assert report["features"] == both[0].var_names[both[0].var["cluster"]].tolist()
    # without scaling the features are the arcsinh values, cut at the 99.9 % quantile (to a histogram bin of 0.002)
    limit = np.quantile(stacked, 0.999, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(matrix.max(axis=0), limit, atol=0.003)
    inside = (stacked < np.array(report["high"])) & (stacked > np.array(report["low"]))
    np.testing.assert_array_equal(matrix[inside], stacked[inside])
    for scale in ("zscore", "range"):
        changed = {**settings, "features": {"winsor": 1.0, "scale": scale}}
        make_features(cells=cells, sample_names=names, settings=changed, provenance={}, **paths)
        scaled = np.load(paths["features"])
        if scale == "zscore":
            np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.01)
            np.testing.assert_allclose(scaled.std(axis=0), 1, atol=0.01)
        else:
            assert scaled.min() > -0.01 and scaled.max() < 1.01
    assert report["integration"] == {"applied": False, "reason": "cytof.alignment is not enabled"}
    assert integration([{"alignment": {"markers": ["CD56"]}}, {}])["applied"]


def test_no_usable_sample(tmp_path, settings):
    leave_out(UserError("f", "w", "x", "y"), output=tmp_path / "o.h5ad", gates=tmp_path / "o.parquet")
    paths = {k: tmp_path / k for k in ("summary", "cell_table", "features", "report")}
    with pytest.raises(UserError, match="none in 1 sample"):
        make_features(cells=[tmp_path / "o.h5ad"], sample_names=["o"], settings=settings, provenance={}, **paths)


def test_reading_back_in_blocks(made):
    cells, var = read_names(made[0])
    blocks = list(iterate_x(made[0], ["CD16", "CD56"]))
    data = anndata.read_h5ad(made[0])
    np.testing.assert_array_equal(np.vstack(blocks), data[:, ["CD16", "CD56"]].X)
    assert cells == data.obs_names.tolist() and var.loc["CD16", "role"] == "identity"
    assert read_record(made[0])["provenance"] == {"rule": "test"}
