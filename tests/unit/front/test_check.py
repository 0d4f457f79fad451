"""The check: a cohort that would run passes, one that would not says why, and nothing is run."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.front.check import check_config, main, write_page
from cimlnk.front.check_console import report, table_lines
from cimlnk.front.check_design import who_when
from cimlnk.front.draft import make_draft, write_draft
from cimlnk.front.findings import NOTE, STOP, WARN, Findings


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


def test_a_config_that_is_not_there_or_no_yaml_is_one_message(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("a: [b")
    assert main(["mine.yml"]) == 1 and main(["mine.yaml"]) == 1
    err = capsys.readouterr().err
    assert "did you mean 'mine.yaml'" in err and "expected valid YAML" in err and "Traceback" not in err
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"cohort": {"id": "x", "samples": "none.tsv"}}))
    assert main(["mine.yaml"]) == 1


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


def test_the_page_shows_many_patients_at_one_look_above_the_table(tmp_path):
    rows = [(f"P{p}", d, f"D{d}", "A" if p < 20 else "B", "r1", "cytof", "blood") for p in range(1, 31) for d in (0, 7)]
    columns = ["patient", "day", "timepoint", "arm", "batch", "modality", "tissue_or_product"]
    samples = pd.DataFrame(rows[:-1], columns=columns)
    findings = Findings()
    who_when(samples, findings)
    page = write_page("many", findings, tmp_path).read_text()
    assert re.search(r"\nP1 to P19 \(19\) +A +1 +1\n", page) and re.search(r"\nP30 +B +1 +-\n", page)
    assert page.index("P1 to P19") < page.index("<td>P1</td>") and "Who was sampled when" in page
    few = Findings()
    who_when(samples[samples["patient"].isin(["P1", "P2"])], few)
    assert not few.grid and len(few.tables["Who was sampled when"]) == 2
