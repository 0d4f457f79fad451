"""Calibrations in pieces: taken up where they stopped, never read from other code, no surer than their cohorts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibration.design_cohorts import PARTS, PLANS, abundances, counted, sheet
from calibration.designs import as_markdown, rates
from calibration.fits_together import together
from calibration.pieces import Pieces, code_of
from cimlnk.common.imports import LIBRARY


def test_a_stopped_call_goes_on_and_other_code_begins_anew(tmp_path):
    calls = []

    def work(x):
        calls.append(x)
        if x == 3 and calls.count(3) == 1:
            raise KeyboardInterrupt
        return pd.DataFrame({"x": [x]})

    asked = [{"x": x} for x in (1, 2, 3, 4)]
    with pytest.raises(KeyboardInterrupt):
        Pieces(jobs=1, kept=tmp_path)(work, asked, code="a")
    again = Pieces(jobs=1, kept=tmp_path)
    assert [int(t["x"].iloc[0]) for t in again(work, asked, code="a")] == [1, 2, 3, 4]
    assert calls == [1, 2, 3, 3, 4] and again.made == 2
    again(work, asked, code="b")
    assert again.made == 6


def test_code_is_what_stands_in_the_files_and_behind_stages_of_the_library(tmp_path):
    file, paired, exact = tmp_path / "some.py", LIBRARY / "stats/paired.py", LIBRARY / "stats/exact.py"
    file.write_text("one = 1\n")
    first = code_of(file, paired)
    other = tmp_path / "folder" / "some.py"
    other.parent.mkdir()
    other.write_text("one = 2\n")
    assert len({first, code_of(other, paired), code_of(file, exact), code_of(file)}) == 4


def test_streams_of_random_numbers_are_behind_the_numbers(monkeypatch):
    stage, read = LIBRARY / "dynamics/repertoire/differential.py", Path.read_bytes
    codes = []
    for changed in ("", "seeds.py", "errors.py"):
        monkeypatch.setattr(Path, "read_bytes", lambda f, of=changed: read(f) + b"#" * (f.name == of))
        code_of.cache_clear()
        codes.append(code_of(stage))
    monkeypatch.undo()
    code_of.cache_clear()
    assert codes[0] == codes[2] != codes[1]


def _counts(hits, *, tests=10):
    row = {"plan": "as planned", "family": "abundance", "test": "t", "method": "m", "asked": tests, "least_p": 0.0}
    counts = {f"{what}, {part}": 0 for part in PARTS for what in ("tests", "hits")}
    return pd.DataFrame(
        [{**row, **counts, "reason": "", "cohort": i, "tests, all": tests, "hits, all": h} for i, h in enumerate(hits)]
    )


def test_tests_that_move_together_count_once():
    together = rates(_counts(np.repeat([10, 0], [10, 190]))).iloc[0]
    apart = rates(_counts(np.tile([1, 0], 100))).iloc[0]
    assert together["type_1"] == apart["type_1"] == 0.05
    assert together["independent"] == pytest.approx(200, rel=0.02)
    assert apart["independent"] == 2000  # tests that hardly vary from cohort to cohort are no better than independent
    assert together["high"] - together["low"] > 2.5 * (apart["high"] - apart["low"])
    assert rates(_counts([0] * 50)).iloc[0]["independent"] == 50


def test_what_a_design_cannot_answer_has_no_rate():
    found = rates(counted("a run for every time point", "distances of times", start=0, stop=2, seed=1))
    assert set(found["cohorts"]) == {0} and found["type_1"].isna().all()
    assert found["reason"].str.startswith("not estimable").all()
    assert as_markdown(found).count("\n") == 1  # a test that answers nowhere has no line


def test_fits_made_together_are_the_fits_made_alone():
    def made(i):
        random = np.random.default_rng(i)
        return abundances(sheet(PLANS[5], random), random)  # visits are missing: no two designs need be the same

    for alone, shared in zip(map(made, range(2)), together(made, range(2)), strict=True):
        pd.testing.assert_frame_equal(alone, shared, rtol=1e-9)
