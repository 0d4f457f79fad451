"""Gates as GatingML: FlowKit finds the same cells; gates drawn elsewhere are accepted."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table
from cimlnk.cytof.cells import make_cells, summarise
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.gating.gatingml import gate_id, write_empty
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.tables import GATES

SAMPLE = "P1_D28_cytof"


@pytest.fixture(scope="module")
def fk():
    return pytest.importorskip("flowkit")


def apply(fk, xml: Path, fcs: Path) -> dict[str, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = fk.parse_gating_xml(str(xml))
        results = strategy.gate_sample(fk.Sample(str(fcs)))
    return {name: results.get_gate_membership(name) for name, _ in strategy.get_gate_ids()}


def test_flowkit_applies_every_gate_to_the_same_cells(fk, cohort, places, settings, tmp_path):
    fcs, xml = cohort / f"{SAMPLE}.fcs", tmp_path / "g.xml"
    data = read_sample(fcs, places["panel"], settings)
    gated, _ = gate_sample(
        data, SAMPLE, "day1", gates=places["gates"], pool=None, settings=settings, seed=1, gatingml=xml
    )
    members = apply(fk, xml, fcs)
    assert len(members) > 15
    for node, mask in gated.nodes.items():
        np.testing.assert_array_equal(members[gate_id(node)], mask, err_msg=node)


def test_masked_time_is_a_gate_too(fk, cohort, places, settings, tmp_path):
    header = read_header(cohort / "P1_pre_cytof.fcs")
    events = read_events(header)
    lowered = events.copy()
    n = len(events)
    for a, b in ((0.2, 0.27), (0.6, 0.66)):  # two stretches in which the instrument loses its signal
        part = slice(int(a * n), int(b * n))
        for j, name in enumerate(header.channels):
            if name.endswith("Di"):
                lowered[part, j] *= 0.05
    path, xml = tmp_path / "x.fcs", tmp_path / "g.xml"
    write_fcs(path, lowered, header.channels, markers=header.markers, metadata={"$TIMESTEP": "0.001"})
    wanted = {**settings, "acquisition_qc": {**settings["acquisition_qc"], "events_per_bin": 25, "tolerance": 4}}
    data = read_sample(path, places["panel"], wanted)
    gated, course = gate_sample(data, "x", "b", gates=places["gates"], pool=None, settings=wanted, seed=1, gatingml=xml)
    assert 0.8 < course.score < 0.95
    members = apply(fk, xml, path)
    np.testing.assert_array_equal(members["good_time"], course.good)
    np.testing.assert_array_equal(members["nk"], gated.nodes["nk"])


def test_our_gates_given_back_as_manual_gates_select_the_same_cells(fk, cohort, places, settings, tmp_path):
    fcs, xml = cohort / f"{SAMPLE}.fcs", tmp_path / "g.xml"
    data = read_sample(fcs, places["panel"], settings)
    gated, course = gate_sample(
        data, SAMPLE, "day1", gates=places["gates"], pool=None, settings=settings, seed=1, gatingml=xml
    )
    manual = {**settings, "manual_gates": {**settings["manual_gates"], "file": str(xml)}}
    again = tmp_path / "again.xml"
    by_hand, _ = gate_sample(
        data, SAMPLE, "day1", gates=places["gates"], pool=None, settings=manual, seed=1, gatingml=again
    )
    for node in ("live", "lymphocytes", "nk"):
        np.testing.assert_array_equal(by_hand.nodes[node], gated.nodes[node])
    assert set(by_hand.rows["method"]) <= {"manual", "time", "skipped"}
    assert summarise(by_hand, course)["n_nk"] == gated.nodes["nk"].sum()
    np.testing.assert_array_equal(apply(fk, again, fcs)["nk"], gated.nodes["nk"])
    make_cells(
        fcs=fcs, sample=SAMPLE, batch="b", panel=places["panel"], gate_file=places["gates"], pool=None, settings=manual,
        seed=1, output=tmp_path / "o.h5ad", gates=tmp_path / "o.parquet", gatingml=tmp_path / "o.xml", provenance={},
    )  # fmt: skip
    assert read_table(tmp_path / "o.parquet", GATES).iloc[-1]["n_out"] == gated.nodes["nk"].sum()


def test_a_flowjo_workspace_is_accepted(fk, cohort, places, settings, tmp_path):
    fcs = cohort / f"{SAMPLE}.fcs"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = fk.GatingStrategy()
        box = fk.gates.RectangleGate
        strategy.add_gate(box("live", [fk.Dimension("Pt195Di", range_min=-10, range_max=80)]), ("root",))
        strategy.add_gate(box("lymphocytes", [fk.Dimension("Cd112Di", range_min=-10, range_max=60)]), ("root", "live"))
        dimensions = [
            fk.Dimension("In115Di", range_min=-10, range_max=60),
            fk.Dimension("Nd145Di", range_min=15, range_max=9e9),
        ]
        strategy.add_gate(box("nk", dimensions), ("root", "live", "lymphocytes"))
        session = fk.Session(strategy, fcs_samples=[fk.Sample(str(fcs), sample_id=fcs.name)])
        with (tmp_path / "w.wsp").open("wb") as f:
            session.export_wsp(f, "All")
    manual = {**settings, "manual_gates": {**settings["manual_gates"], "file": str(tmp_path / "w.wsp")}}
    data = read_sample(fcs, places["panel"], settings)
    gated, _ = gate_sample(data, SAMPLE, "b", gates=places["gates"], pool=None, settings=manual, seed=1)
    raw = {c.marker: data.events[:, c.column] for c in data.matched.channels}
    live = (raw["Viability"] >= -10) & (raw["Viability"] < 80)
    np.testing.assert_array_equal(gated.nodes["live"], live)
    lymphocytes = live & (raw["CD14"] >= -10) & (raw["CD14"] < 60)
    np.testing.assert_array_equal(gated.nodes["nk"], lymphocytes & (raw["CD3"] < 60) & (raw["CD56"] >= 15))
    other = cohort / "P1_pre_cytof.fcs"
    with pytest.raises(UserError, match="samples of the workspace.*P1_D28_cytof.fcs"):
        gate_sample(
            read_sample(other, places["panel"], manual),
            "s",
            "b",
            gates=places["gates"],
            pool=None,
            settings=manual,
            seed=1,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "none.xml"}, "no such file"),
        ({"nk": "NK cells"}, "manual_gates.nk: found 'NK cells', expected a gate of the file"),
        ({"text": "<a>"}, "gates: found"),
        ({"text": "channel"}, "gates: found"),
    ],
)
def test_mistakes_in_manual_gates_are_told(fk, cohort, places, settings, tmp_path, change, message):
    fcs, xml = cohort / f"{SAMPLE}.fcs", tmp_path / "g.xml"
    data = read_sample(fcs, places["panel"], settings)
    gate_sample(data, SAMPLE, "b", gates=places["gates"], pool=None, settings=settings, seed=1, gatingml=xml)
    if change.get("text") == "channel":
        xml.write_text(re.sub("Nd145Di", "Nd999Di", xml.read_text()))
    elif "text" in change:
        xml.write_text(change["text"])
    names = {k: v for k, v in change.items() if k != "text"}
    manual = {**settings, "manual_gates": {**settings["manual_gates"], "file": str(xml), **names}}
    with pytest.raises(UserError, match=message):
        gate_sample(data, SAMPLE, "b", gates=places["gates"], pool=None, settings=manual, seed=1)


def test_the_file_of_a_sample_left_out_has_no_gates(tmp_path):
    write_empty(tmp_path / "e.xml")
    root = ET.parse(tmp_path / "e.xml").getroot()
    assert root.tag.endswith("Gating-ML") and len(root) == 0
