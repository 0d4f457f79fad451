"""Sheets and configs of data no one here wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from cimlnk.cohort.config import resolve
from cimlnk.cohort.download import download
from cimlnk.cohort.files import check_files
from cimlnk.cohort.read import read_sheet
from cimlnk.cohort.sheets import load_cohort
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.panel import match_panel

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("name", "folder", "n", "by_url"),
    [
        ("bcrxl", "cytof_bcrxl", 16, True),
        ("imubac", "cytof_imubac_2batches", 26, True),
        ("cytonorm", "cytof_batch_cytonorm", 6, True),
        ("pbmc3k", "scrna_pbmc3k_labelled", 1, False),
    ],
)
def test_a_real_cohort_has_no_problem(name, folder, n, by_url, monkeypatch, tmp_path):
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} under CIMLNK_TEST_DATA ({DATA})")
    monkeypatch.setenv("CIMLNK_TEST_DATA", str(DATA))
    cohort = load_cohort(resolve(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()), ROOT), ROOT)
    assert len(cohort.samples) == n and len(cohort.given) == (0 if by_url else n)
    assert len(cohort.downloads) == (n if by_url else 0)
    monkeypatch.setenv("CIMLNK_OFFLINE", str(DATA / folder))
    for place, what in cohort.downloads.items():
        download(what.url, tmp_path / place, what.sha256)  # by its checksum, from the folder: no network
        match_panel(read_header(tmp_path / place), cohort.panel)
    assert check_files(cohort, lambda path, panel: match_panel(read_header(path), panel)).errors == []
    assert cohort.counts.empty and cohort.warnings == []


def test_a_sheet_with_old_mac_line_ends_is_read():
    path = DATA / "cytof_sdy420_tiny/sample_info_vignette.csv"
    if not path.is_file():
        pytest.skip(f"no cytof_sdy420_tiny under CIMLNK_TEST_DATA ({DATA})")
    raw = path.read_bytes()
    assert b"\r" in raw and b"\n" not in raw
    sheet = read_sheet(path, ["fcs_files", "Subject Age", "Gender"], [], file=path.name, closed=True)
    assert len(sheet.rows) == raw.rstrip(b"\r").count(b"\r")
    assert {row["Gender"] for _, row in sheet.rows} <= {"Male", "Female"}
    assert [line for line, _ in sheet.rows] == list(range(2, len(sheet.rows) + 2))
