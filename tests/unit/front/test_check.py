"""The check: a cohort that would run passes, one that would not says why, and nothing is run."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.front.check import check_config, main
from cimlnk.front.check_design import detectable, look_at_design, smallest_p
from cimlnk.front.check_files import _antibodies
from cimlnk.front.check_sheets import look_at_antibodies
from cimlnk.front.draft import make_draft, write_draft
from cimlnk.front.findings import NOTE, STOP, WARN, Findings
from cimlnk.rna.counts import AntibodyCounts
from lab import make_lab


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
    assert "A run would finish." in page and "Gates tried on a few files" in page
    pictures = list(tmp_path.glob("results/*/check/gates/*.png"))
    assert pictures and all(p.read_bytes()[:4] == b"\x89PNG" and f"gates/{p.name}" in page for p in pictures)


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
    assert "none of the 4 FCS files can be used" in findings.of(STOP)


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
    assert any("no blood sample at 'pre' of p3" in text for text in findings.of(WARN))
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
    assert "did you mean 'mine.yaml'" in err and "a YAML file" in err and "Traceback" not in err
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"cohort": {"id": "x", "samples": "none.tsv"}}))
    assert main(["mine.yaml"]) == 1
