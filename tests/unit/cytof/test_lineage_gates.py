"""Lineages of files, and gates fitted to them, against the truth of the synthetic cohort."""

from __future__ import annotations

import json
from typing import NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.cells import make_cells, summarise
from cimlnk.cytof.features import lineage_table
from cimlnk.cytof.gating.fit import LineageFit, best_cut
from cimlnk.cytof.gating.picture import PLANES, picture_of
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.gating.spec import Node
from cimlnk.cytof.lineage.batch import Batch, load_batch
from cimlnk.cytof.lineage.call import Contradiction
from cimlnk.cytof.lineage.evidence import Cuts
from cimlnk.cytof.lineage.markers import LINEAGES
from cimlnk.cytof.lineages import make_lineages, quotas

SAMPLE = "P1_D28_cytof"


@pytest.fixture(scope="module")
def places_of(cohort, places, batches, tmp_path_factory):
    """Pool and lineages of the four samples, with the defaults."""
    import yaml

    from cimlnk.cohort.config import fill_defaults

    folder = tmp_path_factory.mktemp("lineages")
    schema = yaml.safe_load((places["gates"].parents[2] / "workflow/schemas/config/cytof.schema.yaml").read_text())
    settings = fill_defaults({}, schema)
    files = {s: cohort / f"{s}.fcs" for s in batches}
    pool, lineages = folder / "pool.json", folder / "lineages.npz"
    make_pool(
        files, batches, places["panel"], gates=places["gates"], output=pool, settings=settings, seed=1, until="live"
    )
    shared = {"panel": places["panel"], "gate_file": places["gates"], "pool": pool, "settings": settings, "seed": 1}
    make_lineages(files=files, batches=batches, output=lineages, **shared)
    return {"files": files, "pool": pool, "lineages": lineages, "shared": shared}


def gated(places_of, places, batches, sample=SAMPLE, **more):
    settings = places_of["shared"]["settings"] | more.pop("settings", {})
    data = read_sample(places_of["files"][sample], places["panel"], settings)
    args = {"gates": places["gates"], "pool": places_of["pool"], "settings": settings, "seed": 1}
    found, course = gate_sample(data, sample, batches[sample], **args, lineages=places_of["lineages"], **more)
    return found, course, data


@pytest.mark.parametrize("sample", ["P1_pre_cytof", SAMPLE, "P2_D7_cytof", "P1_product_cytof"])
def test_nk_cells_by_lineage_and_by_gates(cohort, places_of, places, batches, sample):
    found, course, _ = gated(places_of, places, batches, sample)
    truth = pd.read_parquet(cohort / f"{sample}.truth.parquet")
    nk = (truth["kind"] == "NK").to_numpy() & found.nodes["live"]
    assert (found.chosen & nk).sum() / nk.sum() > 0.97
    assert (found.chosen & nk).sum() / found.chosen.sum() > 0.97
    said = summarise(found, course)
    assert said["n_nk"] == said["n_nk_lineage"] == found.chosen.sum()
    assert said["n_nk_gates"] == found.nodes["nk"].sum()
    assert said["n_nk_low"] <= min(said["n_nk"], said["n_nk_gates"])
    assert said["n_nk_high"] >= max(said["n_nk"], said["n_nk_gates"])
    # the gates follow: one cut per marker keeps nearly what the lineages keep
    assert (found.nodes["nk"] & found.chosen).sum() / found.chosen.sum() > 0.9
    fitted = found.rows[found.rows["gate"].isin(["not_t", "nk", "lymphocytes"])]
    assert (fitted["method"] == "lineage").all() and (fitted["threshold"] >= np.arcsinh(2) - 0.03).all()


def test_cells_carry_the_confidence_and_both_counts(places_of, places, batches, tmp_path):
    out = tmp_path / "s.h5ad"
    make_cells(
        fcs=places_of["files"][SAMPLE], sample=SAMPLE, batch=batches[SAMPLE], output=out, gates=tmp_path / "g.parquet",
        gatingml=tmp_path / "g.xml", lineages=places_of["lineages"], provenance={}, **places_of["shared"],
    )  # fmt: skip
    cells = ad.read_h5ad(out)
    assert cells.obs["lineage_confidence"].between(0.2, 1).all()
    record = json.loads(cells.uns["cimlnk"])
    table = lineage_table([SAMPLE], [record])
    assert set(table["lineage"]) == set(LINEAGES)
    assert table["n_cells"].sum() == record["summary"]["n_live_singlets"]
    assert (table["n_nk_lineage"] == cells.n_obs).all() and (table["n_nk_gates"] > 0).all()
    assert not len(lineage_table([SAMPLE], [{"left_out": True}]))


def test_a_threshold_by_hand_decides(places_of, places, batches):
    plain, _, _ = gated(places_of, places, batches)
    found, course, _ = gated(places_of, places, batches, by_hand={"CD56": 4.5})
    row = found.rows.set_index("gate").loc["nk"]
    assert row["threshold"] == 4.5 and row["method"] == "override"
    said = summarise(found, course)
    assert said["n_nk"] == said["n_nk_gates"] < 0.8 * plain.chosen.sum()
    assert said["n_nk_lineage"] == plain.chosen.sum()
    with pytest.raises(UserError, match="CD57"):
        gated(places_of, places, batches, by_hand={"CD57": 2.0})


def test_a_threshold_by_hand_without_lineages(places_of, places, batches):
    found, _, _ = gated(places_of, places, batches, by_hand={"CD56": 4.5}, settings={"target_lineage": None})
    assert found.fit is None
    assert found.rows.set_index("gate").loc["nk", "method"] == "override"
    assert (found.rows["method"] == "valley").any()


def test_another_target_than_nk(cohort, places_of, places, batches):
    found, _, _ = gated(places_of, places, batches, settings={"target_lineage": "T"})
    truth = pd.read_parquet(cohort / f"{SAMPLE}.truth.parquet")
    t = truth["kind"].str.contains("_T|MAIT").to_numpy() & found.nodes["live"]
    assert (found.chosen & t).sum() / t.sum() > 0.95


def test_a_panel_without_the_last_gate(places_of, places, batches, tmp_path):
    found, course, _ = gated(places_of, places, batches, settings={"nk_identity": "CD999"})
    said = summarise(found, course)
    assert said["n_nk"] > 0 and np.isnan(said["n_nk_gates"])
    assert "nk" in found.skipped


def test_same_bytes_twice(places_of, batches, tmp_path):
    again = tmp_path / "l.npz"
    make_lineages(files=places_of["files"], batches=batches, output=again, threads=1, **places_of["shared"])
    assert again.read_bytes() == places_of["lineages"].read_bytes()


def test_a_batch_too_small_falls_back_on_its_gates(places_of, places, batches, tmp_path, monkeypatch):
    monkeypatch.setattr("cimlnk.cytof.lineages.SMALLEST", 10**9)
    make_lineages(files=places_of["files"], batches=batches, output=tmp_path / "l.npz", **places_of["shared"])
    batch, reason = load_batch(tmp_path / "l.npz", "day1")
    assert batch is None and "its gates decide" in reason
    found, _, data = gated(places_of | {"lineages": tmp_path / "l.npz"}, places, batches)
    assert found.fit is None and found.chosen is found.nodes["nk"]
    assert any("its gates decide" in note for note in data.notes)


def test_the_figure_shows_the_planes(places_of, places, batches):
    found, course, data = gated(places_of, places, batches)
    picture = picture_of(data, found, course, sample=SAMPLE)
    assert picture.markers == ("CD3", "CD56", "CD16", "CD14", "CD19")
    assert [(picture.markers[p.x], picture.markers[p.y]) for p in picture.planes] == list(PLANES)
    assert picture.events.shape == (len(picture.lineage), 5)
    cut = found.rows.set_index("gate").loc["nk", "threshold"]
    assert picture.planes[0].y_lines == picture.planes[1].x_lines == pytest.approx((cut,))


def test_a_rare_lineage_counts_as_much_as_a_common_one():
    rng = np.random.default_rng(0)
    common, rare, gone = rng.normal(5, 0.3, 5000), rng.normal(3.2, 0.3, 100), rng.normal(1.8, 0.5, 200)
    cut = best_cut([common, rare], gone, "above", noise=1.44).value
    assert (
        (rare >= cut).mean()
        > 0.9
        > (rare >= best_cut([np.concatenate([common, rare])], gone, "above", noise=1.44).value).mean()
    )


class Channel(NamedTuple):
    marker: str
    column: int


class Gate(NamedTuple):
    """What a fit reads of a gate."""

    channels: list[Channel]
    side: str
    node: str


def fit_of(values, markers, lineage):
    """A fit whose events have these lineages."""
    nothing = np.full(len(markers), np.nan)
    cuts = Cuts(list(markers), nothing, nothing, nothing, nothing, ["none"] * len(markers), [None] * len(markers))
    codes = np.array([LINEAGES.index(n) for n in lineage], np.int8)
    sure = np.eye(len(LINEAGES), dtype=np.float32)[codes]
    noise = np.full(len(markers), np.arcsinh(2))
    rule = Contradiction(nothing, nothing)
    batch = Batch(values, list(markers), sure, codes, rule, cuts, noise, np.zeros((1, len(LINEAGES)), int), [])
    nodes = [Node(n, None, (), "above") for n in ("leukocytes", "lymphocytes", "nk")]
    fit = LineageFit(batch, range(len(markers)), nodes, target="NK")
    fit.lineage = codes
    return fit


def test_t_cells_are_left_to_their_own_gate_where_they_carry_the_marker_too():
    # without CD56 the last gate is CD7, which T cells carry as NK cells do
    rng = np.random.default_rng(0)
    lineage = np.repeat(["T", "NK", "monocyte"], [2000, 200, 400])
    cd7 = np.concatenate([rng.normal(3.8, 0.6, 2000), rng.normal(4.2, 0.6, 200), rng.normal(0.3, 0.3, 400)])
    values = cd7[:, None].astype(np.float32)
    found = fit_of(values, ["CD7"], lineage).threshold(values, Gate([Channel("CD7", 0)], "above", "nk"))
    assert (cd7[lineage == "NK"] >= found.value).mean() > 0.98
    assert (cd7[lineage == "monocyte"] >= found.value).mean() < 0.02


def test_a_gate_that_would_lose_more_than_it_removes_removes_nothing():
    # basophils are a little dimmer in CD45 than lymphocytes, and few
    rng = np.random.default_rng(0)
    lineage = np.repeat(["T", "NK", "other"], [2000, 200, 60])
    cd45 = np.concatenate([rng.normal(5.0, 0.4, 2000), rng.normal(4.7, 0.4, 200), rng.normal(4.4, 0.4, 60)])
    values = cd45[:, None].astype(np.float32)
    gate = Gate([Channel("CD45", 0)], "above", "leukocytes")
    found = fit_of(values, ["CD45"], lineage).threshold(values, gate)
    assert (cd45 >= found.value).mean() > 0.98 and "would lose" in found.reason
    debris = np.concatenate([cd45, rng.normal(0.5, 0.4, 300)])[:, None].astype(np.float32)
    found = fit_of(debris, ["CD45"], [*lineage, *["other"] * 300]).threshold(debris, gate)
    assert 1.4 < found.value < 4.5 and "would lose" not in str(found.reason)


def test_a_gate_in_a_marker_that_stains_all_cells_removes_nothing():
    # B cells known by exclusion, many, and no brighter in CD19 than most of the few NK cells
    rng = np.random.default_rng(0)
    lineage = np.repeat(["NK", "B"], [40, 400])
    cd19 = np.concatenate([rng.normal(2.5, 0.1, 6), rng.normal(3.9, 0.2, 34), rng.normal(3.4, 0.2, 400)])
    values = cd19[:, None].astype(np.float32)
    found = fit_of(values, ["CD19"], lineage).threshold(values, Gate([Channel("CD19", 0)], "below", "nk"))
    assert (cd19[:40] < found.value).mean() > 0.97 and "of 40 NK cells" in found.reason


def test_quotas_are_even_and_small_files_whole():
    assert quotas([10, 1000, 1000], 500) == [10, 245, 245]
    assert quotas([5, 5], 500) == [5, 5]
    assert sum(quotas([100] * 7, 500)) == 500 - 500 % 7 + 500 % 7
    assert quotas([], 10) == []


def test_the_best_cut_lies_between_and_above_the_noise():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0.5, 0.4, 3000), rng.normal(4, 0.5, 200)
    cut = best_cut([high], low, "above", noise=1.44)
    assert 1.43 < cut.low <= cut.value <= cut.high < 3.2
    other = best_cut([low], high, "below", noise=1.44)
    assert abs(other.value - cut.value) < 0.1
    assert best_cut([rng.normal(0.9, 0.2, 500)], rng.normal(0.1, 0.1, 500), "above", noise=1.44).value >= 1.44
