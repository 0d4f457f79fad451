"""Copies of the checkout, and Snakemake run in them as a user would."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def snakemake(checkout: Path, *arguments: str, timeout: int = 900) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in `checkout` as a user would, without this process's environment leaking in."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "SNAKEMAKE", "CIMLNK_KEEP"))}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def copy_checkout(target: Path) -> Path:
    """Copy what a clone would hold (tracked files, and new ones that git does not ignore)."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    copy_compiled(target)
    return target


def copy_compiled(target: Path, source: Path = ROOT) -> None:
    """Take over what was read of the same sources (two seconds); kernels lie in the user's cache."""
    for read in (source / "workflow/cimlnk/common/__pycache__").glob("code-*.json"):
        place = target / read.relative_to(source)
        place.parent.mkdir(exist_ok=True)
        shutil.copy2(read, place)


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every result; logs and benchmarks hold times and are left out."""
    skip = ("logs", "benchmarks")
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.relative_to(folder).parts[0] not in skip
    }
