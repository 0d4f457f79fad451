"""The workspace opened by FlowKit over the exported files: every gate and population counts the same events."""

from __future__ import annotations

import warnings
from xml.etree import ElementTree as ET

import anndata
import numpy as np
import pandas as pd
import pytest

from cimlnk.cytof.cells import make_cells
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.flow.files import compensate_file
from cimlnk.cytof.flow.panel import make_panel
from cimlnk.export.cytometry import export_cytometry
from cimlnk.export.gates import kept, read_gates
from cimlnk.simulate.flow import simulate_flow

GML = """<?xml version='1.0'?><gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">%s</gating:Gating-ML>"""


def box(name, low=None, high=None, channel="A", parent=None):
    limits = "".join(f' gating:{k}="{v}"' for k, v in (("min", low), ("max", high)) if v is not None)
    above = f' gating:parent_id="{parent}"' if parent else ""
    return (
        f'<gating:RectangleGate gating:id="{name}"{above}><gating:dimension{limits}>'
        f'<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension></gating:RectangleGate>'
    )


def test_complements_and_parents(tmp_path):
    both = (
        '<gating:BooleanGate gating:id="good"><gating:and>'
        '<gating:gateReference gating:ref="bad1" gating:use-as-complement="true"/>'
        '<gating:gateReference gating:ref="bad2" gating:use-as-complement="true"/></gating:and></gating:BooleanGate>'
    )
    text = box("bad1", 0, 2) + box("bad2", 5, 6) + both + box("high", 4, parent="good")
    (tmp_path / "g.xml").write_text(GML % text)
    gates = read_gates(tmp_path / "g.xml")
    values = np.arange(8.0)
    masks = kept(gates, lambda channel: values, 8)
    assert values[masks["good"]].tolist() == [2, 3, 4, 6, 7], "low is inside, high is outside, as GatingML says"
    assert values[masks["high"]].tolist() == [4, 6, 7]
    keeps = both.replace(' gating:use-as-complement="true"', "").replace('ref="bad2"', 'ref="bad1"')
    (tmp_path / "h.xml").write_text(GML % (box("bad1", 0, 2) + keeps))
    with pytest.raises(ValueError, match="keeps what is inside"):
        read_gates(tmp_path / "h.xml")


def counted_by_flowkit(fk, folder):
    """Counts of every gate by sample and name, as FlowKit finds them in the exported files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = fk.Workspace(str(folder / "workspace.wsp"), fcs_samples=str(folder / "fcs"))
        workspace.analyze_samples("All Samples", use_mp=False)
        return workspace.get_analysis_report("All Samples").set_index(["sample_id", "gate_name"])["count"]


def stated(path):
    """The same as the workspace states them."""
    return {
        (node.get("name"), population.get("name")): int(population.get("count"))
        for node in ET.parse(path).getroot().iter("SampleNode")
        for population in node.iter("Population")
    }


def test_flowkit_counts_the_same(cohort, places, settings, tmp_path):
    fk = pytest.importorskip("flowkit")
    names = ["P1_D28_cytof", "P1_pre_cytof"]
    tables = []
    rng = np.random.default_rng(0)
    for name in names:
        make_cells(
            fcs=cohort / f"{name}.fcs", sample=name, batch="b", panel=places["panel"], gate_file=places["gates"],
            pool=None, settings=settings, seed=1, output=tmp_path / f"{name}.h5ad", gates=tmp_path / f"{name}.parquet",
            provenance={}, gatingml=tmp_path / f"{name}.xml",
        )  # fmt: skip
        ids = anndata.read_h5ad(tmp_path / f"{name}.h5ad").obs_names.to_numpy()
        population = rng.choice(["adaptive", "CD56bright"], len(ids))
        tables.append(
            pd.DataFrame({"cell": ids, "sample": name, "cluster": 0, "population": population, "confidence": 1.0})
        )
    table = pd.concat(tables)
    table.to_parquet(tmp_path / "p.parquet")
    table.assign(umap1=0.0, umap2=0.0)[["cell", "umap1", "umap2"]].to_parquet(tmp_path / "u.parquet")
    export_cytometry(
        samples=names, fcs=[cohort / f"{n}.fcs" for n in names], cells=[tmp_path / f"{n}.h5ad" for n in names],
        gates=[tmp_path / f"{n}.xml" for n in names], populations=tmp_path / "p.parquet", umap=tmp_path / "u.parquet",
        folder=tmp_path / "fcs", workspace=tmp_path / "workspace.wsp", provenance={},
    )  # fmt: skip
    found = counted_by_flowkit(fk, tmp_path)
    for name in names:
        gates = pd.read_parquet(tmp_path / f"{name}.parquet").set_index("gate")
        mine = found[f"{name}.fcs"]
        assert mine["nk"] == gates.loc["nk", "n_out"] and mine["no_beads"] == gates.loc["no_beads", "n_out"]
        counts = table[table["sample"] == name]["population"].value_counts()
        assert mine["NK cells"] == counts.sum() and mine["adaptive"] == counts["adaptive"]
    assert found.to_dict() == stated(tmp_path / "workspace.wsp")


def test_flowkit_counts_the_same_in_flow_cytometry(places, settings, tmp_path):
    fk = pytest.importorskip("flowkit")
    root = places["panel"].parents[1]
    raw, done, panel = tmp_path / "raw.fcs", tmp_path / "s.fcs", tmp_path / "panel.tsv"
    simulate_flow("three", 1, "P2_pre_flow", fcs=raw, truth=tmp_path / "truth.parquet")
    sheet = root / "panels/synthetic_flow.tsv"
    compensate_file(
        fcs=raw, panel=sheet, matrix=None, output=done, record=tmp_path / "s.json", settings={"apply": "auto"}
    )
    make_panel(files={"s": done}, panel=sheet, output=panel, cofactors=tmp_path / "c.parquet", seed=1)
    make_cells(
        fcs=done, sample="s", batch="b", panel=panel, gate_file=root / "gates/flow.yaml", pool=None,
        settings=settings | {"input_scale": "fluorescence"}, seed=1, output=tmp_path / "s.h5ad",
        gates=tmp_path / "gates.parquet", provenance={}, gatingml=tmp_path / "s.xml",
    )  # fmt: skip
    cells = pd.DataFrame({"cell": anndata.read_h5ad(tmp_path / "s.h5ad").obs_names.to_numpy(), "sample": "s"})
    table = cells.assign(cluster=0, population=np.where(cells.index % 3 == 0, "adaptive", "CD56dim"), confidence=1.0)
    table.to_parquet(tmp_path / "p.parquet")
    cells.assign(umap1=0.0, umap2=0.0)[["cell", "umap1", "umap2"]].to_parquet(tmp_path / "u.parquet")
    export_cytometry(
        samples=["s"], fcs=[done], cells=[tmp_path / "s.h5ad"], gates=[tmp_path / "s.xml"],
        populations=tmp_path / "p.parquet", umap=tmp_path / "u.parquet", folder=tmp_path / "fcs",
        workspace=tmp_path / "workspace.wsp", provenance={},
    )  # fmt: skip
    text = read_header(tmp_path / "fcs/s.fcs").text
    assert (text["$FIL"], text["CIMLNK_ACQUIRED_AS"]) == ("s.fcs", "raw.fcs")
    assert not [k for k in text if "SPILL" in k], "compensated already: FlowJo would do it twice"
    found = counted_by_flowkit(fk, tmp_path)
    assert found.to_dict() == stated(tmp_path / "workspace.wsp")
    gates = pd.read_parquet(tmp_path / "gates.parquet").set_index("gate")
    assert found[("s.fcs", "NK cells")] == len(cells) and found[("s.fcs", "nk")] == gates.loc["nk", "n_out"]
    assert {"not_debris", "viable", "live", "not_t"} <= {name for _, name in found.index}
