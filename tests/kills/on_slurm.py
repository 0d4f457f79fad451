"""How the runs that are killed use a Slurm of this machine."""

from __future__ import annotations

import ctypes
import signal
import sys

# Steps that go into one Slurm job, in the order in which results need each other: a Slurm job costs twelve CPU seconds.
GROUPS = {
    "start": "cohort_tables cytof_pool cytof_lineages",
    "samples": "rna_cells cytof_cells",
    "features": "rna_features cytof_features cytof_gates_figure dynamics_release",
    "graph": "graph_neighbors graph_cluster graph_umap graph_figure",
    "names": "populations_name populations_state populations_pseudobulk adt_names dynamics_abundance",
    "dynamics": "dynamics_neighbourhoods dynamics_agreement dynamics_tests dynamics_kinetics dynamics_state "
    "dynamics_expression dynamics_repertoire dynamics_identity dynamics_diversity quality_warnings",
    "exports": "export_h5ad export_cytometry export_mudata export_pharmacology claims_evaluate",
    "pages": "report_explorer report_clinicians export_workbook report_site",
}


def slurm_options(cores: str, *, grouped: bool) -> list[str]:
    """A killed job is not made again in the same run (``retries``): the next run has to. As many steps at a time as
    `cores`."""
    options = [
        "--workflow-profile", "profiles/slurm", "--jobs", cores, "--retries", "0",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1",
        "--seconds-between-status-checks", "1", "--latency-wait", "5",
        "--default-resources", "slurm_account=test", "slurm_partition=main", "runtime=30", "mem_mb=500",
        "--resources", f"at_once={cores}",
    ]  # fmt: skip
    if grouped:
        rules = [(rule, group) for group, several in GROUPS.items() for rule in several.split()]
        options += ["--groups", *(f"{rule}={group}" for rule, group in rules)]
        options += ["--group-components", *(f"{group}=40" for group in GROUPS)]
        options += ["--set-resources", *(f"{rule}:at_once=1" for rule, _ in rules)]
    return options


def adopt_orphans() -> None:
    """Daemons and jobs whose parents end become children of this process, not of init: all of it is one run, for
    whoever looks at the machine, and can be ended as one."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the cluster is stopped
