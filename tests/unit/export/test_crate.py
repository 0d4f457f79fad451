"""The RO-Crate of a run: every file with its hash, every input by name and hash, no place of this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import Schema, write_table
from cimlnk.export.crate import METADATA, describe, main, write_crate

LOOSE = Schema("LOOSE", {}, extra=True)
ABOUT = {"title": "A cohort", "published": "2026-01-31"}


@pytest.fixture
def results(tmp_path):
    root = tmp_path / "results/mine"
    record = {
        "rule": "cytof_cells", "versions": {"cimlnk": "9.9", "numpy": "2.0", "scanpy": "absent"},
        "inputs": {"/mnt/somebody/raw/P 1.fcs": "a" * 64, "config/s.tsv": "b" * 64, "results/mine/x.npz": "c" * 64},
    }  # fmt: skip
    write_table(pd.DataFrame({"a": [1]}), root / "cohort/samples.parquet", LOOSE, provenance=record)
    (root / "report").mkdir()
    (root / "report/index.html").write_text("<p>")
    (root / "report/a b.csv").write_text("x\n")
    (root / "logs").mkdir()
    (root / "logs/x.log").write_text("/mnt/somebody")
    return root


def test_files_and_inputs_are_told_with_their_hashes(results):
    crate = json.loads(write_crate(results, **ABOUT).read_text())
    by_id = {e["@id"]: e for e in crate["@graph"]}
    assert len(by_id) == len(crate["@graph"])
    assert set(by_id) >= {"report/index.html", "report/a%20b.csv", "cohort/samples.parquet", "report/", "./"}
    told = by_id["report/index.html"]
    assert told["sha256"] == hashlib.sha256(b"<p>").hexdigest() and told["contentSize"] == "3"
    assert [e["name"] for e in crate["@graph"] if e["@id"].startswith("#sha256-")] == ["P 1.fcs", "s.tsv"]
    assert by_id["urn:cimlnk:9.9"]["softwareRequirements"] == {"@id": "https://pypi.org/project/numpy/2.0/"}
    assert "scanpy" not in json.dumps(crate)
    text = json.dumps(crate)
    assert "/mnt" not in text and str(results) not in text and "logs/x" not in text
    named = {v["@id"] for e in crate["@graph"] for v in _links(e)} - {"https://w3id.org/ro/crate/1.1"}
    assert named <= set(by_id), "every link has its end in the crate"
    assert describe(results, **ABOUT) == crate, "the description does not describe itself"


def _links(entity):
    for value in entity.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                yield one


def test_an_unfinished_run_and_a_wrong_day_are_one_message(results, tmp_path):
    (results / "report/index.html").unlink()
    with pytest.raises(UserError, match="a finished run"):
        write_crate(results, **ABOUT)
    assert not (results / METADATA).exists()
    with pytest.raises(UserError, match="YYYY-MM-DD"):
        main(["none.yaml", "--date", "soon"])
    with pytest.raises(UserError, match="path of a config file"):
        main([str(tmp_path / "none.yaml")])


def test_the_validator_accepts_it(results):
    """Needs `rocrate-validator` on PATH (package roc-validator), from an environment of its own."""
    program = shutil.which("rocrate-validator")
    if program is None:
        pytest.skip("rocrate-validator is not on PATH: the crate is not put to the validator")
    write_crate(results, **ABOUT)
    command = [program, "-y", "validate", "--no-paging", "-p", "process-run-crate-0.5", str(results)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
