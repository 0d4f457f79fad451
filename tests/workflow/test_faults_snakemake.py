"""Faults as a user meets them, through Snakemake: the message, no traceback, and samples left out with --keep-going."""

from __future__ import annotations

import html
import shutil
from pathlib import Path

import pytest

from checkout import copy_checkout, snakemake
from faults import LINE, rewrite, without
from lab import CYTOF, Lab

# The workflow's own profile says --keep-going; STOP is without it.
STOP = ("--workflow-profile", "none", "--")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


def fails(checkout: Path, lab: Lab, *arguments: str) -> str:
    """Snakemake's output; it must have failed without a Python traceback."""
    done = snakemake(checkout, "--cores", "2", "--configfile", str(lab.base / "lab.yaml"), *arguments)
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    assert "Traceback" not in text, text
    return text


@pytest.mark.slow
def test_snakemake_tells_config_and_sheet_faults_before_anything_runs(checkout, lab):
    lab.configure(graph={"resolutoin": 1})
    text = fails(checkout, lab)
    assert "cimlnk: error in the input, nothing was run" in text
    assert (
        "graph.resolutoin: found 'resolutoin', expected one of the keys" in text and "did you mean 'resolution'" in text
    )
    assert not (checkout / "results/lab").exists()


@pytest.mark.slow
def test_snakemake_tells_all_faults_of_all_sheets_together(checkout, lab):
    lab.replace("samples.tsv", "P1\t7\tD7", "P1\tD7\tD7")
    lab.replace("counts.tsv", "124.3", "-124.3")
    lab.replace("panel.tsv", "CD19\tlineage", "CD19\tlinage")
    text = fails(checkout, lab)
    told = [line for line in text.splitlines() if LINE.match(line) and str(lab.base) in line]
    assert [Path(line.split(": ")[0]).name for line in told] == ["samples.tsv", "counts.tsv", "panel.tsv"]


@pytest.mark.slow
def test_snakemake_names_the_channels_that_files_lack(checkout, lab):
    rewrite(lab.fcs(CYTOF[1]), without("In115Di"))
    text = fails(checkout, lab, *STOP, "results/lab/cohort/samples.parquet")
    assert f"cimlnk: error: {lab.fcs(CYTOF[1])}: panel channel In115Di (CD3): found no such channel" in text


@pytest.mark.slow
def test_snakemake_stops_at_a_corrupt_file(checkout, lab):
    lab.fcs(CYTOF[1]).write_bytes(lab.fcs(CYTOF[1]).read_bytes()[:300])
    text = fails(checkout, lab, *STOP, "results/lab/cytof/summary.parquet")
    assert f"cimlnk: error: {lab.fcs(CYTOF[1])}" in text


@pytest.mark.slow
def test_keep_going_leaves_out_the_bad_samples_and_finishes_the_others(checkout, lab):
    from cimlnk.common.tables import read_table

    shutil.rmtree(checkout / "results/lab", ignore_errors=True)  # of the other runs in this checkout
    bad = lab.fcs(CYTOF[1])
    bad.write_bytes(bad.read_bytes()[:300])
    (lab.folder / "barcodes.tsv.gz").unlink()
    done = snakemake(checkout, "--cores", "2", "--keep-going", "--configfile", str(lab.base / "lab.yaml"))
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in text, text
    assert f"cimlnk: left out: {bad}" in text
    for modality, left_out, reason in (("cytof", CYTOF[1], bad.name), ("rna", lab.folder.name, "barcodes.tsv")):
        summary = read_table(checkout / f"results/lab/{modality}/summary.parquet").set_index("sample")
        assert summary.index[summary["left_out"]].tolist() == [left_out]
        assert reason in summary.loc[left_out, "reason"]
        assert (summary.loc[~summary["left_out"], "n_nk"] > 0).all()
        assert summary.loc[~summary["left_out"], "reason"].isna().all()
        for page in ("index.html", "quality.html"):
            source = (checkout / "results/lab/report" / page).read_text(encoding="utf-8")
            text = html.unescape(source.replace("<wbr>", ""))  # where a long name may break
            assert left_out in text and summary.loc[left_out, "reason"] in text, page
