"""The path of one sample against its truth: NK cells found, the trap cells distinguished, the gate table consistent."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_provenance, read_table
from cimlnk.rna.cells import leave_out, make_cells
from cimlnk.rna.genes import load_lineages
from cimlnk.rna.tables import GATES


@pytest.fixture
def run(tmp_path, settings, make):
    def go(blood, name="s1", seed=1, tissue="blood", **changes):
        for section, values in changes.items():
            settings[section].update(values)
        raw = make.h5(tmp_path / f"{name}.h5", blood)
        output, gates = tmp_path / f"out/{name}.h5ad", tmp_path / f"out/{name}.parquet"
        make_cells(
            raw=str(raw),
            sample=name,
            lineages=str(make.lineages),
            settings=settings,
            seed=seed,
            output=str(output),
            gates=str(gates),
            provenance={"rule": "rna_cells"},
            tissue=tissue,
        )
        return output, gates

    return go


def load(path):
    import anndata as ad

    data = ad.read_h5ad(path)
    return data, json.loads(data.uns["cimlnk"])


def found(path, blood):
    data, _ = load(path)
    rows = [int(c.split(":CELL")[1].split("-")[0]) for c in data.obs_names]
    mask = np.zeros(len(blood.truth), dtype=bool)
    mask[rows] = True
    return mask


def test_nk_cells_of_blood(run, make):
    blood = make.blood(3)
    mask = found(run(blood)[0], blood)
    nk = np.isin(blood.truth, ["NK", "adaptive"])
    # The planted cells are separable; what is lost are cells beyond the quality bounds and false doublets.
    assert (mask & nk).sum() / mask.sum() >= 0.97
    assert (mask & nk).sum() / nk.sum() >= 0.93


def test_adaptive_nk_cells_with_cd3_transcripts_are_kept(run, make):
    blood = make.blood(4, sizes={"NK": 60, "adaptive": 150, "T": 60, "CTL": 60, "mono": 20})
    mask = found(run(blood, doublets={"method": "none"})[0], blood)
    assert mask[blood.truth == "adaptive"].mean() >= 0.97
    assert mask[np.isin(blood.truth, ["T", "CTL"])].mean() <= 0.02


@pytest.mark.parametrize(
    "sizes", [{"NK": 400}, {"NK": 380, "T": 12, "mono": 8}, {"NK": 25, "T": 300, "B": 60, "mono": 60}]
)
def test_share_of_nk_cells_does_not_matter(run, make, sizes):
    blood = make.blood(5, sizes=sizes)
    mask = found(run(blood, doublets={"method": "none"})[0], blood)
    nk = blood.truth == "NK"
    assert mask[nk].mean() >= 0.95
    assert mask[~nk].sum() <= 0.03 * nk.sum()


def test_dying_cells_are_gated_out(run, make):
    blood = make.blood(6, dying=40)
    mask = found(run(blood, doublets={"method": "none"})[0], blood)
    assert mask[~blood.alive].sum() == 0


def test_what_is_written(run, blood):
    output, gates = run(blood)
    data, record = load(output)
    table = read_table(gates, GATES)
    assert data.X.dtype == np.float32 and sp.issparse(data.X)
    assert data.layers["counts"].dtype == np.int32
    rows = [int(c.split(":CELL")[1].split("-")[0]) for c in data.obs_names]
    assert (data.layers["counts"] != blood.counts[rows]).nnz == 0
    expected = np.log1p(blood.counts[rows].toarray() / blood.counts[rows].sum(axis=1).A * 1e4)
    assert np.allclose(data.X.toarray(), expected, atol=1e-5)  # float32 of values up to 10
    assert list(data.var_names) == list(blood.genes)
    assert (data.obs["sample"] == "s1").all() and data.obs_names[0].startswith("s1:CELL")
    assert list(table["step"]) == list(range(1, len(table) + 1))
    assert (table["n_in"].to_numpy()[1:] == table["n_out"].to_numpy()[:-1]).all()
    assert (table["n_out_low"] <= table["n_out"]).all() and (table["n_out"] <= table["n_out_high"]).all()
    assert list(table["parent"])[1:] == list(table["gate"])[:-1]
    summary = record["summary"]
    assert summary["n_events"] == table["n_in"].iloc[0] == blood.counts.shape[0]
    assert summary["n_nk"] == data.n_obs == table["n_out"].iloc[-1]
    assert summary["n_lymphocytes"] == table["n_in"].iloc[-1]
    assert read_provenance(gates) == {"rule": "rna_cells"}
    assert record["left_out"] is False


def test_same_bytes_for_a_seed(run, blood, tmp_path):
    first = [p.read_bytes() for p in run(blood)]
    assert [p.read_bytes() for p in run(blood)] == first


def test_what_a_suspension_is_stands_in_the_sheet(run, make):
    blood = make.blood(7, sizes={"NK": 300, "T": 30})
    reason = read_table(run(blood)[1])["reason"].iloc[-1]
    assert "% of the lymphocytes are NK cells" in reason and "blood by the sample sheet" in reason
    reason = read_table(run(blood, tissue="product")[1])["reason"].iloc[-1]
    assert reason.startswith("a product by the sample sheet")


def test_ambient_correction_takes_foreign_counts(run, make):
    blood = make.blood(8, ambient=0.2, sizes={"NK": 150, "B": 100, "mono": 100})
    plain, record = load(run(blood, "plain")[0])
    clean, _ = load(run(blood, "clean", ambient={"correct": True})[0])
    assert record["ambient"]["fraction"] == pytest.approx(0.2, abs=0.05)  # the pooled profile stands in for the soup
    foreign = [g for g in ("LYZ", "S100A8", "MS4A1", "CD79A") if g in plain.var_names]
    before, after = plain[:, foreign].layers["counts"].sum(), clean[:, foreign].layers["counts"].sum()
    assert after < 0.4 * before
    own = ["NKG7", "GNLY", "KLRD1"]
    assert clean[:, own].layers["counts"].sum() > 0.8 * plain[:, own].layers["counts"].sum()


REFUSED = {
    "no NK cells": ({"sizes": {"T": 200, "B": 100, "mono": 50}}, "0 NK cells|[0-9]+ NK cells among.*at least 20"),
    "every droplet": ({"depth": 3.0}, "raw_feature_bc_matrix"),
    "too shallow": ({"depth": 60.0}, "none of .* barcodes passes"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused_with_one_message(run, make, fault):
    changes, message = REFUSED[fault]
    with pytest.raises(UserError, match=message):
        run(make.blood(9, **changes))


def test_panel_without_nk_genes_is_refused(run, make):
    blood = make.blood(10)
    keep = [i for i, g in enumerate(blood.genes) if g.startswith(("GENE", "MT-", "CD3"))]
    blood.counts, blood.genes = blood.counts[:, keep], blood.genes[keep]
    with pytest.raises(UserError, match="0 of 20 NK marker genes"):
        run(blood)


def test_seven_of_twenty_nk_genes_are_too_few(run, make):
    blood = make.blood(10)
    nk = load_lineages(make.lineages).markers["NK"]
    kept = {"NKG7", "GNLY", "KLRD1", "PRF1", "GZMB", "CST7", "TYROBP"}
    keep = [i for i, g in enumerate(blood.genes) if g not in nk or g in kept]
    blood.counts, blood.genes = blood.counts[:, keep], blood.genes[keep]
    with pytest.raises(UserError, match="7 of 20 NK marker genes .*at least 12 of them"):
        run(blood)


def test_left_out_sample_says_why(tmp_path):
    output, gates = tmp_path / "s2.h5ad", tmp_path / "s2.parquet"
    leave_out(UserError("a.h5", "X", "log", "counts"), sample="s2", output=str(output), gates=str(gates))
    data, record = load(output)
    assert data.n_obs == 0 and record["left_out"] is True and record["reason"].startswith("a.h5: X")
    assert len(read_table(gates, GATES)) == 0
    pd.testing.assert_frame_equal(read_table(gates, GATES), GATES.empty())
