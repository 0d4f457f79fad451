"""What the check says of sheets and keys, as a run would refuse them, of files that are not there yet."""

import shutil

import pytest
import yaml

from cimlnk.front.check import check_config, main
from cimlnk.front.findings import NOTE, STOP, WARN, Findings
from cimlnk.front.marks import look_at_marks
from lab import ROOT, Lab


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
