"""Gating of published mass cytometry: BCR-XL (no CD56), a raw file with beads and debris, four tiny files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cimlnk.cytof.cells import summarise
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
GATES = ROOT / "resources" / "gates" / "nk.yaml"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "cytof_bcrxl").is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
QC = {"enabled": True, "bins": 200, "events_per_bin": 100, "tolerance": 6, "minimum_score": 0}
SETTINGS = {"minimum_events": 300, "pool_events": 4000, "bootstraps": 20, "acquisition_qc": QC}


def panel_sheet(path: Path, channels: dict[str, tuple[str, str]]) -> Path:
    rows = [f"{c}\t{m}\t{r}\t5\t{'yes' if m in ('CD56', 'CD16') else 'no'}" for c, (m, r) in channels.items()]
    path.write_text("channel\tmarker\trole\tcofactor\tcluster\n" + "\n".join(rows) + "\n")
    return path


def test_bcrxl_has_nk_like_cells_in_every_sample(tmp_path):
    files = {p.stem: p for p in sorted((DATA / "cytof_bcrxl" / "fcs").glob("*.fcs"))}
    assert len(files) == 16
    panel = ROOT / "resources" / "panels" / "bcrxl.tsv"
    settings = {**SETTINGS, "input_scale": "compensated", "nk_identity": "CD7"}
    make_pool(
        files, dict.fromkeys(files, "all"), panel, gates=GATES, output=tmp_path / "pool.json", settings=settings, seed=1
    )
    shares = {}
    for sample, path in files.items():
        data = read_sample(path, panel, settings)
        gated, course = gate_sample(
            data, sample, "all", gates=GATES, pool=tmp_path / "pool.json", settings=settings, seed=1
        )
        counts = summarise(gated, course)
        shares[sample] = counts["n_nk"] / counts["n_events"]
        rows = gated.rows.set_index("gate")
        assert rows.loc["no_beads", "method"] == rows.loc["live", "method"] == "skipped"
        assert counts["n_nk_low"] <= counts["n_nk"] <= counts["n_nk_high"]
        assert counts["qc_score"] > 0.98
    # CD7+ CD3- events were 3 to 22 % of all events when these files were looked at with a plain two-marker cut
    assert min(shares.values()) >= 0.025 and max(shares.values()) < 0.225  # that range in whole per cent
    # and a donor keeps its share between the two conditions, which share the blood
    donors = sorted({s.split("_")[2] for s in shares})
    pairs = [[v for s, v in shares.items() if f"_{d}_" in s] for d in donors]
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.9


def test_bcrxl_b_cells_by_another_hierarchy_show_the_published_ps6_rise(tmp_path):
    files = {p.stem: p for p in sorted((DATA / "cytof_bcrxl" / "fcs").glob("*.fcs"))}
    panel, gates = ROOT / "resources" / "panels" / "bcrxl.tsv", GATES.with_name("b_cells.yaml")
    settings = {**SETTINGS, "input_scale": "compensated", "nk_identity": "CD7"}
    make_pool(
        files, dict.fromkeys(files, "all"), panel, gates=gates, output=tmp_path / "pool.json", settings=settings, seed=1
    )
    median = {}
    for sample, path in files.items():
        data = read_sample(path, panel, settings)
        gated, _ = gate_sample(data, sample, "all", gates=gates, pool=tmp_path / "pool.json", settings=settings, seed=1)
        cells = gated.nodes["b_cells"]
        assert cells.sum() >= 50
        ps6 = data.matched.of_marker("pS6")
        median[sample] = float(np.median(data.scaled[cells, ps6.column]))
    rise = [median[s] - median[s.replace("BCR-XL", "Reference")] for s in files if s.endswith("BCR-XL")]
    # medians rise from 0.2-0.9 to 3.4-4.2 (arcsinh, cofactor 5) in all eight with a plain CD20+ CD3- cut
    assert len(rise) == 8 and min(rise) > 1.5


def test_a_raw_file_falls_apart_into_beads_debris_doublets_and_cells(tmp_path):
    raw = DATA / "cytof_mdipa_raw_beads" / "raw_cytof.fcs"
    names = dict(zip(*(lambda h: (h.channels, h.markers))(read_header(raw)), strict=True))
    roles = {"Time": "time", "Event_length": "event_length", "Rh103Di": "viability"}
    roles |= dict.fromkeys(("Center", "Offset", "Width", "Residual"), "gaussian")
    roles |= dict.fromkeys(("Ir191Di", "Ir193Di"), "dna")
    markers = {"Rh103Di": "Viability", "Ir191Di": "DNA1", "Ir193Di": "DNA2"}
    channels = {c: (markers.get(c, c), r) for c, r in roles.items()}
    for c, label in names.items():
        if label.endswith("_Bead"):
            channels[c] = (f"Bead{label[:3]}", "bead")
    for c, m in {
        "Y89Di": "CD45", "Nd144Di": "CD19", "Er170Di": "CD3", "Er168Di": "CD14", "Yb171Di": "CD20",
        "Dy163Di": "CD56", "Nd148Di": "CD16", "Nd145Di": "CD4", "Nd146Di": "CD8a",
    }.items():  # fmt: skip
        channels[c] = (m, "lineage")
    settings = {**SETTINGS, "input_scale": "raw", "nk_identity": "CD56"}
    data = read_sample(raw, panel_sheet(tmp_path / "panel.tsv", channels), settings)
    gated, _ = gate_sample(data, "raw", "b", gates=GATES, pool=None, settings=settings, seed=1)
    column = {c.marker: data.scaled[:, c.column] for c in data.matched.channels}
    start = np.ones(len(data.events), bool)
    beads = start & ~gated.nodes["no_beads"]
    # beads carry 140Ce and, but for bead-cell doublets, no DNA
    assert 120 <= beads.sum() <= 220 and column["Bead140"][beads].min() > 3
    assert np.median(column["DNA1"][beads]) < 2
    rows = gated.rows.set_index("gate")
    debris = rows.loc["intact (DNA1 low)", "n_in"] - rows.loc["intact (DNA1 low)", "n_out"]
    doublets = rows.loc["intact (DNA1 low)", "n_out"] - rows.loc["intact", "n_out"]
    assert 500 < debris < 900 and 200 < doublets < 900
    live = gated.nodes["live"]
    for cells, absent in (("CD3", "CD19"), ("CD19", "CD3")):
        positive = live & (column[cells] > 3.5)
        assert positive.sum() > 300 and np.median(column[absent][positive]) < 1
    nk = gated.nodes["nk"]
    assert 0.05 < nk.sum() / gated.nodes["lymphocytes"].sum() < 0.25
    assert np.median(column["CD16"][nk]) > np.median(column["CD16"][live & (column["CD3"] > 3.5)]) + 1.5


@pytest.mark.parametrize("name", ["11059", "11445", "11462", "11491"])
def test_a_thousand_events_are_enough_to_gate(tmp_path, name):
    raw = next((DATA / "cytof_sdy420_tiny").glob(f"{name}*.fcs"))
    channels = {
        "Cell_length": ("Event_length", "event_length"), "(In115)Dd": ("Viability", "viability"),
        "(Ir191)Dd": ("DNA1", "dna"), "(Ir193)Dd": ("DNA2", "dna"), "(Nd142)Dd": ("CD19", "lineage"),
        "(Dy164)Dd": ("CD20", "lineage"), "(Nd150)Dd": ("CD3", "lineage"), "(Sm154)Dd": ("CD14", "lineage"),
        "(Er166)Dd": ("CD33", "lineage"), "(Yb174)Dd": ("CD56", "identity"), "(Sm149)Dd": ("CD16", "identity"),
    }  # fmt: skip
    settings = {**SETTINGS, "input_scale": "raw", "nk_identity": "CD56", "minimum_events": 200}
    data = read_sample(raw, panel_sheet(tmp_path / "panel.tsv", channels), settings)
    gated, _ = gate_sample(data, name, "b", gates=GATES, pool=None, settings=settings, seed=1)
    nk, lymphocytes = gated.nodes["nk"], gated.nodes["lymphocytes"]
    # NK cells are 5 to 30 % of blood lymphocytes in health, more in the old (these donors are 84 to 90)
    assert 0.02 < nk.sum() / lymphocytes.sum() < 0.6
    assert gated.rows.set_index("gate").loc["leukocytes", "method"] == "skipped"
    cd3 = data.scaled[:, data.matched.of_marker("CD3").column]
    assert np.median(cd3[nk]) < np.median(cd3[lymphocytes])
