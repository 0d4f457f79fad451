"""The check: a cohort that would run passes, one that would not says why, and nothing is run."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import match_panel
from cimlnk.front import check_panel
from cimlnk.front.check import check_config, main
from cimlnk.front.check_console import report, table_lines
from cimlnk.front.check_design import (
    detectable,
    look_at_design,
    look_at_marks,
    look_at_repeats,
    smallest_p,
    who_when,
)
from cimlnk.front.check_events import Events
from cimlnk.front.check_files import Refused, _antibodies, look_at_events, look_at_rna
from cimlnk.front.check_panel import lineage_markers, odd_cofactors, try_gates
from cimlnk.front.check_preparation import look_at_preparation
from cimlnk.front.check_sheets import look_at_antibodies
from cimlnk.front.draft import make_draft, write_draft
from cimlnk.front.findings import NOTE, STOP, WARN, Findings
from cimlnk.rna.counts import AntibodyCounts
from lab import ROOT, Lab, make_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return make_lab(tmp_path_factory.mktemp("lab") / "lab")


def test_a_sound_cohort_would_run_and_its_page_is_written(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(lab.base / "lab.yaml")]) == 0
    out = capsys.readouterr().out
    assert "a run would finish; 0 to mend" in out and "CD56bright" in out and "not_t" in out
    assert len(out.splitlines()) < 60
    page = next(tmp_path.glob("results/*/check/index.html")).read_text()
    assert re.search("A run would finish. It is of [0-9]+ files of [0-9]+ patients, ", page)
    assert "Who was sampled when" in page and "Who was sampled when" not in out
    assert "Gates tried" in page and "Every number here" not in page
    assert out.splitlines()[-1].startswith("next: ./run --configfile ")
    assert "Gates tried on a few files" in page
    pictures = list(tmp_path.glob("results/*/check/gates/*.png"))
    assert pictures and all(p.read_bytes()[:4] == b"\x89PNG" and f"gates/{p.name}" in page for p in pictures)


def test_a_console_has_no_empty_columns_and_no_text_is_cut_off():
    why = (
        "no second peak in this sample nor in its batch, whose cut is taken; no positive peak: cut beyond the negative"
    )
    table = pd.DataFrame({"gate": ["live", "nk"], "on": [0, 12], "date": ["", ""], "why": [why, ""]})
    lines = table_lines(table, 80)
    assert lines[0] == "gate  on  why" and lines[-1] == "nk    12"
    assert " ".join(" ".join(lines[1:-1]).split()) == f"live 0 {why}"
    assert max(map(len, lines)) <= 80
    assert table_lines(table.drop(columns="why"), 80) == ["gate  on", "live   0", "nk    12"]
    assert table_lines(pd.DataFrame({"date": [""]}), 80) == []
    findings = Findings(tables={"Files": pd.DataFrame({"sample": list("abc"), "n": [1, 2, 3], "note": "odd"})})
    assert "  in every row: note odd" in report("x", findings) and "Files (3):" in report("x", findings)


def test_the_sheet_is_told_as_it_was_understood():
    rows = [("p1", "A", 0, "pre", "blood"), ("p1", "A", 7, "D7", "blood"), ("p1", "A", 0, "pre", "product"),
            ("p2", "B", -1, "pre", "blood"), ("p2", "B", 7, "D7", "blood")]  # fmt: skip
    samples = pd.DataFrame(rows, columns=["patient", "arm", "day", "timepoint", "tissue_or_product"])
    samples = samples.assign(sample=list("abcde"), modality="cytof", batch="run1")
    findings = Findings()
    who_when(samples, findings)
    assert findings.summary == "5 files of 2 patients, 2 arms (A 1 and B 1), 2 time points (pre and D7), 1 batch"
    table = findings.tables["Who was sampled when"]
    assert list(table.columns) == ["patient", "arm", "pre (days -1 to 0)", "D7"]
    assert table.loc[0, "pre (days -1 to 0)"] == "cytof, cytof of product" and table.loc[1, "D7"] == "cytof"


def test_mistakes_of_a_sheet_stop_it_and_the_files_are_looked_at_all_the_same(lab, tmp_path):
    broken = lab.copy(tmp_path / "lab")
    broken.replace("samples.tsv", "\tcytof\t", "\tcytoff\t")
    _, findings = check_config(broken.base / "lab.yaml")
    assert findings.stops and any("cytoff" in text for text in findings.of(STOP))
    assert len(findings.tables["Mass cytometry files"]) == 3


def test_scaled_values_without_lineage_markers_or_donor_say_why_they_cannot_be_run(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    (tmp_path / "raw").mkdir()
    for day in range(2):
        values = rng.random((400, 4), np.float32)
        write_fcs(tmp_path / f"raw/day{day}.fcs", values, ["GLUT1", "HK2", "LDHA", "CytC"], markers=["", "", "", ""])
    write_draft(make_draft(tmp_path / "raw", "scaled"), tmp_path)
    _, findings = check_config(tmp_path / "config/scaled.yaml", tmp_path)
    stops, warns = "\n".join(findings.of(STOP)), "\n".join(findings.of(WARN))
    assert "no lineage marker" in stops and "scaled to about 0-1" in warns and "patient 'unknown'" in warns
    assert any("unconfirmed guesses" in text for text in findings.of(NOTE))


def test_a_wrong_scale_in_the_config_is_told_before_a_run(lab, tmp_path):
    other = lab.copy(tmp_path / "lab")
    other.configure(cytof={"input_scale": "arcsinh"})
    _, findings = check_config(other.base / "lab.yaml")
    assert "none of 4 FCS files can be used" in findings.of(STOP)


def test_hashtags_that_nobody_called_are_told_with_the_way_and_calls_are_counted(tmp_path):
    tags = AntibodyCounts(sp.csr_matrix((3, 3)), np.array(["CD56", "Hashtag1", "Hashtag2"], object))
    counts = SimpleNamespace(antibodies=tags)
    findings = Findings()
    _antibodies(counts, "pool", findings, told=False)
    (warned,) = findings.of(WARN)
    assert "2 hashtags (Hashtag1, Hashtag2)" in warned and "rna.antibodies" in warned
    _antibodies(counts, "mine", findings, told=True)
    assert len(findings.of(WARN)) == 1
    cells = ["AAAACCCCGGGG-1", "AAAATTTTGGGG-1", "CCCCTTTTGGGG-1"]
    path = tmp_path / "calls.csv"
    path.write_text("barcode,hashtag\n" + "\n".join(f"{c},H{1 + (i > 1)}" for i, c in enumerate(cells)))
    given = {s: {"hashtags": str(path), "hashtag": h} for s, h in (("a", "H1"), ("b", "H2"), ("c", "H3"))}
    look_at_antibodies(given, dict.fromkeys("abc", cells), findings)
    assert findings.tables["Samples within one file"]["cells"].tolist() == [2, 1]
    assert "c would be left out" in findings.of(WARN)[-1] and "'H3'" in findings.of(WARN)[-1]


def test_the_design_is_judged_for_baselines_and_power():
    samples = pd.DataFrame(
        {"sample": list("abcde"), "patient": ["p1", "p1", "p2", "p2", "p3"], "day": [-1, 7, -1, 7, 7],
         "timepoint": ["pre", "D7", "pre", "D7", "D7"], "arm": "x", "modality": "cytof", "batch": "b",
         "tissue_or_product": "blood"}
    )  # fmt: skip
    findings = Findings()
    look_at_design(pd.concat([samples, samples.tail(1).assign(sample="f", day=9, timepoint="D9")]), "pre", findings)
    table = findings.tables["What the number of patients allows"]
    assert table.loc[0, "with baseline and later"] == 2 and table.loc[0, "smallest p"] == 0.5
    assert smallest_p(6) == 0.03125 and np.isnan(smallest_p(0))


def test_one_time_point_is_said_to_tell_no_change():
    rows = [(f"s{i}", f"p{i}", 28, "D28", "CIML", "blood", "cytof", "one") for i in range(4)]
    columns = ["sample", "patient", "day", "timepoint", "arm", "tissue_or_product", "modality", "batch"]
    findings = Findings()
    look_at_design(pd.DataFrame(rows, columns=columns), "pre", findings)
    assert any("one time point (D28): no change can be determined" in text for text in findings.of(WARN))
    said = findings.tables["What the number of patients allows"].loc[0, "found with 80 % power"]
    assert said == "nothing: no patient has a baseline and a later day"


def test_power_agrees_with_the_textbook():
    # paired t, n = 6, power .8, alpha .05: 1.4 SD (Cohen 1988 and every calculator)
    assert detectable(6).startswith("1.4 SD") and detectable(34).startswith("0.5 SD") and "too few" in detectable(2)


def test_a_config_that_is_not_there_or_no_yaml_is_one_message(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("a: [b")
    assert main(["mine.yml"]) == 1 and main(["mine.yaml"]) == 1
    err = capsys.readouterr().err
    assert "did you mean 'mine.yaml'" in err and "expected valid YAML" in err and "Traceback" not in err
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"cohort": {"id": "x", "samples": "none.tsv"}}))
    assert main(["mine.yaml"]) == 1


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Sheets that are sound, of files that a run would simulate."""
    base = tmp_path_factory.mktemp("bare") / "lab"
    base.mkdir()
    config = yaml.safe_load((ROOT / "config/tiny.yaml").read_text(encoding="utf-8"))
    for sheet in ("samples", "counts", "patients"):
        shutil.copy(ROOT / config["cohort"][sheet], base / f"{sheet}.tsv")
        config["cohort"][sheet] = str(base / f"{sheet}.tsv")
    (base / "lab.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return Lab(base)


def workbook(text):
    from openpyxl import Workbook

    book = Workbook()
    for row in text.splitlines():
        book.active.append(row.split("\t"))
    return book


@pytest.mark.parametrize("mistake", ["header", "short row", "twice", "header only", "binary"])
def test_a_sheet_that_is_none_is_one_message_and_no_traceback(bare, tmp_path, monkeypatch, capsys, mistake):
    lab = bare.copy(tmp_path / "lab")
    path = lab.base / "samples.tsv"
    header, first, *rest = path.read_text(encoding="utf-8").splitlines()
    new = {
        "header": [header.replace("patient", "patiend"), first, *rest],
        "short row": [header, "\t".join(first.split("\t")[:4]), *rest],
        "twice": [header.replace("batch", "day"), first, *rest],
        "header only": [header],
        "binary": ["\x00\x01\x02"],
    }[mistake]
    path.write_text("\n".join(new) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main([str(lab.base / "lab.yaml")]) == 1
    said = capsys.readouterr().out
    words = {"header": "did you mean 'patient'", "short row": "4 fields", "twice": "every column name once",
             "header only": "no rows below the header", "binary": "binary data"}  # fmt: skip
    assert words[mistake] in said and "a run would not finish" in said


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "xlsx"])
def test_guesses_are_counted_in_every_sheet_that_a_run_reads(tmp_path, encoding):
    text = "sample\tpatient\t?\nmüller\tp1\tpatient: the name\nb\tp2\t\nc\tp3\n"
    if encoding == "xlsx":
        workbook(text).save(tmp_path / "samples.xlsx")
        (tmp_path / "samples.xlsx").rename(tmp_path / "samples.tsv")
    else:
        (tmp_path / "samples.tsv").write_bytes(text.encode(encoding))
    findings = Findings()
    look_at_marks({"samples": "samples.tsv"}, tmp_path, findings)
    assert findings.of(NOTE) == ["samples.tsv: unconfirmed guesses in 1 row (column ?)"]


def test_what_a_run_warns_of_or_refuses_before_its_first_job_is_said(bare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab = bare.copy(tmp_path / "lab")
    row = next(r for r in (lab.base / "counts.tsv").read_text().splitlines() if r.startswith("P1\t"))
    lab.replace("counts.tsv", row + "\n", "")
    lab.configure(
        dynamics={"tests": {"formula": "arm * timepoint + cmw"}, "state": {"reference_arm": "IL2"}},
        claims={"arms": {"treated": "CIMI"}},
    )
    _, findings = check_config(lab.base / "lab.yaml")
    stops, warns = "\n".join(findings.of(STOP)), "\n".join(findings.of(WARN))
    assert "dynamics.tests.formula: found 'cmw'" in stops and "lab.yaml: line" in stops
    assert "has no count of patient" in warns
    assert "claims.arms.treated: found 'CIMI'" in warns and "did you mean 'CIML'" in warns
    assert "dynamics.state.reference_arm: found 'IL2'" in warns and "did you mean 'IL2_only'" in warns
    assert "claims.arms.nonpersister" not in warns  # no key of the user's
    lab.configure(dynamics={"tests": {"formula": "auto"}}, cytof={"gates": str(lab.base / "counts.tsv")})
    _, findings = check_config(lab.base / "lab.yaml")
    assert findings.stops


def test_a_word_the_panel_does_not_allow_is_one_message(bare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab = bare.copy(tmp_path / "lab")
    sheet = (ROOT / "resources/panels/synthetic.tsv").read_text(encoding="utf-8").splitlines()
    row = next(i for i, line in enumerate(sheet) if line.endswith("\tyes"))
    sheet[row] = sheet[row].removesuffix("yes") + "x"
    (lab.base / "panel.tsv").write_text("\n".join(sheet) + "\n", encoding="utf-8")
    lab.configure(cohort={"panel": str(lab.base / "panel.tsv")})
    _, findings = check_config(lab.base / "lab.yaml")
    assert len(findings.of(STOP)) == 1
    assert f"panel.tsv: row {row + 1}, column cluster: found 'x'" in findings.of(STOP)[0]


@pytest.mark.parametrize(
    ("markers", "words"),
    [
        (["CD3", "CD19", "CD56"], None),
        (["CD19", "CD56"], "cannot be distinguished"),
        (["CD4", "CD8a", "CD19", "CD56"], "known by CD4 and CD8a alone"),
    ],
)
def test_a_panel_without_cd3_is_told_whatever_else_marks_t_cells(markers, words):
    findings = Findings()
    lineage_markers(pd.DataFrame({"marker": markers, "role": "lineage"}), "CD56", findings)
    assert ("no CD3" in " ".join(findings.of(WARN))) == (words is not None) and not findings.stops
    assert words is None or words in findings.of(WARN)[0]


@pytest.mark.parametrize(
    ("modality", "cofactors", "words"),
    [
        ("cytof", [5.0, 5.0, 5.0], None),
        ("cytof", [5.0, 150.0, 150.0], "cofactor 150 of CD19, CD56 is as in flow"),
        ("flow", [float("nan"), 900.0, float("nan")], None),
        ("flow", [5.0, 5.0, 900.0], "cofactor 5 of CD3, CD19 is as in mass"),
    ],
)
def test_cofactors_of_the_other_kind_of_cytometry_are_told(modality, cofactors, words):
    findings = Findings()
    panel = pd.DataFrame({"marker": ["CD3", "CD19", "CD56"], "role": "lineage", "cofactor": cofactors})
    odd_cofactors(panel, modality, findings)
    assert len(findings.of(WARN)) == (words is not None) and all(words in text for text in findings.of(WARN))


def test_events_of_another_sample_and_no_numbers_are_told(tmp_path):
    rng = np.random.default_rng(3)
    one, two = rng.poisson(6, (2, 400, 12)).astype(np.float32)
    names = [f"c{i}" for i in range(12)]
    for sample, events, shared in (
        ("again", one[::-1], True),  # in another order
        ("half", one[:150], True),
        ("mixed", np.concatenate([two, one])[:500], True),
        ("own", two, False),
        ("plain", np.where(np.arange(12) < 3, one, 0), False),  # three values are nobody's own
    ):
        for name, values in (("a", one), (sample, events)):
            (tmp_path / name).write_bytes(values.tobytes() + name.encode())
        known, findings = Events(), Findings()
        known.add("a", tmp_path / "a", one, names=names, findings=findings)
        known.add(sample, tmp_path / sample, events, names=names, findings=findings)
        assert [f"sample {sample} holds events of sample a" in t for t in findings.of(WARN)] == [True] * shared, sample
    known, findings = Events(), Findings()
    known.add("a", tmp_path / "a", one, names=names, findings=findings)
    known.add("b", tmp_path / "a", one, names=names, findings=findings)  # a pool
    known.add(
        "c", tmp_path / "c", np.where(np.eye(400, 12) == 1, np.nan, two)[:, :2], names=names[:2], findings=findings
    )
    known.tell(findings, 3)
    assert [t.split(" has")[0] for t in findings.of(WARN)] == ["c0", "c1"]
    none, findings = Findings(), Findings()
    look_at_events({"a": 0, "b": 20}, 300, none)
    assert (
        "no events in 1 file (a)" in none.of(WARN)[0] and "b: 20" in none.of(WARN)[1] and "a:" not in none.of(WARN)[1]
    )


def test_exchanged_rows_of_a_panel_are_one_line_for_all_files(tmp_path):
    panel = pd.DataFrame(
        {"channel": ["Nd142Di", "Bi209Di", "Yb176Di"], "marker": ["CD19", "CD56", "CD16"],
         "role": ["lineage", "identity", "identity"], "cofactor": 5.0, "cluster": "no"}
    )  # fmt: skip
    path = tmp_path / "a.fcs"
    write_fcs(path, np.ones((50, 3), np.float32), list(panel["channel"]), markers=["CD19", "CD16", "CD56"])
    header = read_header(path)
    refused = Refused(panel, {"Bi209Di": 3, "Yb176Di": 4})
    with pytest.raises(UserError) as caught:
        match_panel(header, panel)
    for sample in "abc":
        refused.add(sample, header, caught.value)
    (text,) = refused.texts()
    assert text.startswith("3 samples would be left out (a, b and c): $PnS of Bi209Di says CD16, the panel says CD56 ")
    assert "(row 3)" in text and text.endswith("are two rows exchanged?")
    refused.add("d", header, UserError(path, "panel channel X (CD3)", "x", "a channel of the file"))
    assert len(refused.texts()) == 2


def test_files_with_too_few_events_or_cells_are_said(tmp_path):
    findings = Findings()
    look_at_events({"a": 1, "b": 299, "c": 300}, 300, findings)
    (text,) = findings.of(WARN)
    assert "fewer than 300 events (cytof.minimum_events) in 2 files (a: 1 event and b: 299 events)" in text


def test_a_sample_of_fewer_cells_than_nk_cells_are_needed_is_said(lab):
    findings = Findings()
    row = {"sample": "few", "path": lab.folder}
    look_at_rna([row], [], findings, least=10**6)
    assert "(rna.nk.min_cells)" in findings.of(WARN)[0] and "would be left out: its file holds" in findings.of(WARN)[0]
    assert findings.stops


@pytest.mark.parametrize("verb", ["check", "crate", "add", "truth"])
def test_every_verb_reads_a_config_as_a_run_does(verb, tmp_path, monkeypatch, capsys):
    """A section twice, of which YAML keeps the last, is refused by all."""
    from cimlnk.__main__ import main as verbs

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("cohort: {id: a}\nseed: 1\ncohort: {id: b}\n")
    (tmp_path / "s.tsv").write_text("sample\n")
    words = {"add": ["s.tsv", "--config", "a.yaml"], "truth": ["--config", "a.yaml"]}.get(verb, ["a.yaml"])
    assert verbs([verb, *words]) in (1, 2)
    assert "a.yaml: line 3: found 'cohort' a second time" in capsys.readouterr().err


def test_preparation_without_its_channels_is_one_line_and_stops_where_no_file_has_them(tmp_path):
    def header(*names, markers=None):
        named = list(markers or names)
        return SimpleNamespace(channels=list(names), markers=named, swapped=False, path=tmp_path / "a.fcs")

    whole = ["Time", "Ir191Di", "Ir193Di", "Ce140Di", "Eu151Di", "Pd102Di", "Pd104Di"]
    beads = {"enabled": True, "masses": [140, 151], "dna": [191, 193]}
    (tmp_path / "key.tsv").write_text("sample\t102\t104\t105\nx\t1\t0\t1\ny\t0\t1\t1\n")
    off = {"enabled": False}
    settings = {"bead_normalisation": beads, "debarcoding": off, "spillover": off}

    def told(headers, **steps):
        findings = Findings()
        look_at_preparation(headers, settings | steps, tmp_path, findings=findings)
        return findings.of(WARN), findings.of(STOP)

    assert told({"a": header(*whole)}) == ([], [])
    warns, stops = told({"a": header(*whole), "b": header(*whole[:4]), "c": header(*whole[:4])})
    assert stops == [] and len(warns) == 1
    assert "2 samples (b and c) would be left out by bead normalisation" in warns[0] and "bead mass 151" in warns[0]
    warns, stops = told({"b": header(*whole[1:])})
    assert "Time" in warns[0] and stops == [
        "bead normalisation: none of 1 sample has what it needs: switch it off, or name other masses"
    ]
    key = {"enabled": True, "key": "key.tsv"}
    warns, stops = told({"a": header(*whole)}, bead_normalisation=off, debarcoding=key)
    assert "barcode mass 105: found no channel" in warns[0] and len(stops) == 1
    (tmp_path / "m.tsv").write_text("nonsense\n")
    matrix = {"enabled": True, "matrix": "m.tsv"}
    assert len(told({"a": header(*whole)}, spillover=matrix)[1]) == 1


def test_two_files_of_a_patient_and_day_are_asked_about():
    columns = ["sample", "patient", "day", "tissue_or_product", "modality", "batch"]
    rows = [
        ("a", "P1", 0, "blood", "cytof", "1"), ("b", "P1", 0, "blood", "cytof", "1"),
        ("c", "P1", 0, "blood", "rna", "1"), ("d", "P1", 0, "product", "cytof", "1"),
        ("e", "P2", 0, "blood", "cytof", "1"), ("f", "P2", 0, "blood", "cytof", "2"),
        ("g", "unknown", 0, "blood", "cytof", "1"), ("h", "unknown", 0, "blood", "cytof", "1"),
    ]  # fmt: skip
    findings = Findings()
    look_at_repeats(pd.DataFrame(rows, columns=columns), findings)
    (warned,), (noted,) = findings.of(WARN), findings.of(NOTE)
    assert "on 1 day (P1, day 0, cytof of blood: a and b)" in warned
    assert "in several batches" in noted and "e and f" in noted and "unknown" not in warned + noted


@pytest.mark.parametrize("nk", [0, 1])
def test_files_without_any_nk_cell_are_told_as_what_stops_a_run(monkeypatch, nk):
    rows = pd.DataFrame({"gate": ["nk"], "marker": ["CD56"], "method": ["lineage"], "n_in": [10], "n_out": [nk],
                         "reason": [None]})  # fmt: skip
    events = np.zeros((10, 1), np.float32)
    monkeypatch.setattr(check_panel, "read_sample", lambda *_: SimpleNamespace(events=events, scaled=events))
    gated = SimpleNamespace(rows=rows, chosen=np.arange(10) < nk)
    monkeypatch.setattr(check_panel, "gate_sample", lambda *_, **__: (gated, None))
    monkeypatch.setattr(check_panel, "of_gates", lambda *_: [])
    findings = Findings()
    samples = [{"sample": s, "path": s, "batch": "1"} for s in "ab"]
    settings = {"manual_gates": {"file": "given"}, "target_lineage": None}
    try_gates(samples, Path("p"), Path("g"), settings=settings, seed=1, findings=findings)
    told = [t for t in findings.of(WARN) if "its run stops" in t]
    assert told == ([] if nk else ["no NK cell in 2 files looked at: where no file of a cohort has any, its run stops"])
    assert findings.tables["Gates tried on a few files"].loc[0, "kept %"] == f"{10 * nk}"
