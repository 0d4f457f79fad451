"""Drafts: what names, tables and files say is taken, what nobody says is marked, and nothing is overwritten."""

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.cohort.config import resolve
from cimlnk.cohort.sheets import load_cohort
from cimlnk.common.errors import UserError, UserErrors
from cimlnk.cytof.fcs import write_fcs
from cimlnk.front.draft import main, make_draft, write_draft
from cimlnk.front.guess_samples import guess_samples
from cimlnk.front.scale import guess_scale
from cimlnk.front.words_of_names import day_of, parse_date, tokens
from cimlnk.rna.folder import find_files
from lab import make_lab


def drafted(*names, **more):
    return guess_samples({n: (n, "cytof") for n in names}, **more).set_index("sample")


def test_names_say_patients_days_and_runs():
    table = drafted("P1_pre_run1.fcs", "P1_D28_run2.fcs", "P2_pre_run1.fcs", "P2_product_run2.fcs")
    assert list(table["patient"]) == ["P1", "P1", "P2", "P2"]
    assert list(table["timepoint"]) == ["pre", "D28", "pre", "product"]
    assert list(table["day"])[:3] == [-1, 28, -1]
    assert list(table["tissue_or_product"]) == ["blood"] * 3 + ["product"]
    assert list(table["batch"]) == ["run1", "run2", "run1", "run2"]


def test_a_word_and_its_number_are_one_and_the_rest_is_the_run():
    names = [f"Gates_PTLG{r}_Unstim_Control_{v}.fcs" for r in ("021", "026", "028") for v in (1, 2)]
    table = drafted(*names)
    assert set(table["patient"]) == {"Control1", "Control2"} and table["batch"].nunique() == 3
    assert tokens("PBMC8_30min_patient_1_BCR-XL") == ["PBMC8", "30min", "patient1", "BCR-XL"]


def test_days_of_german_names_and_of_names_with_blanks_are_read():
    names = ["P1 Tag -7", "P1 Tag 7", "P1 D+28", "P2 prä", "P2 Tag 7", "P2 Day 28 (Kopie)", "P2 Month 3"]
    table = drafted(*(f"{n}.fcs" for n in names))
    assert list(table["day"]) == [-7, 7, 28, -1, 7, 28, 90]
    assert list(table["patient"]) == ["P1"] * 3 + ["P2"] * 4
    assert list(drafted("P1 pra\u0308.fcs", "P1 Tag 7.fcs")["day"]) == [-1, 7], "as macOS spells it"


def test_what_all_names_say_is_read_as_what_one_name_says():
    table = drafted("P1_D100_batch3.fcs", "P2_D100_batch3.fcs")
    assert list(table["patient"]) == ["P1", "P2"] and set(table["batch"]) == {"batch3"}
    assert set(table["timepoint"]) == {"D100"} and set(table["day"]) == {100}
    products = drafted("P1_product_x.fcs", "P2_product_x.fcs")
    assert set(products["tissue_or_product"]) == {"product"}
    # another word of the kind tells the files apart: what all have is then something else
    assert set(drafted("data5_P1_run1.fcs", "data5_P2_run2.fcs")["batch"]) == {"run1", "run2"}
    # so do a free word and the days of acquisition, which go before what all have
    free = drafted(*(f"exp1_P{i}_{plate}.fcs" for i, plate in enumerate(("left", "left", "right", "right"))))
    assert list(free["batch"]) == ["left", "left", "right", "right"]
    days = {"exp1_P1.fcs": date(2020, 1, 1), "exp1_P2.fcs": date(2020, 1, 2)}
    assert list(drafted(*days, dates=days)["batch"]) == ["2020-01-01", "2020-01-02"]
    assert set(drafted(*days, dates=dict.fromkeys(days, date(2020, 1, 1)))["batch"]) == {"exp1"}
    later = drafted("Gates_PTLG034_Unstim_Control_1.fcs", "Gates_PTLG034_Unstim_Control_2.fcs")
    assert later["?"].str.contains("batch: nothing says so (all names hold PTLG034: a run?)", regex=False).all()


def test_a_chance_hit_in_one_name_does_not_tell_the_patients():
    table = drafted("INF071_Ctrl_x.fcs", "INF149_Ctrl_x.fcs", "INF179_Ctrl_x.fcs", "ND050_15_Ctrl_x.fcs")
    assert list(table["patient"]) == ["INF071", "INF149", "INF179", "ND050"]


def test_a_table_goes_before_names_and_conditions_become_time_points():
    described = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "b"],
            "condition": ["stim", "Ref", "stim", "Ref"],
            "group": ["x", "x", "y", "y"],
        },
        index=["f1.fcs", "f2.fcs", "f3.fcs", "f4.fcs"],
    )
    table = drafted("f1.fcs", "f2.fcs", "f3.fcs", "f4.fcs", described=described, table="meta.csv")
    assert list(table["patient"]) == ["a", "a", "b", "b"] and list(table["arm"]) == ["x", "x", "y", "y"]
    assert list(table["timepoint"]) == ["stim", "Ref", "stim", "Ref"] and list(table["day"]) == [1, 0, 1, 0]
    assert table["?"].str.contains("patient: column patient_id of meta.csv").all()


def test_a_table_of_a_repository_is_read_by_its_own_words_and_units():
    described = pd.DataFrame(
        {
            "Subject Accession": ["SUB1", "SUB1", "SUB2"],
            "Biosample Type": ["PBMC", "Whole blood", "Bone marrow"],
            "Study Time Collected": ["-7", "4", "0.5"],
            "Study Time Collected Unit": ["Days", "Weeks", "Days"],
            "Planned Visit Name": ["screen", "week 4", "day 0"],
            "Arm Name": ["low", "low", "high"],
        },
        index=["a.fcs", "b.fcs", "c.fcs"],
    )
    table = drafted("a.fcs", "b.fcs", "c.fcs", described=described, table="files.txt")
    assert list(table["patient"]) == ["SUB1", "SUB1", "SUB2"] and list(table["arm"]) == ["low", "low", "high"]
    assert list(table["day"]) == [-7, 28, 0] and list(table["timepoint"]) == ["screen", "week 4", "day 0"]
    assert table["?"].str.contains("day: column Study Time Collected of files.txt").all()
    assert not table["?"].str.contains("by the time point's name").any()
    assert "Bone marrow is neither blood, product nor donor" in table["?"].iloc[2]
    of_one = described.head(2).assign(**{"Study Time Collected Unit": "visits"})
    table = drafted("a.fcs", "b.fcs", described=of_one, table="files.txt")
    assert set(table["patient"]) == {"SUB1"}, "a patient that is the same everywhere is one"
    assert list(table["day"]) == [-1, 28], "a unit that is none: the visits' names say the days"


def test_tables_and_columns_that_were_not_used_are_listed(tmp_path):
    rng = np.random.default_rng(0)
    for day in (0, 4):
        write_fcs(tmp_path / f"p1_{day}.fcs", rng.exponential(40, (50, 4)).astype(np.float32),
                  ["Yb173Di", "Er170Di", "Nd142Di", "Gd160Di"], markers=["CD56", "CD3", "CD19", "CD14"])  # fmt: skip
    (tmp_path / "files.tsv").write_text("file\tday\tweight\np1_0.fcs\t0\t61\np1_4.fcs\t4\t60\n")
    (tmp_path / "wide.tsv").write_text("file\ta\tb\tc\np1_0.fcs\t1\t2\t3\np1_4.fcs\t4\t5\t6\n")
    (tmp_path / "doses.csv").write_text("drug,dose\nIL2,3\n")
    draft = make_draft(tmp_path, "mine")
    assert list(draft.samples["day"]) == [0, 4], "the table with columns that are read goes before the wide one"
    said = "\n".join(draft.notes)
    assert "files.tsv: not read of it: weight" in said and "doses.csv, wide.tsv" in said


def test_samples_whose_three_files_lie_in_one_folder_get_folders_of_links(tmp_path):
    folder = tmp_path / "GSE1"
    folder.mkdir()
    for start in ("GSM1_P1_pre", "GSM2_P1_D28"):
        (folder / f"{start}_barcodes.tsv.gz").write_bytes(gzip.compress(b"AAAC-1\nAAAG-1\n"))
        (folder / f"{start}_features.tsv.gz").write_bytes(gzip.compress(b"ENSG1\tCD3E\tGene Expression\n"))
        (folder / f"{start}_matrix.mtx.gz").write_bytes(gzip.compress(b"%%MatrixMarket\n1 2 1\n1 1 1\n"))
    (folder / "more.tar").write_bytes(b"")
    draft = make_draft(folder, "mine")
    assert list(draft.samples["patient"]) == ["P1", "P1"] and list(draft.samples["timepoint"]) == ["pre", "D28"]
    assert any("more.tar" in note for note in draft.notes)
    write_draft(draft, tmp_path)
    sheet = pd.read_csv(tmp_path / "config/samples/mine.tsv", sep="\t", comment="#").set_index("sample")
    files, _ = find_files(Path(sheet.loc["GSM2_P1_D28", "path"]))
    assert files.matrix.resolve() == (folder / "GSM2_P1_D28_matrix.mtx.gz").resolve()
    with pytest.raises(UserErrors, match="it is there already"):
        write_draft(draft, tmp_path)


def test_what_is_packed_is_named_and_like_faults_are_told_once(tmp_path):
    (tmp_path / "GSE1_RAW.tar").write_bytes(b"")
    with pytest.raises(UserError, match="GSE1_RAW.tar must be unpacked first"):
        make_draft(tmp_path, "mine")
    for i in range(5):
        (tmp_path / f"{i}.fcs").write_bytes(b"nothing of the kind" * 20)
    with pytest.raises(UserError, match="0.fcs, 1.fcs, 2.fcs and 2 more"):
        make_draft(tmp_path, "mine")


def test_markers_in_place_of_dyes_are_the_markers(tmp_path):
    rng = np.random.default_rng(0)
    names = ["FSC-A", "CD56", "CD3", "CD16", "CD14"]
    write_fcs(tmp_path / "x.fcs", rng.exponential(900, (50, 5)).astype(np.float32), names,
              markers=["", "PE YG-A", "APC-Cy7-A", "APC-A", "Pacific Blue-A"])  # fmt: skip
    panel = make_draft(tmp_path, "mine").panel.set_index("channel")
    assert list(panel["marker"]) == names and panel.loc["CD56", "role"] == "identity"


def test_what_nobody_says_is_marked():
    (row,) = drafted("raw.fcs").to_dict("records")
    assert row["patient"] == "p1" and "patient: nothing says so" in row["?"] and "day: nothing says so" in row["?"]
    table = drafted("day0.fcs", "day5.fcs")
    assert set(table["patient"]) == {"unknown"} and list(table["day"]) == [0, 5]
    dates = {"x1.fcs": date(2016, 7, 5), "x2.fcs": date(2016, 7, 9)}
    assert list(drafted("x1.fcs", "x2.fcs", dates=dates)["batch"]) == ["2016-07-05", "2016-07-09"]


def test_days_and_dates_as_people_write_them():
    assert [day_of(w) for w in ("D28", "day-7", "week4", "1mo", "pre", "36h", "x")] == [28, -7, 28, 30, -1, 1, None]
    assert parse_date("05-Jul-2016") == date(2016, 7, 5) and parse_date("X") is None and parse_date(None) is None


@pytest.mark.parametrize(
    ("values", "name"),
    [([[0, 4000], [3, 9]], "raw"), ([[-40, 900]], "compensated"), ([[0, 7.5]], "arcsinh"), ([[0, 1.2]], "scaled")],
)
def test_the_scale_is_told_by_the_values(values, name):
    import numpy as np

    assert guess_scale(np.array(values, float), ["Yb173Di", "Er170Di", "Ir191Di"], {}).name == name
    assert guess_scale(np.zeros((0, 2)), ["PE-A", "FSC-A"], {}).cofactor == 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_lab(tmp_path_factory.mktemp("lab") / "lab").base / "raw"


def test_a_drafted_cohort_passes_the_checks_as_it_stands(folder, tmp_path, monkeypatch):
    draft = make_draft(folder, "mine")
    written = write_draft(draft, tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in written] == [
        "config/mine.yaml", "config/samples/mine.tsv", "config/panels/mine.tsv",
    ]  # fmt: skip
    cfg = resolve(yaml.safe_load((tmp_path / "config/mine.yaml").read_text()), tmp_path)
    cohort = load_cohort(cfg, tmp_path)
    assert len(cohort.samples) == len(draft.samples) and "?" not in cohort.samples
    assert {"cytof", "rna"} <= set(cohort.samples["modality"]) and len(cohort.panel) == len(draft.panel)


def test_one_channel_in_several_spellings_is_one_row_and_swapped_names_are_read(tmp_path):
    """As in two public sets: metals in $PnS beside markers in $PnN, and capitals that come and go."""
    values = np.ones((50, 5), np.float32)
    metals = ["", "145Nd", "170Er", "174Yb", "191Ir"]
    write_fcs(tmp_path / "a_d0.fcs", values, ["Time", "CD56", "CD3", "HLA-DR", "DNA1"], markers=metals)
    write_fcs(tmp_path / "a_d7.fcs", values[:, :3], ["cd56", "cd3", "hla-dr"], markers=["", "", ""])
    panel = make_draft(tmp_path, "mine").panel
    assert panel["marker"].tolist() == ["Time", "CD56", "CD3", "HLA-DR", "DNA1"]
    assert panel["role"].tolist() == ["time", "identity", "lineage", "activation", "dna"]
    assert (panel["?"].str.contains("no such channel") == [True, False, False, False, True]).all()


def test_nothing_is_overwritten_and_nothing_half_written(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/mine.tsv").write_text("precious")
    assert main([str(folder), "--id", "mine"]) == 1
    assert "it is there already" in capsys.readouterr().err
    assert (tmp_path / "config/samples/mine.tsv").read_text() == "precious"
    assert not (tmp_path / "config/mine.yaml").exists()
    assert main([str(folder), "--id", "other"]) == 0
    assert "next: look at what is marked ?" in capsys.readouterr().out


def test_a_folder_without_data_is_told(tmp_path):
    with pytest.raises(UserError, match="FCS files, 10x folders"):
        make_draft(tmp_path)
    with pytest.raises(UserError, match="a folder with data files"):
        make_draft(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["my set", "-x", "a/b", "x" * 61, ""])
def test_an_id_that_a_config_would_refuse_is_refused_first(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["--id=" + name, str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "command line: --id: found" in said and "letters, digits" in said
    assert not (tmp_path / "config").exists()


def test_one_of_a_thing_is_said_in_the_singular(tmp_path, monkeypatch, capsys):
    (tmp_path / "raw").mkdir()
    values = np.ones((400, 2), np.float32)
    write_fcs(tmp_path / "raw/P1_pre.fcs", values, ["Nd142Di", "Yb176Di"], markers=["CD19", "CD56"])
    monkeypatch.chdir(tmp_path)
    assert main([str(tmp_path / "raw")]) == 0
    said = capsys.readouterr().out
    assert "1 file, 1 patient, time points" in said and "1 batch" in said and "(1 row)" in said
    assert "1 files" not in said and "1 rows" not in said
