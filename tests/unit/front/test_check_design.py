"""What the check says of a design: who was sampled when, and what the number of patients allows."""

import numpy as np
import pandas as pd

from cimlnk.front.check_design import (
    detectable,
    look_at_design,
    look_at_repeats,
    smallest_p,
    who_when,
)
from cimlnk.front.findings import NOTE, WARN, Findings


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
    counts = pd.DataFrame({"patient": "p1", "day": [-7, 7, 28], "nk_per_ul": [20.0, 200.0, np.nan]})
    look_at_design(pd.DataFrame(rows, columns=columns), "pre", findings := Findings(), counts=counts)
    assert any("only their number (counted on 2 days)" in text for text in findings.of(WARN))


def test_power_agrees_with_the_textbook():
    # paired t, n = 6, power .8, alpha .05: 1.4 SD (Cohen 1988 and every calculator)
    assert detectable(6).startswith("1.4 SD") and detectable(34).startswith("0.5 SD") and "too few" in detectable(2)


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
