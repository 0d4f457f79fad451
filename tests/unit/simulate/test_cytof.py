from functools import cache

import numpy as np
import pytest

from cimlnk.common.tables import read_table
from cimlnk.simulate import design
from cimlnk.simulate.composition import POPULATIONS, content
from cimlnk.simulate.cytof import simulate_cytof, simulate_sample
from cimlnk.simulate.fcs import write_fcs
from cimlnk.simulate.proteins import BEAD_LEVEL, KINDS, KIR, MARKERS, panel
from cimlnk.simulate.repertoire import repertoire
from cimlnk.simulate.tables import CELLS_CYTOF


@cache
def drawn(sample_id, size="tiny"):
    return simulate_sample(size, 1, design.sample(size, 1, sample_id))


def scaled(sample_id, size="tiny"):
    events, truth = drawn(sample_id, size)
    return np.arcsinh(events / 5), truth


def test_truth_counts_are_the_contents():
    for sample_id in ("P1_pre_cytof", "P1_product_cytof"):
        held = content("tiny", 1, design.sample("tiny", 1, sample_id))
        events, truth = drawn(sample_id)
        assert len(events) == len(truth) == held.total
        counts = truth["class"].value_counts()
        expected = {c: held.of_class(c) for c in set(KINDS.values())}
        expected |= {"NK": held.n_nk, "doublet": held.doublets, "dead": held.dead, "debris": held.debris,
                     "bead": held.beads}  # fmt: skip
        assert counts.to_dict() == {k: v for k, v in expected.items() if v}
        named = truth.loc[truth["class"] == "NK", "population"].value_counts()
        assert [named.get(p, 0) for p in POPULATIONS] == held.nk.tolist()
        assert (truth.loc[truth["class"] != "NK", "population"] == "").all()


def test_zeros_are_spread_below_zero_in_one_run_and_exact_in_the_next():
    events, truth = drawn("P1_pre_cytof")  # day1
    unused = events["131Xe"].to_numpy()
    assert -1 <= unused.min() and (unused <= 0).mean() > 0.5
    zeros = unused[unused <= 0]
    # Uniform over (-1, 0]: mean -0.5, standard error 0.29 / sqrt(1000) < 0.01.
    assert len(zeros) > 1000 and zeros.mean() == pytest.approx(-0.5, abs=0.04)
    whole, _ = drawn("P2_pre_cytof")  # day2
    assert (whole[list(MARKERS)] == np.round(whole[list(MARKERS)])).all().all() and (whole["131Xe"] == 0).mean() > 0.5


def test_beads_are_bright_in_five_channels_and_have_no_dna():
    events, truth = scaled("P1_pre_cytof")
    bead = (truth["class"] == "bead").to_numpy()
    for name, level in BEAD_LEVEL.items():
        assert events.loc[bead, name].median() == pytest.approx(np.arcsinh(level / 5), abs=0.25)
        assert events.loc[~bead, name].quantile(0.99) < 1.0
    assert events.loc[bead, "DNA1"].max() < 2 and (events.loc[bead, list(MARKERS)].median() < 0.2).all()


def test_classes_can_be_told_apart_where_they_should():
    events, truth = scaled("P1_pre_cytof", "demo")
    median = events.groupby(truth["class"]).median()
    kind = events.groupby(truth["kind"]).median()
    assert median.loc["T", "CD3"] > 3.5 and median.loc["NK", "CD3"] < 1.5 < median.loc["NK", "CD56"]
    assert median.loc["B", "CD19"] > 2.5 and kind.loc["monocyte", "CD14"] > 2.5
    assert median.loc["dead", "Viability"] - median.loc["NK", "Viability"] > 3
    # What is hard in life is hard here: T cells with CD56, monocytes and granulocytes with CD16, DC without CD14.
    assert kind.loc["CD56_T", "CD56"] > 2 and kind.loc["nonclassical", "CD16"] > 2.5 and kind.loc["cDC", "CD14"] < 1.5
    # A doublet has twice the DNA: asinh(2x) - asinh(x) is log 2 at high counts.
    assert median.loc["doublet", "DNA1"] - median.loc["NK", "DNA1"] == pytest.approx(np.log(2), abs=0.1)
    raw, _ = drawn("P1_pre_cytof", "demo")
    length = raw["Event_length"].groupby(truth["class"]).median()
    assert length["doublet"] > length["NK"] + 5


def test_activated_product_and_proliferation():
    product, truth = scaled("P1_product_cytof", "demo")
    before, truth_before = scaled("P1_pre_cytof", "demo")
    week, truth_week = scaled("P1_D7_cytof", "demo")
    nk = [t[t["class"] == "NK"].index for t in (truth, truth_before, truth_week)]
    for marker in ("CD25", "CD69"):
        assert product.loc[nk[0], marker].median() > before.loc[nk[1], marker].median() + 1.5
    assert product.loc[nk[0], "CD16"].median() < before.loc[nk[1], "CD16"].median() - 1
    cycling = [(t.loc[i, "Ki-67"] > 2.5).mean() for t, i in ((week, nk[2]), (before, nk[1]))]
    assert cycling[0] > 0.4 > 0.15 > cycling[1]


def test_kir_repertoire_is_the_donors_and_lasts():
    shares = {}
    for patient in ("P1", "P2", "P3", "P4"):
        for timepoint in ("pre", "D100"):
            events, truth = scaled(f"{patient}_{timepoint}_cytof", "demo")
            cells = (truth["population"] == "CD56dim_KIR").to_numpy()
            shares[patient, timepoint] = (events.loc[cells, list(KIR)] > 1.5).mean().to_numpy()
    # Share of KIR+ cells by gene: the sampling error is below 8 points at 100 cells, donors differ more.
    for patient in ("P1", "P2", "P3", "P4"):
        assert np.abs(shares[patient, "pre"] - shares[patient, "D100"]).max() < 0.2
    between = [np.abs(shares["P1", "pre"] - shares[p, "pre"]).max() for p in ("P2", "P3", "P4")]
    assert max(between) > 0.2
    for patient in design.patients("demo", 1):
        donor = repertoire(1, patient)
        assert donor.kir_genes.any() and ((donor.kir_frequency > 0) == donor.kir_genes).all()


def test_sensitivity_falls_over_the_day_for_beads_and_cells_alike():
    runs = [s for s in design.samples("demo", 1) if s.modality == "cytof" and s.batch == "day1"]
    first, last = min(runs, key=lambda s: s.run_position), max(runs, key=lambda s: s.run_position)
    ratio = {}
    for channel, kind in (("Bead175", "bead"), ("DNA1", "T")):
        values = []
        for run in (first, last):
            events, truth = drawn(run.id, "demo")
            values.append(events.loc[(truth["class"] == kind).to_numpy(), channel].median())
        ratio[kind] = values[1] / values[0]
    # 16 % over the day; medians of tens of beads (cv 5 %) and thousands of cells (cv 15 %) are within 3 points.
    assert ratio["bead"] == pytest.approx(0.84, abs=0.03)
    assert ratio["T"] == pytest.approx(ratio["bead"], abs=0.03)


def test_file_is_read_back_by_an_independent_reader(tmp_path):
    flowio = pytest.importorskip("flowio")
    for sample in (s for s in design.samples("tiny", 1)[:5]):
        fcs, truth = tmp_path / f"{sample.id}.fcs", tmp_path / f"{sample.id}.parquet"
        simulate_cytof("tiny", 1, sample.id, fcs=fcs, truth=truth)
        data = flowio.FlowData(str(fcs))
        events, _ = drawn(sample.id)
        assert np.array_equal(
            np.asarray(data.events, dtype=np.float32).reshape(data.event_count, -1), events.to_numpy()
        )
        assert data.text["byteord"] == ("4,3,2,1" if sample.big_endian else "1,2,3,4")
        sheet = panel()
        differing = [a for a, b in zip(data.pnn_labels, sheet["channel"], strict=True) if a != b]
        assert differing == (["(Nd145)Di"] if sample.renamed_channel else [])
        assert "145Nd_CD56" in data.pns_labels
        cells = read_table(truth, CELLS_CYTOF)
        assert cells["cell"].tolist() == [f"{sample.id}:{i}" for i in range(data.event_count)]


def test_same_seed_same_bytes_whatever_was_written_before(tmp_path):
    def write(name, sample_id, seed=1):
        simulate_cytof("tiny", seed, sample_id, fcs=tmp_path / name, truth=tmp_path / "truth.parquet")
        return (tmp_path / name).read_bytes(), (tmp_path / "truth.parquet").read_bytes()

    alone = write("a.fcs", "P2_D7_cytof")
    write("other.fcs", "P3_pre_cytof")
    again = write("a.fcs", "P2_D7_cytof")
    assert alone == again
    assert write("a.fcs", "P2_D7_cytof", seed=2) != alone


def test_writer_keeps_delimiters_and_counts_offsets(tmp_path):
    flowio = pytest.importorskip("flowio")
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_fcs(tmp_path / "a.fcs", table, ["A", "B", "C"], long_names=["a", "b", "c"], keywords={"$OP": "x|y"})
    data = flowio.FlowData(str(tmp_path / "a.fcs"))
    assert np.array_equal(np.reshape(data.events, (4, 3)), table)
    head = (tmp_path / "a.fcs").read_bytes()
    begin, end = int(head[26:34]), int(head[34:42])
    assert np.array_equal(np.frombuffer(head[begin : end + 1], "<f4"), table.ravel())
    assert b"x||y" in head
    with pytest.raises(ValueError, match="3 channels but 2 names"):
        write_fcs(tmp_path / "b.fcs", table, ["A", "B"], long_names=["a", "b", "c"])
