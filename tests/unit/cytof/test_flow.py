"""Flow cytometry: spillover against FlowKit, whether it was removed already, cofactors, scatter, wrong files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.flow.cofactors import cofactor_of, estimate_cofactors
from cimlnk.cytof.flow.files import SHAPE, compensate_file
from cimlnk.cytof.flow.instrument import foreign_to_mass, is_mass_cytometry
from cimlnk.cytof.flow.panel import make_panel
from cimlnk.cytof.flow.read import read_linear
from cimlnk.cytof.flow.spillover import Spillover, applied_already, compensate, keyword_spillover, read_spillover
from cimlnk.cytof.gating.density import find_split, histogram, valley_threshold
from cimlnk.cytof.gating.fit import without_dying, without_fragments
from cimlnk.cytof.lineage.markers import LINEAGES
from cimlnk.cytof.lineage.transfer import Placed
from flow_files import DYES, MATRIX, keyword, stained, write_flow, write_panel

PANEL = (
    ("FITC-A", "CD3", "lineage", "", "no"),
    ("PE-A", "CD56", "identity", "", "yes"),
    ("APC-A", "CD16", "identity", "", "yes"),
)
AUTO = {"apply": "auto"}


def prepared(tmp_path, fcs, rows=PANEL, settings=AUTO, matrix=None):
    panel = write_panel(tmp_path / "panel.tsv", *rows)
    out = tmp_path / "out.fcs"
    compensate_file(fcs=fcs, panel=panel, matrix=matrix, output=out, record=tmp_path / "out.json", settings=settings)
    return out, json.loads((tmp_path / "out.json").read_text())


def test_compensation_is_that_of_flowkit(tmp_path):
    import flowkit

    path = write_flow(tmp_path / "a.fcs", stained() @ MATRIX)
    header = read_header(path)
    spill = keyword_spillover(header)
    ours = compensate(np.asarray(read_events(header)), [header.index(c) for c in spill.channels], spill.matrix)
    sample = flowkit.Sample(str(path))
    sample.apply_compensation(sample.get_metadata()["spillover"])
    theirs = sample.get_events(source="comp")
    scale = np.abs(theirs).max(axis=0)
    assert (np.abs(ours - theirs) / scale).max() < 1e-5
    assert np.abs(ours[:, 4:] - (stained() @ MATRIX) @ np.linalg.inv(MATRIX)).max() < 0.1


def test_the_data_say_whether_spillover_was_removed():
    truth = stained(6000, seed=3)
    spill = Spillover(list(DYES), MATRIX, "test")
    before = applied_already(truth @ MATRIX, [0, 1, 2], spill)
    after = applied_already(truth, [0, 1, 2], spill)
    assert before.done is False
    assert after.done is True
    assert "%" in before.evidence
    dark = np.random.default_rng(0).normal(0, 100, (3000, 3))
    assert applied_already(dark, [0, 1, 2], spill).done is None
    assert applied_already(truth, [0, 1, 2], Spillover(list(DYES), np.eye(3), "test")).done is None


@pytest.mark.parametrize("compensated", [False, True])
def test_a_file_is_compensated_once(tmp_path, compensated):
    truth = stained(6000, seed=5)
    path = write_flow(tmp_path / "a.fcs", truth if compensated else truth @ MATRIX)
    out, record = prepared(tmp_path, path)
    header = read_header(out)
    found = np.asarray(read_events(header, DYES))
    assert np.abs(found - truth).max() < 0.1
    assert record["compensation"]["applied"] is not compensated
    assert record["compensation"]["evidence"] in header.text["CIMLNK_FLUORESCENCE"]
    assert not any("SPILL" in k for k in header.text)


def test_names_the_config_and_no_matrix_decide_too(tmp_path):
    truth = stained(4000)
    comp = tuple(f"Comp-{d}" for d in DYES)
    rows = tuple((f"Comp-{r[0]}", *r[1:]) for r in PANEL)
    path = write_flow(tmp_path / "a.fcs", truth @ MATRIX, comp, matrix=None, **{"SPILL": keyword()})
    _, record = prepared(tmp_path, path, rows)
    assert not record["compensation"]["applied"]
    assert "named as compensated" in record["compensation"]["evidence"]
    path = write_flow(tmp_path / "b.fcs", truth)
    assert prepared(tmp_path, path, settings={"apply": "yes"})[1]["compensation"]["applied"]
    path = write_flow(tmp_path / "c.fcs", truth @ MATRIX)
    assert not prepared(tmp_path, path, settings={"apply": "no"})[1]["compensation"]["applied"]
    path = write_flow(tmp_path / "d.fcs", truth, matrix=None)
    assert "no spillover matrix" in prepared(tmp_path, path)[1]["compensation"]["evidence"]


@pytest.mark.parametrize("labelled", [False, True])
def test_a_matrix_sheet_in_both_layouts_and_in_per_cent(tmp_path, labelled):
    rows = [",".join(f"{100 * v:g}" for v in r) for r in MATRIX]
    if labelled:
        order = [2, 0, 1]  # rows in another order than columns
        text = "\n".join([",Comp-FITC-A :: CD3,PE-A,APC-A", *(f"{DYES[i]},{rows[i]}" for i in order)])
    else:
        text = "\n".join(["# " + ",".join(DYES), *rows])
    path = tmp_path / "m.csv"
    path.write_text(text + "\n", encoding="utf-8")
    fcs = write_flow(tmp_path / "a.fcs", stained() @ MATRIX, matrix=None)
    found = read_spillover(path, read_header(fcs))
    assert found.channels == list(DYES)
    assert np.allclose(found.matrix, MATRIX)


def test_cofactors_follow_the_negative_cells_whatever_the_gain():
    light = stained(8000, seed=1)
    found, reasons = estimate_cofactors(light)
    assert reasons == [None] * 3
    assert np.all((found > 120) & (found < 200))  # negative cells of spread 100 end near 300: two cofactors
    more, _ = estimate_cofactors(light * 40)
    assert np.allclose(more, 40 * found, rtol=0.02)
    assert cofactor_of(np.concatenate([light[:, 0], np.full(200, -1e5)]))[0] == pytest.approx(found[0], rel=0.2)


def test_a_channel_without_negative_cells_takes_the_usual_cofactor():
    light = stained(5000)
    cd45 = 20_000 * np.random.default_rng(2).lognormal(0, 0.3, len(light))
    found, reasons = estimate_cofactors(np.column_stack([light, cd45]))
    assert "no negative cells" in reasons[3]
    assert found[3] == pytest.approx(np.median(found[:3]), rel=0.1)
    assert cofactor_of(np.zeros(50))[1].startswith("50 events")
    assert "equal" in cofactor_of(np.zeros(500))[1]


def test_the_panel_of_flow_files(tmp_path):
    path = write_flow(tmp_path / "a.fcs", stained() @ MATRIX)
    rows = (("FITC-A", "CD3_CD19", "dump", "", "no"), PANEL[1], ("APC-A", "CD16", "identity", "321", "yes"))
    out, _ = prepared(tmp_path, path, rows)
    make_panel(
        files={"s": out}, panel=tmp_path / "panel.tsv", output=tmp_path / "p.tsv", cofactors=tmp_path / "c.parquet",
        seed=1,
    )  # fmt: skip
    sheet = pd.read_csv(tmp_path / "p.tsv", sep="\t").set_index("channel")
    table = pd.read_parquet(tmp_path / "c.parquet").set_index("channel")
    assert sheet.at["FITC-A", "marker"] == "Lineage"
    assert sheet.at["APC-A", "cofactor"] == 321
    assert table["method"].to_dict() == {"FITC-A": "estimated", "PE-A": "estimated", "APC-A": "given"}
    assert sheet.loc[["FSC-A", SHAPE, "Time"], "role"].tolist() == ["scatter", "pulse", "time"]


def test_doublets_and_events_off_the_scale_stand_apart_in_the_pulse(tmp_path):
    path = write_flow(tmp_path / "a.fcs", stained() @ MATRIX, doublets=300, **{"$P4R": "262144"})
    out, record = prepared(tmp_path, path)
    shape = np.asarray(read_events(out, [SHAPE]))[:, 0]
    assert shape[:300].min() > shape[300:].max()
    assert "doublets by FSC-A over FSC-H" in record["notes"]


def test_logarithmic_amplifiers_are_undone(tmp_path):
    from flow_files import write_flow as write

    path = write(tmp_path / "a.fcs", np.full((50, 3), 512.0), matrix=None)
    raw = path.read_bytes()
    for i in (5, 6, 7):  # same length, so that offsets stay
        raw = raw.replace(f"$P{i}E/0,0/".encode(), f"$P{i}E/4,1/".encode())
    path.write_bytes(raw)
    text = read_header(path).text
    span = float(text["$P5R"])
    found = read_linear(path)
    assert found.events[0, 4] == pytest.approx(10 ** (4 * 512 / span), rel=1e-5)
    assert "logarithmic" in found.notes[0]
    path.write_bytes(raw.replace(b"$P5R/", b"$P5X/"))
    with pytest.raises(UserError, match=r"\$P5R: found nothing, expected a number above zero"):
        read_linear(path)


@pytest.mark.parametrize(("written", "told"), [("x,1", True), ("-,1", True), ("4,x", True), ("0,1", False)])
def test_an_amplifier_that_says_no_numbers_is_told_and_taken_for_linear(tmp_path, written, told):
    from flow_files import write_flow as write

    path = write(tmp_path / "a.fcs", np.full((50, 3), 512.0), matrix=None)
    path.write_bytes(path.read_bytes().replace(b"$P5E/0,0/", f"$P5E/{written}/".encode()))
    found = read_linear(path)
    assert (found.events[:, 4] == 512).all()
    assert [note for note in found.notes if "$P5E of FITC-A" in note] == found.notes and bool(found.notes) == told


def test_instruments_are_told_by_keywords_and_channels(tmp_path):
    flow = read_header(write_flow(tmp_path / "a.fcs", stained(50)))
    assert "light scatter" in foreign_to_mass(flow)
    metals = ["Time", "Yb176Di", "Nd142Di", "Ir191Di"]
    write_fcs(
        tmp_path / "m.fcs", np.ones((50, 4)), metals, markers=["", "CD56", "CD19", "DNA1"], metadata={"$CYT": "Helios"}
    )
    mass = read_header(tmp_path / "m.fcs")
    assert foreign_to_mass(mass) is None
    assert is_mass_cytometry(mass)
    write_fcs(tmp_path / "r.fcs", np.ones((50, 2)), ["CD3", "CD56"])  # renamed, without a word of the instrument
    assert foreign_to_mass(read_header(tmp_path / "r.fcs")) is None


def test_a_valley_within_the_negative_cells_is_no_cut_and_near_peaks_are_one():
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(m, 0.25, n) for m, n in ((0.4, 4000), (1.7, 2000), (4.0, 900))])
    assert valley_threshold(values, "lowest", random, bootstraps=0).value < 1.3
    assert 2.2 < valley_threshold(values, "lowest", random, bootstraps=0, least=1.44).value < 3.6
    assert valley_threshold(values[:6000], "lowest", random, bootstraps=0, least=1.44) is None
    assert len(find_split(histogram(values)).peaks) == 3
    assert len(find_split(histogram(values), apart=1.5).peaks) == 2


def test_fragments_leave_the_target_and_no_other_lineage():
    """Forward scatter of whole cells is narrow, debris a third of it; small cells of a wide population stay."""
    nk, random = LINEAGES.index("NK"), np.random.default_rng(3)
    lineage = np.full(800, nk, np.int8)
    lineage[600:] = LINEAGES.index("T")
    probability = np.eye(len(LINEAGES), dtype=np.float32)[lineage]
    placed = Placed(probability, lineage, probability.max(axis=1))
    size = 11.6 + random.normal(0, 0.12, 800)
    debris = np.r_[0:30, 600:650]
    size[debris] -= 1.0
    found, n = without_fragments(placed, size, nk)
    assert set(np.flatnonzero(found.lineage != lineage)) == set(range(30)) and n == 30
    assert (found.probability.sum(axis=1) == 1).all()
    wide = 11.6 + random.normal(0, 0.4, 800)
    assert without_fragments(placed, wide, nk)[1] <= 2
    nobody = placed._replace(lineage=np.full(800, LINEAGES.index("B"), np.int8))
    assert without_fragments(nobody, size, nk)[1] == 0


def test_dying_cells_leave_the_target_and_no_other_lineage():
    nk, monocyte, unsure = (LINEAGES.index(n) for n in ("NK", "monocyte", "unsure"))
    lineage = np.repeat([nk, monocyte], [100, 100]).astype(np.int8)
    probability = np.zeros((200, len(LINEAGES)), np.float32)
    probability[np.arange(200), lineage] = 1
    dye = np.where(lineage == nk, 0.4, 2.3) + np.random.default_rng(0).normal(0, 0.2, 200)
    dye[:7] = 2.5
    found, n = without_dying(Placed(probability, lineage, probability.max(axis=1)), dye, nk)
    assert n == 7
    assert (found.lineage[:7] == unsure).all()
    assert (found.lineage[100:] == monocyte).all()
    assert np.allclose(found.probability.sum(axis=1), 1)
    assert without_dying(found, np.zeros(200), nk)[1] == 0


def _mass(tmp_path):
    names = ["Time", "Yb176Di", "Nd142Di", "Ir191Di"]
    write_fcs(tmp_path / "w.fcs", np.ones((50, 4)), names, metadata={"$CYT": "Helios"})


def _detectors(tmp_path):
    names = ["FSC-A", *(f"V{i}-A" for i in range(1, 17)), *(f"R{i}-A" for i in range(1, 9))]
    write_fcs(tmp_path / "w.fcs", np.ones((50, 25)), names, metadata={"$CYT": "Aurora"})


def _channel_numbers(tmp_path):
    values = np.clip(2000 + 300 * np.random.default_rng(0).standard_normal((3000, 3)), 0, 4095)
    write_flow(tmp_path / "w.fcs", values)
    table = np.asarray(read_events(tmp_path / "w.fcs"))
    header = read_header(tmp_path / "w.fcs")
    table = np.vstack([table, table[:1]])
    table[-1, 4:] = 262143.0  # one event at the end of the range gives $PnR its usual value
    write_fcs(tmp_path / "w.fcs", table, header.channels, markers=header.markers, metadata={"$CYT": "LSRFortessa"})


def _not_finite(tmp_path):
    light = stained(50)
    light[7, 1] = np.nan
    write_flow(tmp_path / "w.fcs", light)


def _no_events(tmp_path):
    write_fcs(tmp_path / "w.fcs", np.empty((0, 4)), ["FSC-A", *DYES])


def _spill(text):
    return lambda tmp_path: write_flow(tmp_path / "w.fcs", stained(50), matrix=None, **{"SPILL": text})


ALIKE = np.array([[1, 0.5, 0], [1.99999, 1, 0], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_mass, "instrument: found Helios, expected fluorescence, as the modality is flow; is it modality cytof?"),
        (_detectors, "24 raw detectors of a spectral instrument (V1-A, V2-A, V3-A, …), expected unmixed values"),
        (_channel_numbers, "look like channel numbers of a display scale of 4096; export scale values"),
        (_not_finite, "channel PE-A: found 1 values that are not finite"),
        (_no_events, "events: found none, expected an FCS file with events"),
        (_spill("3,FITC-A,PE-A,APC-A,1,0,0"), "keyword SPILL: found 7 entries, the first '3'"),
        (_spill(keyword().replace("0.2", "a lot")), "keyword SPILL: found 'a lot', expected numbers"),
        (
            _spill(keyword(("FITC-A", "PE-A", "ACP-A"))),
            "channel: found 'ACP-A', expected a channel of the file (did you mean 'APC-A'?)",
        ),
        (
            _spill(keyword(matrix=0.5 * MATRIX)),
            "diagonal: found 0.5 of FITC-A, 0.5 of PE-A, 0.5 of APC-A, expected 1 for every channel",
        ),
        (_spill(keyword(matrix=ALIKE)), "FITC-A and PE-A spill alike: they cannot be distinguished"),
        (_spill(keyword(("FITC-A", "FITC-A", "APC-A"))), "channel FITC-A: found 2 times, expected every channel once"),
    ],
)
def test_wrong_files_end_in_one_line(tmp_path, make, words):
    make(tmp_path)
    with pytest.raises(UserError) as told:
        prepared(tmp_path, tmp_path / "w.fcs")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FITC-A,PE-A\n1,0\n", "rows: found 1, expected 2, one a channel of the header"),
        (",FITC-A,PE-A\nFITC-A,1,0.1\nAPC-A,0,1\n", "column PE-A: found no row of that name"),
        (",FITC-A,PE-A\nFITC-A,1,x\nPE-A,0,1\n", "row 2, column PE-A: found 'x', expected a share from 0 to 1"),
        (",FITC-A,PE-A\nFITC-A,1,0.1,3\nPE-A,0,1\n", "found 3 numbers, expected 2, one a channel of the header"),
        ("\n", "found an empty table, expected a spillover matrix (CSV)"),
        (",FITC-A,PEE-A\nFITC-A,1,0\nPEE-A,0,1\n", "(did you mean 'PE-A'?)"),
    ],
)
def test_wrong_matrices_end_in_one_line(tmp_path, text, words):
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8")
    header = read_header(write_flow(tmp_path / "a.fcs", stained(50)))
    with pytest.raises(UserError) as told:
        read_spillover(path, header)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_two_dump_channels_are_told(tmp_path):
    path = write_flow(tmp_path / "a.fcs", stained() @ MATRIX)
    rows = (("FITC-A", "CD3_CD19", "dump", "", "no"), ("PE-A", "Lin", "lineage", "", "no"), PANEL[2])
    out, _ = prepared(tmp_path, path, rows)
    with pytest.raises(UserError, match="2 channels that are read as Lineage"):
        make_panel(
            files={"s": out}, panel=tmp_path / "panel.tsv", output=tmp_path / "p.tsv",
            cofactors=tmp_path / "c.parquet", seed=1,
        )  # fmt: skip
