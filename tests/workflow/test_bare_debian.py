"""The containers' install steps in a Debian root in which nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_install_steps_of_the_containers_end_in_a_plan_a_wheel_and_an_engine(tmp_path):
    if shutil.which("debootstrap") is None or os.getuid() != 0:
        pytest.skip("no debootstrap, or not root: packaging/install.sh is not tried in a bare Debian")
    if os.environ.get("CIMLNK_BARE_DEBIAN") != "yes":
        pytest.skip("CIMLNK_BARE_DEBIAN=yes tries packaging/install.sh in a bare Debian (2.5 GB, five to ten minutes)")
    tried = subprocess.run(
        [ROOT / "packaging/try_bare_debian.sh", tmp_path / "root"], capture_output=True, text=True, timeout=3000
    )
    assert tried.returncode == 0, (tried.stdout + tried.stderr)[-3000:]
