"""A synthetic cohort of flow cytometry against its truth by the functions of the rules, and that its rules join."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.cohort.config import fill_defaults, resolve
from cimlnk.cohort.sheets import load_cohort
from cimlnk.common.errors import UserError
from cimlnk.cytof.cells import make_cells
from cimlnk.cytof.flow.files import compensate_file
from cimlnk.cytof.flow.panel import make_panel
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.lineages import make_lineages
from cimlnk.front.check import check_config
from cimlnk.front.draft import make_draft
from cimlnk.simulate.latent import POPULATIONS
from flow_cohort import write_cohort

ROOT = Path(__file__).parents[3]
SAMPLES = ("P1_pre_flow", "P1_product_flow", "P1_D28_flow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("flow")
    write_cohort(place, ("P1",), n_nk=250)
    return place


def test_nk_cells_of_every_file_are_found_and_dead_cells_and_doublets_are_not(folder):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text())
    settings = fill_defaults({}, schema) | {"input_scale": "fluorescence", "bootstraps": 5}
    out, gates = folder / "out", ROOT / "resources/gates/flow.yaml"
    out.mkdir()
    files = {s: out / f"{s}.fcs" for s in SAMPLES}
    for sample, path in files.items():
        compensate_file(
            fcs=folder / f"raw/{sample}.fcs", panel=folder / "panel.tsv", matrix=None, output=path,
            record=out / f"{sample}.json", settings={"apply": "auto"},
        )  # fmt: skip
    panel, pool, called = out / "panel.tsv", out / "pool.json", out / "lineages.npz"
    make_panel(files=files, panel=folder / "panel.tsv", output=panel, cofactors=out / "c.parquet", seed=1)
    batches = dict.fromkeys(files, "day1")
    make_pool(files, batches, panel, gates=gates, output=pool, settings=settings, seed=1, until="live")
    make_lineages(
        files=files, batches=batches, panel=panel, gate_file=gates, pool=pool, output=called, settings=settings, seed=1
    )
    for sample, path in files.items():
        cells = out / f"{sample}.h5ad"
        make_cells(
            fcs=path, sample=sample, batch="day1", panel=panel, gate_file=gates, pool=pool, settings=settings, seed=1,
            output=cells, gates=out / f"{sample}.parquet", lineages=called, provenance={},
        )  # fmt: skip
        truth = pd.read_csv(folder / f"truth/{sample}.tsv", sep="\t")
        found = np.zeros(len(truth), bool)
        with h5py.File(cells) as f:
            found[f["obs/event"][:]] = True
        nk = truth["kind"].isin(POPULATIONS).to_numpy()
        alive = nk & ~truth["dead"].to_numpy()
        assert 2 * (found & alive).sum() / (found.sum() + alive.sum()) > 0.93, sample
        assert (found & truth["dead"].to_numpy()).sum() <= 0.02 * truth["dead"].sum() + 1
        assert found[(truth["kind"] == "doublet").to_numpy()].mean() < 0.2  # two NK cells may look like a large one
        assert not found[(truth["kind"] == "debris").to_numpy()].any()


def test_the_rules_join_to_a_report(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "-n", "--configfile", "flow.yaml"]
    done = subprocess.run([*command, "--cores", "1"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    jobs = {line.split()[0] for line in done.stdout.splitlines() if len(line.split()) == 2}
    wanted = "flow_compensate flow_cofactors flow_pool flow_lineages flow_cells flow_features report_site".split()
    assert jobs >= set(wanted)
    assert not any(job.startswith(("cytof_", "rna_")) for job in jobs)


def test_draft_and_check_know_flow_cytometry(folder):
    draft = make_draft(folder / "raw", "mine")
    assert set(draft.samples["modality"]) == {"flow"}
    roles = draft.panel.set_index("channel")["role"]
    assert roles[["FSC-A", "FSC-H", "SSC-A"]].eq("scatter").all()
    assert roles["AF-A"] == "autofluorescence"
    assert roles["Zombie NIR-A"] == "viability"
    assert draft.panel["cofactor"].isna().all()
    assert yaml.safe_load(draft.config)["flow"] == {"nk_identity": "CD56"}
    _, findings = check_config(folder / "flow.yaml", folder)
    assert not findings.stops
    assert {"Flow cytometry files", "Cofactors", "Gates tried on a few files"} <= set(findings.tables)
    spillover = findings.tables["Flow cytometry files"]["spillover"]
    assert spillover.str.contains("applied: bright cells").sum() >= 3  # all but the small file of the product


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flow": {"nk_identity": "CD65"}}, "flow.nk_identity: found 'CD65'"),
        ({"flow": {"compensation": {"aply": "no"}}}, "flow.compensation.aply"),
        ({"flow": {"compensation": {"matrix": "comp.csv"}}}, "flow.compensation.matrix: found 'comp.csv'"),
        ({"flow": {"panel": "panle.tsv"}}, "did you mean 'panel.tsv'?"),
    ],
)
def test_wrong_keys_of_the_section_end_in_one_line(folder, changes, words):
    config = yaml.safe_load((folder / "flow.yaml").read_text()) | changes
    with pytest.raises(UserError) as told:
        load_cohort(resolve(config, folder, "flow.yaml"), folder)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_both_kinds_of_cytometry_need_a_panel_each(folder):
    sheet = (folder / "samples.tsv").read_text().replace("\tflow\t", "\tcytof\t", 1)
    (folder / "both.tsv").write_text(sheet)
    config = yaml.safe_load((folder / "flow.yaml").read_text())
    config["cohort"]["samples"] = "both.tsv"
    with pytest.raises(
        UserError, match="flow.panel: found null, expected the path of the panel sheet of the flow files"
    ):
        load_cohort(resolve(config, folder, "flow.yaml"), folder)
