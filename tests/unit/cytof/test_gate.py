"""Gating against the truth of the generator, and where peaks or events are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.gating.gate import gate_events
from cimlnk.cytof.gating.pool import _draw, load_pool, make_pool
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.gating.spec import load_gates


@pytest.fixture(scope="session")
def pool(cohort, places, batches, tmp_path_factory):
    path = tmp_path_factory.mktemp("pool") / "pool.json"
    settings = {"input_scale": "raw", "nk_identity": "CD56", "minimum_events": 300, "pool_events": 4000}
    settings["bootstraps"] = 20
    files = {s: cohort / f"{s}.fcs" for s in batches}
    make_pool(files, batches, places["panel"], gates=places["gates"], output=path, settings=settings, seed=1)
    return path


@pytest.mark.parametrize("sample", ["P1_pre_cytof", "P1_D28_cytof", "P2_D7_cytof", "P1_product_cytof"])
def test_nk_cells_are_those_of_the_truth(cohort, places, batches, settings, pool, sample):
    data = read_sample(cohort / f"{sample}.fcs", places["panel"], settings)
    gated, course = gate_sample(
        data, sample, batches[sample], gates=places["gates"], pool=pool, settings=settings, seed=1
    )
    truth = pd.read_parquet(cohort / f"{sample}.truth.parquet")["class"].to_numpy()
    got, nk = gated.nodes["nk"], truth == "NK"
    # Cuts alone lose dim NK cells (recall .89 to .97); files of this size hold about a hundred NK cells and more.
    assert (got & nk).sum() / got.sum() >= 0.97
    assert (got & nk).sum() / nk.sum() >= 0.85
    share = got.sum() / gated.nodes["lymphocytes"].sum()
    assert abs(share - nk.sum() / np.isin(truth, ["NK", "T", "B"]).sum()) < 0.08
    assert gated.n_low <= got.sum() <= gated.n_high
    assert course.score > 0.99


def test_the_gate_table_is_a_chain(cohort, places, settings, pool):
    data = read_sample(cohort / "P1_pre_cytof.fcs", places["panel"], settings)
    gated, _ = gate_sample(data, "P1_pre_cytof", "day1", gates=places["gates"], pool=pool, settings=settings, seed=1)
    rows = gated.rows
    assert rows["step"].tolist() == list(range(len(rows))) and rows["gate"].is_unique
    assert rows["parent"].tolist()[1:] == rows["gate"].tolist()[:-1] and rows["parent"].isna().iloc[0]
    assert rows["n_in"].tolist()[1:] == rows["n_out"].tolist()[:-1]
    assert ((rows["n_out_low"] <= rows["n_out"]) & (rows["n_out"] <= rows["n_out_high"])).all()
    found = rows["threshold"].notna()
    assert (rows["threshold_low"] <= rows["threshold"])[found].all()
    for node in ("live", "lymphocytes", "nk"):
        assert int(rows.set_index("gate").loc[node, "n_out"]) == int(gated.nodes[node].sum())


def test_few_events_take_the_batch_threshold_and_say_so(cohort, places, settings, pool):
    data = read_sample(cohort / "P1_pre_cytof.fcs", places["panel"], settings)
    few = data.scaled[:250]
    batch = load_pool(pool, "day1")
    gated = gate_events(
        few, data.matched, load_gates(places["gates"]), settings=settings, sample="few", seed=1, pool=batch
    )
    rows = gated.rows.set_index("gate")
    assert rows.loc["not_t", "method"] == "pool" and "fewer than 300" in rows.loc["not_t", "reason"]
    assert rows.loc["not_t", "threshold"] == batch["not_t"].value
    truth = pd.read_parquet(cohort / "P1_pre_cytof.truth.parquet")["class"].to_numpy()[:250] == "NK"
    assert (gated.nodes["nk"] == truth).mean() > 0.99


def test_a_missing_positive_peak_is_told_not_guessed(cohort, places, settings, pool):
    """Without B cells, monocytes and dead cells: the batch's thresholds; without a batch: an edge with a wide range."""
    data = read_sample(cohort / "P1_pre_cytof.fcs", places["panel"], settings)
    truth = pd.read_parquet(cohort / "P1_pre_cytof.truth.parquet")["class"].to_numpy()
    rest = np.isin(truth, ["NK", "T"])
    nodes = load_gates(places["gates"])
    gated = gate_events(
        data.scaled[rest], data.matched, nodes, settings=settings, sample="s", seed=1, pool=load_pool(pool, "day1")
    )
    rows = gated.rows.set_index("gate")
    for gate in ("live", "not_b", "lymphocytes (CD14)"):
        assert rows.loc[gate, "method"] == "pool" and "no second peak in this sample" in rows.loc[gate, "reason"]
    assert rows.loc["no_beads", "method"] == "pool"
    assert (gated.nodes["nk"] == (truth[rest] == "NK")).mean() > 0.99
    alone = gate_events(data.scaled[rest], data.matched, nodes, settings=settings, sample="s", seed=1, pool=None)
    rows = alone.rows.set_index("gate")
    assert rows.loc["not_b", "method"] == "edge" and "no positive peak" in rows.loc["not_b", "reason"]
    assert (
        rows.loc["no_beads", "method"] == "skipped" and "nothing is taken for a bead" in rows.loc["no_beads", "reason"]
    )


def test_a_panel_without_beads_dna_and_viability_is_gated_loudly(cohort, places, settings, tmp_path):
    lines = places["panel"].read_text().splitlines()
    kept = [x for x in lines if x.split("\t")[2] not in ("bead", "dna", "viability", "gaussian", "event_length")]
    (tmp_path / "panel.tsv").write_text("\n".join(kept) + "\n")
    data = read_sample(cohort / "P1_D28_cytof.fcs", tmp_path / "panel.tsv", settings)
    gated, _ = gate_sample(data, "s", "b", gates=places["gates"], pool=None, settings=settings, seed=1)
    rows = gated.rows.set_index("gate")
    assert rows.loc["live", "method"] == "skipped"
    assert rows.loc["live", "reason"] == "the panel has no channel of role viability"
    assert rows.loc["live", "n_in"] == rows.loc["live", "n_out"] and gated.nodes["nk"].sum() > 300


def test_without_the_identity_marker_nothing_is_called_nk(cohort, places, settings):
    data = read_sample(cohort / "P1_D28_cytof.fcs", places["panel"], settings)
    with pytest.raises(UserError, match="gate nk.*found 'CD56x', expected a marker of the panel.*did you mean 'CD56'"):
        gate_sample(
            data, "s", "b", gates=places["gates"], pool=None, settings={**settings, "nk_identity": "CD56x"}, seed=1
        )


def test_a_bad_file_stops_the_pool_unless_the_run_keeps_going(cohort, places, settings, tmp_path, monkeypatch):
    (tmp_path / "bad.fcs").write_bytes(b"FCS3.0 nothing")
    files = {"good": cohort / "P1_D28_cytof.fcs", "bad": tmp_path / "bad.fcs"}
    run = {"files": files, "batches": dict.fromkeys(files, "day1"), "panel": places["panel"], "gates": places["gates"]}
    run |= {"output": tmp_path / "p.json", "settings": settings, "seed": 1}
    monkeypatch.delenv("CIMLNK_KEEP_GOING", raising=False)
    with pytest.raises(UserError, match="bad.fcs"):
        make_pool(**run)
    monkeypatch.setenv("CIMLNK_KEEP_GOING", "1")
    make_pool(**run)
    pooled = load_pool(tmp_path / "p.json", "day1")
    assert pooled["not_t"].method == "valley"
    assert load_pool(tmp_path / "p.json", "another") == {}

    def larger_than_memory(path, *arguments, **named):
        if path == files["bad"]:
            raise MemoryError
        return _draw(path, *arguments, **named)

    monkeypatch.setattr("cimlnk.cytof.gating.pool._draw", larger_than_memory)
    make_pool(**run)
    assert load_pool(tmp_path / "p.json", "day1") == pooled


def test_cd7_as_identity(cohort, places, settings):
    data = read_sample(cohort / "P1_D28_cytof.fcs", places["panel"], settings)
    truth = pd.read_parquet(cohort / "P1_D28_cytof.truth.parquet")["class"].to_numpy() == "NK"
    gated, _ = gate_sample(
        data, "s", "b", gates=places["gates"], pool=None, settings={**settings, "nk_identity": "CD7"}, seed=1
    )
    assert "CD7" in gated.rows.set_index("gate").loc["nk", "marker"]
    assert (gated.nodes["nk"] & truth).sum() / truth.sum() > 0.9  # adaptive cells are CD7 low


def test_same_seed_same_result(cohort, places, settings, pool):
    data = read_sample(cohort / "P2_D7_cytof.fcs", places["panel"], settings)
    one, two = (
        gate_sample(data, "s", "day2", gates=places["gates"], pool=pool, settings=settings, seed=3)[0].rows
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nodes: []", "a list of at least one node"),
        ("- x", "a list of at least one node"),
        ("nodes: [1]", r"nodes\[0\]: found 1"),
        ("nodes: [{node: a, role: dna, keep: abvoe}]", "did you mean 'above'"),
        ("nodes: [{node: a, role: dna, keep: above, look_at: b}]", r"look_at.*an earlier node"),
        ("nodes: [{node: a, keep: above}]", "one of them"),
        ("nodes: [{node: a, markers: CD3, keep: above}]", "a list of marker names"),
        ("nodes: [{node: a, role: dna, keep: above, valey: lowest}]", "did you mean 'valley'"),
        ("nodes: [{node: a, role: dna, keep: above}]", "no node live"),
        ("nodes: [{node: a, role: dna, keep: above, sds: -1}]", "a positive number"),
        ("nodes: {a: [}", "YAML"),
    ],
)
def test_mistakes_of_the_hierarchy_are_told(tmp_path, text, message):
    path = tmp_path / "gates.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_gates(path)
    with pytest.raises(UserError, match="no such file"):
        load_gates(tmp_path / "none.yaml")
