"""The tutorial: its commands run as they stand, in their order, in a fresh checkout without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from checkout import copy_checkout

pytestmark = [pytest.mark.real, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))


def commands(page: str) -> list[str]:
    """The lines of its shell blocks that begin with ./run, without their comments."""
    blocks = re.findall(r"```bash\n(.*?)```", page, re.S)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.startswith("./run")]


def test_commands_run_as_they_stand(tmp_path):
    if not (DATA / "cytof_batch_cytonorm").is_dir():
        pytest.skip(f"no cytof_batch_cytonorm under CIMLNK_TEST_DATA ({DATA}): the tutorial is not run")
    checkout = copy_checkout(tmp_path / "tutorial")
    there = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "SNAKEMAKE", "CIMLNK"))}
    # the files by their checksums; the environment that runs this test, so that none is installed
    there |= {"CIMLNK_OFFLINE": str(DATA / "cytof_batch_cytonorm"), "CIMLNK_VENV": sys.prefix}
    asked = commands((ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))
    assert len(asked) == 4
    for command in asked:
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, env=there, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    ready, own = (pd.read_parquet(checkout / f"results/{name}/cytof/summary.parquet") for name in ("cytonorm", "mine"))
    for name in ("cytonorm", "mine"):
        assert (checkout / f"results/{name}/report/index.html").is_file()
    # the same six files, described by hand and by `draft` alone: as many NK cells, whatever the samples are called
    assert sorted(ready["n_events"]) == sorted(own["n_events"]) == [1000] * 6
    assert own["n_nk"].sum() == pytest.approx(ready["n_nk"].sum(), rel=0.1)
