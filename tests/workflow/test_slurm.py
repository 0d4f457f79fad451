"""The shipped Slurm profile runs jobs on a real Slurm."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from checkout import copy_checkout, snakemake
from slurm import LINK, Slurm, taken

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


@pytest.fixture
def cluster(tmp_path_factory):
    if shutil.which("slurmctld") is None or not os.path.exists("/usr/sbin/munged"):
        pytest.skip("no Slurm on this machine: the profile is not tried")
    if os.getuid() != 0:
        pytest.skip("not root: a Slurm cannot be started for the test")
    if taken() or (LINK.exists() and not LINK.is_symlink()):
        pytest.skip("this machine has a Slurm of its own: it is left alone")
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    yield cluster
    cluster.stop()


def test_slurm_profile_makes_samples_from_raw_files_in_one_job(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{cluster.commands}{os.pathsep}{os.environ['PATH']}")
    checkout = copy_checkout(tmp_path / "clone")
    targets = [f"results/tiny/rna/samples/{sample}.h5ad" for sample in ("P1_D28_rna", "P2_D28_rna")]
    done = snakemake(
        checkout, *targets, "--workflow-profile", "profiles/slurm", "--configfile", "config/tiny.yaml", "--jobs", "4",
        "--default-resources", "slurm_account=test", "slurm_partition=main", "runtime=5", "mem_mb=500",
        # without accounting only squeue knows that a job has ended
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
        "--seconds-between-status-checks", "2", "--latency-wait", "5", timeout=540,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert all((checkout / target).is_file() for target in targets)
    # one job for each simulated file; the two samples share one
    assert len(set(re.findall(r"SLURM jobid '?(\d+)", told))) == 3, told[-3000:]
