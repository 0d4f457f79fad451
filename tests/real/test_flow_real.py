"""Flow cytometry of real laboratories against the gates of their authors; the panel is all that is set."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.cohort.config import fill_defaults
from cimlnk.common.errors import UserError
from cimlnk.cytof.cells import make_cells
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.flow.files import compensate_file
from cimlnk.cytof.flow.panel import make_panel
from cimlnk.cytof.flow.read import read_linear
from cimlnk.cytof.flow.spillover import applied_already, compensate, keyword_spillover
from cimlnk.cytof.gating.manual import gate_manually
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.lineages import make_lineages
from cimlnk.cytof.panel import load_panel, match_panel
from cimlnk.front.guess_panel import guess_panel

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
MONO, MOUSE, NK = (DATA / name for name in ("flow_dcmononk", "flow_flowsom_wsp", "spectral_luciernaga_nk"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MONO.is_dir(), reason=f"no flow cytometry at {DATA} (CIMLNK_TEST_DATA)"),
]
LINEAR = MONO / "DC_MONO_NK_12828001_001_linear_uncompensated.fcs"
MONO_PANEL = {
    "Alexa Fluor 488-A": ("Live", "viability"), "PE YG-A": ("CD56", "identity"), "PerCP-Cy5-5-A": ("CD123", "lineage"),
    "PE-Cy7 YG-A": ("CD11c", "lineage"), "APC-A": ("CD16", "identity"), "APC-Cy7-A": ("Lineage", "dump"),
    "Pacific Blue-A": ("CD14", "lineage"), "AmCyan-A": ("HLADR", "activation"),
}  # fmt: skip
MOUSE_PANEL = {
    "AmCyan-A": ("l/d", "viability"), "Pacific Blue-A": ("CD8", "lineage"), "APC-A": ("TCRyd", "lineage"),
    "Alexa Fluor 700-A": ("CD45", "lineage"), "APC-Cy7-A": ("TCRb", "lineage"), "PE-A": ("NK1/1", "identity"),
    "PE-Texas Red-A": ("CD4", "lineage"), "PE-Cy5-A": ("CD19", "lineage"), "PE-Cy7-A": ("CD3", "lineage"),
}  # fmt: skip


def nk_cells(folder, files, panel, **own):
    """Events that are NK cells, and the record, by sample: all steps from the instrument's file."""
    schema = yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text())
    settings = fill_defaults({}, schema) | {"input_scale": "fluorescence", "bootstraps": 10} | own
    sheet = folder / "given.tsv"
    if isinstance(panel, dict):
        rows = [f"{c}\t{m}\t{r}\tno" for c, (m, r) in panel.items()]
        sheet.write_text("\n".join(["channel\tmarker\trole\tcluster", *rows]) + "\n", encoding="utf-8")
    else:
        panel.drop(columns=["?", "cofactor"]).to_csv(sheet, sep="\t", index=False)
    done = {s: folder / f"{s}.fcs" for s in files}
    for sample, path in files.items():
        compensate_file(
            fcs=path, panel=sheet, matrix=None, output=done[sample], record=folder / f"{sample}.json",
            settings={"apply": "auto"},
        )  # fmt: skip
    ready, gates, pool = folder / "panel.tsv", ROOT / "resources/gates/flow.yaml", folder / "pool.json"
    make_panel(files=done, panel=sheet, output=ready, cofactors=folder / "cofactors.parquet", seed=1)
    batches = dict.fromkeys(files, "b1")
    make_pool(done, batches, ready, gates=gates, output=pool, settings=settings, seed=1, until="live")
    called = folder / "lineages.npz"
    make_lineages(
        files=done, batches=batches, panel=ready, gate_file=gates, pool=pool, output=called, settings=settings, seed=1
    )
    found = {}
    for sample in files:
        cells = folder / f"{sample}.h5ad"
        make_cells(
            fcs=done[sample], sample=sample, batch="b1", panel=ready, gate_file=gates, pool=pool, settings=settings,
            seed=1, output=cells, gates=folder / f"{sample}.parquet", lineages=called, provenance={},
        )  # fmt: skip
        with h5py.File(cells) as f:
            record = json.loads(f["uns/cimlnk"][()])
            mask = np.zeros(read_header(files[sample]).n_events, bool)
            mask[f["obs/event"][:]] = True
        found[sample] = mask, record
    return found


def f1(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_compensation_of_an_instruments_file_is_that_of_flowkit():
    import flowkit

    path = MOUSE / "68983.fcs"
    header = read_header(path)
    spill = keyword_spillover(header)
    columns = [header.index(c) for c in spill.channels]
    raw = np.asarray(read_events(header))
    ours = compensate(raw, columns, spill.matrix)
    sample = flowkit.Sample(str(path))
    sample.apply_compensation(sample.get_metadata()["spill"])
    theirs = sample.get_events(source="comp")
    assert (np.abs(ours - theirs)[:, columns] / np.abs(theirs[:, columns]).max(axis=0)).max() < 1e-5
    assert applied_already(raw, columns, spill).done is False
    assert applied_already(ours, columns, spill).done is True


def _by_hla_dr_and_cd11c(folder, events):
    """Of some events those with both of HLA-DR and CD11c (above four cofactors), and with neither (below two)."""
    header = read_header(folder / "s.fcs")
    cofactors = load_panel(folder / "panel.tsv").set_index("marker")["cofactor"]
    matched = {c.marker: c.column for c in match_panel(header, load_panel(folder / "panel.tsv")).channels}
    light = {m: np.asarray(read_events(header))[:, matched[m]] / float(cofactors[m]) for m in ("HLA-DR", "CD11c")}
    bright = np.logical_and.reduce([v > 4 for v in light.values()])
    return events & bright, events & np.logical_and.reduce([v < 2 for v in light.values()])


def test_human_blood_with_a_dump_channel(tmp_path):
    """Of the authors' 663 CD16+ CD56- cells five in six are nonclassical monocytes: HLA-DR and CD11c bright."""
    truth = pd.read_csv(MONO / "event_membership.csv.gz").astype(bool)
    nk, record = nk_cells(tmp_path, {"s": LINEAR}, MONO_PANEL)["s"]
    both = (truth["CD56+"] | truth["CD16+"]).to_numpy()
    assert nk.sum() == pytest.approx(both.sum(), rel=0.10)
    # exactly the CD56+ cells would have .948, and with those CD16+ ones that are no monocytes .957
    assert f1(nk, both) >= 0.93
    assert f1(nk, truth["CD56+"].to_numpy()) >= 0.96
    # HLA-DR and CD11c decide between nonclassical monocytes and CD16+ CD56- NK cells
    myeloid, lymphoid = _by_hla_dr_and_cd11c(tmp_path, truth["CD16+CD56-"].to_numpy())
    assert myeloid.sum() + lymphoid.sum() > 0.85 * truth["CD16+CD56-"].sum() and myeloid.sum() > 5 * lymphoid.sum()
    assert nk[myeloid].mean() < 0.02 and nk[lymphoid].mean() > 0.8
    for name in ("CD16+CD56+", "CD16-CD56+"):
        assert nk[truth[name].to_numpy()].sum() == pytest.approx(truth[name].sum(), rel=0.10)
    assert any("uncompensated" in n for n in record["notes"])


def test_mouse_spleen_by_nk1_1(tmp_path):
    nk, _ = nk_cells(tmp_path, {"s": MOUSE / "68983.fcs"}, MOUSE_PANEL, nk_identity="NK1.1")["s"]
    labels = pd.read_csv(MOUSE / "gatingResult.csv", header=None)[0].astype(str).to_numpy()
    assert f1(nk, labels == "NK cells") >= 0.9


def test_the_gates_of_a_flowjo_workspace(tmp_path):
    rows = [f"{c}\t{m}\t{r}\tno" for c, (m, r) in MOUSE_PANEL.items()]
    (tmp_path / "p.tsv").write_text("\n".join(["channel\tmarker\trole\tcluster", *rows]) + "\n", encoding="utf-8")
    header = read_header(MOUSE / "68983.fcs")
    matched = match_panel(header, load_panel(tmp_path / "p.tsv"))
    settings = {"file": MOUSE / "gating.wsp", "live_singlets": "NK T cells", "lymphocytes": "B cells", "nk": "NK cells"}
    gated = gate_manually(header, matched, settings, sample="s", start=np.ones(header.n_events, bool))
    assert {k: int(v.sum()) for k, v in gated.nodes.items()} == {"live": 535, "lymphocytes": 2460, "nk": 312}


def test_spectral_blood_of_four_donors_by_nothing_but_the_panel(tmp_path):
    files = {s: NK / f"{s}_Ctrl_Tetramer.fcs" for s in ("INF071", "INF149", "INF179", "ND050_15")}
    header = read_header(files["INF071"])
    panel, identity = guess_panel(list(zip(header.channels, header.markers, strict=True)), cofactor=150)
    assert identity == "CD56"
    found = nk_cells(tmp_path, files, panel)
    for sample, n in zip(files, (102, 193, 41, 100), strict=True):
        nk, record = found[sample]
        assert nk.sum() == pytest.approx(n, rel=0.30)
        assert 0.45 <= record["summary"]["n_live_singlets"] / len(nk) <= 0.75


def test_files_that_are_no_unmixed_fluorescence_end_in_one_line():
    folder = DATA / "spectral_flowspecs_raw_unmixed"
    with pytest.raises(UserError, match="42 raw detectors of a spectral instrument"):
        read_linear(folder / "PBMC_spectral_MIXED_raw.fcs")
    assert len(read_linear(folder / "PBMC_spectral_UNMIXED.fcs").events) == 8000
    with pytest.raises(UserError, match="channel numbers of a display scale of 4096"):
        read_linear(MONO / "DC_MONO_NK_12828001_001.fcs")
