"""Editing a module re-runs exactly the rules whose scripts reach it, and what comes after them, by dry run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from checkout import copy_checkout, snakemake
from lab import Lab, make_hollow_lab

pytestmark = pytest.mark.slow
RULES_OF_THE_LAB = {
    "cohort_tables",
    "cytof_normalise",
    "cytof_pool",
    "cytof_lineages",
    "cytof_cells",
    "cytof_gates_figure",
    "report_site",
}


def call(checkout: Path, lab: Lab, *options: str) -> str:
    done = snakemake(checkout, *options, "--cores", "1", "--configfile", str(lab.base / "lab.yaml"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Lab, dict[str, str]]:
    """A checkout in which every result of a small cohort, beads normalised, counts as made though it is empty."""
    base = tmp_path_factory.mktemp("code")
    lab = make_hollow_lab(base / "lab")
    config = lab.config
    config["cytof"] = {"bead_normalisation": {"enabled": True}}
    (lab.base / "lab.yaml").write_text(yaml.safe_dump(config))
    checkout = copy_checkout(base / "clone")
    for line in re.findall(r"^    output: (.+)$", call(checkout, lab, "--dry-run"), re.M):
        for name in line.split(", "):
            place = checkout / name.removesuffix(" (update)")
            if not place.suffix:  # a folder
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
            if place.suffix == ".npy":
                np.save(place, np.zeros((4, 2), np.float32))
    call(checkout, lab, "--touch", "--forceall")
    assert changed(checkout, lab) == (set(), set()), "nothing was changed, so nothing is to be done"
    return checkout, lab, hashes(checkout)


def changed(checkout: Path, lab: Lab) -> tuple[set[str], set[str]]:
    """Rules that a dry run would do: those it gives their own parameters as the reason for, and all.

    Where a job waits for another one, Snakemake names that as the reason and does not look at the parameters.
    """
    text = call(checkout, lab, "--dry-run")
    own = re.search(r"params have changed since last execution:\n\s+(.+)", text)
    return set(own[1].split(", ")) if own else set(), set(re.findall(r"^(?:local)?rule (\w+):$", text, re.M))


def hashes(checkout: Path) -> dict[str, str]:
    """The hash of every rule's code, by a process of its own: a process reads a file once."""
    tell = """if 1:
        import pathlib, sys
        from cimlnk.common.imports import code_hash
        for path in pathlib.Path(sys.argv[1]).glob("*.py"):
            print(path.stem, code_hash(path))
    """
    done = subprocess.run(
        [sys.executable, "-c", tell, str(checkout / "workflow/scripts")],
        env={**os.environ, "PYTHONPATH": str(checkout / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in done.stdout.splitlines())


READ_FCS = """
    cohort_tables cytof_normalise cytof_normalise_beads cytof_debarcode cytof_debarcode_split cytof_compensate
    cytof_compensate_matrix cytof_pool cytof_lineages cytof_cells cytof_gates_figure export_cytometry
    flow_compensate flow_cofactors
""".split()


@pytest.mark.parametrize(
    ("module", "rules", "first"),
    [
        ("cytof/fcs/data.py", READ_FCS, {"cohort_tables", "cytof_normalise"}),
        ("stats/signed_rank.py", ["dynamics_chimerism", "dynamics_tests"], {"dynamics_tests"}),
        ("report/pages/claims.py", ["report_site"], {"report_site"}),
    ],
)
def test_editing_a_module_runs_the_rules_that_use_it_and_no_others(made, module, rules, first):
    checkout, lab, before = made
    file = checkout / "workflow/cimlnk" / module
    text = file.read_text()
    try:
        file.write_text(text + "\nedited = 1\n")
        after = hashes(checkout)
        assert {rule for rule in before if before[rule] != after[rule]} == set(rules)
        own, planned = changed(checkout, lab)
        assert own == first
        assert set(rules) & RULES_OF_THE_LAB <= planned
    finally:
        file.write_text(text)
