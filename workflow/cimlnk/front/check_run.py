"""What a run refuses before its first job: the same checks, in the same order, as the rules make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cimlnk.cohort.command_line import check_config_files, placed
from cimlnk.cohort.sheets import Cohort
from cimlnk.common.errors import UserError, UserErrors
from cimlnk.cytof.plan import plan_preparation

from .early import check_early, check_synthetic
from .findings import STOP, Findings


def check_as_a_run_does(
    cfg: Mapping[str, Any], base: Path, cohort: Cohort | None, *, config: Path, findings: Findings
) -> bool:
    """Definitions, gates, lineages, gene sets, the formula and the preparation of the files, as a run checks them.

    Parameters
    ----------
    cfg, base
        The resolved config, and the folder to which its paths refer.
    cohort
        The sheets; None if they have mistakes. What needs them (the formula, what a generator
        writes, the preparation) is then not looked at.
    config
        The config file, for messages.

    Returns
    -------
    Whether the files for later stages can be loaded.
    """
    sound = True

    def attempt(check: Callable[[], object]) -> None:
        nonlocal sound
        try:
            check()
        except UserError as error:
            for one in error.errors if isinstance(error, UserErrors) else [error]:
                findings.add(STOP, placed(one, [str(config)]))
                sound &= one.file == "config"  # a key of the config; other names are of the files themselves

    attempt(lambda: check_config_files(["--configfile", str(config)]))
    columns = None if cohort is None else [*cohort.samples.columns, *cohort.patients.columns]
    attempt(lambda: check_early(cfg, columns, base))
    if cohort is not None:
        attempt(lambda: check_synthetic(cfg, base))
        of_mass = cohort.samples[cohort.samples["modality"] == "cytof"]
        attempt(lambda: plan_preparation(of_mass.set_index("sample", drop=False), cfg["cytof"]))
    return sound
