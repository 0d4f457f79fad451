"""Make the lock and environment.yml from pyproject.toml: python requirements/lock.py [--check]

pyproject.toml says what is allowed, requirements/lock-py311.txt what was tested (with hashes, naming no index), and
environment.yml gives conda users the same minor versions. `--check` compares environment.yml with the other two.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lock-py311.txt"
ENVIRONMENT = ROOT / "environment.yml"
# Names that differ on conda-forge and bioconda; flowkit and flowio come from PyPI there too.
CONDA_NAMES = {"igraph": "python-igraph", "snakemake": "snakemake-minimal"}
PIP_ONLY = {"flowkit", "flowio"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(part: str) -> list[str]:
    """The requirement lines of `dependencies` or of all `optional-dependencies` in pyproject.toml."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][part]
    return found if isinstance(found, list) else [line for extra in found.values() for line in extra]


def names(part: str) -> list[str]:
    """Their package names."""
    return [normal(re.match(r"[A-Za-z0-9_.-]+", line)[0]) for line in lines(part)]


def requirements() -> dict[str, str]:
    """Requirement name -> version range, all extras included: one environment serves everybody."""
    parsed = (
        re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", line)
        for p in ("dependencies", "optional-dependencies")
        for line in lines(p)
    )
    return {normal(m[1]): m[2] for m in parsed if m}


def locked() -> dict[str, str]:
    """Package name -> exact version, from the lock."""
    return {normal(n): v for n, v in re.findall(r"^([A-Za-z0-9_.-]+)==([^ \\;]+)", LOCK.read_text(), re.M)}


def environment() -> str:
    """The text of environment.yml."""
    versions = locked()
    conda, pip = [], []
    for name in requirements():
        if name in PIP_ONLY:
            pip.append(f"      - {name}=={versions[name]}")
        else:
            conda.append(f"  - {CONDA_NAMES.get(name, name)}={'.'.join(versions[name].split('.')[:2])}")
    head = [
        "# Made by requirements/lock.py from pyproject.toml and the lock; change those, not this file.",
        "name: cimlnk",
        "channels:",
        "  - conda-forge",
        "  - bioconda",
        "  - nodefaults",
        "dependencies:",
        "  - python=3.11",
    ]
    return "\n".join([*head, *conda, "  - pip", "  - pip:", *pip]) + "\n"


def main() -> None:
    if "--check" in sys.argv[1:]:
        if ENVIRONMENT.read_text() != environment():
            sys.exit("environment.yml: found another text, expected what `python requirements/lock.py` writes")
        return
    command = "uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras"
    subprocess.run([*command.split(), "pyproject.toml", "-o", str(LOCK)], cwd=ROOT, check=True)
    ENVIRONMENT.write_text(environment())


if __name__ == "__main__":
    main()
