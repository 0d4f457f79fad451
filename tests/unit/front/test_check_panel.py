"""What the check says of a panel, and of gates tried by it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import match_panel
from cimlnk.front import check_panel
from cimlnk.front.check_files import Refused
from cimlnk.front.check_panel import lineage_markers, odd_cofactors, try_gates
from cimlnk.front.findings import WARN, Findings


@pytest.mark.parametrize(
    ("markers", "words"),
    [
        (["CD3", "CD19", "CD56"], None),
        (["CD19", "CD56"], "cannot be distinguished"),
        (["Lineage", "CD14", "CD56"], "known by Lineage alone, if its antibodies include CD3"),
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
