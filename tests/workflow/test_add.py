"""`./run add` on a finished run, as a user meets it: files of other laboratories, and a good one that lost a marker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from checkout import digests

pytestmark = [pytest.mark.real, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))


def command(checkout, *words):
    there = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "SNAKEMAKE", "CIMLNK"))}
    there |= {"CIMLNK_VENV": sys.prefix}
    return subprocess.run(["./run", *words], cwd=checkout, env=there, capture_output=True, text=True, timeout=900)


def files(checkout):
    return {p for name in ("config", "results") for p in (checkout / name).rglob("*") if "logs" not in p.parts}


@pytest.mark.parametrize(
    ("folder", "has"), [("cytof_bcrxl", "2 of the 35 markers"), ("cytof_batch_cytonorm", "9 of the 35 markers")]
)
def test_files_of_another_laboratory_are_called_strange_with_the_reasons(tiny_run, folder, has):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} under CIMLNK_TEST_DATA ({DATA})")
    drafted = command(tiny_run, "draft", str(DATA / folder), "--id", folder)
    assert drafted.returncode == 0, drafted.stderr
    before, bytes_before = files(tiny_run), digests(tiny_run / "results/tiny")
    done = command(tiny_run, "add", f"config/{folder}.yaml", "--config", "config/tiny.yaml", "--id", "alien")
    assert done.returncode == 3, done.stdout + done.stderr
    n = len(pd.read_csv(tiny_run / f"config/samples/{folder}.tsv", sep="\t", comment="#"))
    assert f"cimlnk: strange: {n} files of config/{folder}.yaml cannot be placed on the clusters of tiny" in done.stderr
    assert has in done.stderr and f"above 1.5 is strange: {n} of {n}" in done.stderr
    assert len(done.stderr.splitlines()) < 8 and "Traceback" not in done.stderr
    assert files(tiny_run) == before and digests(tiny_run / "results/tiny") == bytes_before


def test_a_good_file_that_lost_a_marker_is_refused_by_its_name_and_not_called_strange(tiny_run, tmp_path):
    row = pd.read_csv(tiny_run / "config/samples/tiny.tsv", sep="\t", comment="#", dtype=str, keep_default_na=False)
    row = row[row["sample"] == "P1_D28_cytof"].iloc[[0]]
    raw = (tiny_run / row["path"].iloc[0]).read_bytes()
    lost = raw.replace(b"Yb172Di", b"Pt195Di").replace(b"172Yb_CD57", b"195Pt_none")
    assert lost != raw and len(lost) == len(raw)
    (tmp_path / "later.fcs").write_bytes(lost)
    row.assign(sample="later", day="35", timepoint="D35", path=str(tmp_path / "later.fcs")).to_csv(
        tmp_path / "later.tsv", sep="\t", index=False
    )
    before = files(tiny_run)
    done = command(tiny_run, "add", str(tmp_path / "later.tsv"), "--config", "config/tiny.yaml", "--id", "later")
    assert done.returncode == 1 and "strange" not in done.stderr
    assert "sample later, markers: found no CD57, expected all 35 markers" in done.stderr
    assert files(tiny_run) == before
