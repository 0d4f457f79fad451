"""A change re-runs what depends on it and nothing else: told by dry runs over results that count as made."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from checkout import copy_checkout, snakemake
from lab import CYTOF, RNA, Lab, make_hollow_lab

ROOT = Path(__file__).resolve().parents[2]
PER_SAMPLE = len(CYTOF)
MADE = (
    *(f"rna/{file}" for s in RNA for file in (f"samples/{s}.h5ad", f"gates/{s}.parquet")),
    *(f"cytof/{file}" for s in CYTOF for file in (f"samples/{s}.h5ad", f"gated/{s}.h5ad", f"gates/{s}.parquet")),
    *(f"cytof/gates/{s}.{ending}" for s in CYTOF for ending in ("xml", "npz", "png")),
    *(f"cohort/{file}" for file in ("samples.parquet", "counts.parquet", "patients.parquet", "design.json")),
    *(f"cytof/alignment/{file}" for file in ("model.npz", "distances.parquet", "distances.json", "distances.svg")),
    "cytof/pool.json",
    "cytof/lineages.npz",
)
TARGETS = (
    *(f"results/lab/rna/samples/{sample}.h5ad" for sample in RNA),
    f"results/lab/cytof/gates/{CYTOF[0]}.png",
    "results/lab/cytof/alignment/distances.json",
)


def call(checkout: Path, lab: Lab, *options: str) -> str:
    """Snakemake's output for the targets; it must have succeeded."""
    done = snakemake(checkout, *options, "--cores", "1", "--configfile", str(lab.base / "lab.yaml"), "--", *TARGETS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Path, Lab]:
    """A checkout in which every target counts as made: empty results, which Snakemake was told to take for its own."""
    base = tmp_path_factory.mktemp("reruns")
    lab = make_hollow_lab(base / "lab")
    checkout = copy_checkout(base / "clone")
    for name in MADE:
        (checkout / "results/lab" / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / "results/lab" / name).touch()
    call(checkout, lab, "--touch", "--forceall")
    assert planned(checkout, lab) == Counter(), "nothing was changed, so nothing is to be done"
    return checkout, lab


def planned(checkout: Path, lab: Lab) -> Counter[str]:
    """The jobs a dry run would do: rule -> number; a job of one sample as well by ``rule sample``."""
    text = call(checkout, lab, "--dry-run", "--cores", "1")
    jobs: Counter[str] = Counter()
    for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", text, re.M):
        sample = re.search(r"wildcards: sample=(\S+)", block)
        jobs[rule] += 1
        if sample:
            jobs[f"{rule} {sample[1]}"] += 1
    return jobs


@pytest.mark.slow
def test_a_file_rewritten_inside_a_10x_folder_runs_its_sample_again_and_no_other(ran):
    checkout, lab = ran
    file = lab.folder / "features.tsv.gz"
    before, times, stamp = file.read_bytes(), file.stat(), lab.folder.stat().st_mtime_ns
    file.write_bytes(before + b"x")
    try:
        assert lab.folder.stat().st_mtime_ns == stamp, "the folder itself is uninformative"
        assert planned(checkout, lab) == {"rna_cells": 1, f"rna_cells {lab.folder.name}": 1}
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def changed(ran, tmp_path, **cytof) -> Counter[str]:
    """The jobs after a change to the section `cytof`, keys of its mappings one by one; only the rules' numbers."""
    checkout, lab = ran
    other = Lab(tmp_path)
    (tmp_path / "lab.yaml").write_text((lab.base / "lab.yaml").read_text())
    section = other.config.get("cytof", {})
    for key, value in cytof.items():
        section[key] = section.get(key, {}) | value if isinstance(value, dict) else value
    other.configure(cytof=section)
    return Counter({job: n for job, n in planned(checkout, other).items() if " " not in job})


@pytest.mark.slow
def test_other_alignment_aligns_again_and_gates_nothing_again(ran, tmp_path):
    aligned = {"cytof_align_fit": 1, "cytof_align": PER_SAMPLE, "cytof_align_distances": 1}
    assert changed(ran, tmp_path, alignment={"metaclusters": 3}) == aligned


@pytest.mark.slow
def test_settings_of_steps_that_are_off_run_nothing_again(ran, tmp_path):
    off = {"bead_normalisation": {"window": 300}, "debarcoding": {"cofactor": 5}, "spillover": {"minimum_events": 40}}
    assert changed(ran, tmp_path, **off, export_fcs=False) == Counter()


@pytest.mark.slow
def test_settings_of_gating_gate_again_and_those_of_samples_pool_nothing_again(ran, tmp_path):
    gated = {"cytof_lineages": 1, "cytof_cells": PER_SAMPLE, "cytof_gates_figure": 1}
    after = {"cytof_align_fit": 1, "cytof_align": PER_SAMPLE, "cytof_align_distances": 1}
    assert changed(ran, tmp_path, acquisition_qc={"tolerance": 7}) == {**gated, **after}


def test_all_asks_for_every_result_so_that_none_stays_lost(ran):
    """One that only later steps read would be missed by nothing once they are made: a killed --forceall took it."""
    checkout, lab = ran
    config = str(lab.base / "lab.yaml")
    done = snakemake(checkout, "--dry-run", "--forceall", "--workflow-profile", "none", "--configfile", config)
    assert done.returncode == 0, done.stderr[-3000:]
    text, made = done.stdout + done.stderr, set()
    for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", text, re.M):
        files = {k: set(v.split(", ")) for k, v in re.findall(r"^    (input|output): (.*)$", block, re.M)}
        made |= files.get("output", set())
        if rule == "all":
            asked = files["input"]
    # cells before alignment are what the aligned ones are made from, as prepared FCS files are
    assert {f for f in made - asked if "/cytof/gated/" not in f} == set()
    assert len(made) > 90
