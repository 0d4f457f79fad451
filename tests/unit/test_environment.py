"""The three descriptions of the environment agree: pyproject (allowed), lock (tested), environment.yml (conda)."""

import ast
import importlib.util
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lock():
    spec = importlib.util.spec_from_file_location("lock", ROOT / "requirements" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_environment_yml_is_what_the_lock_gives(lock):
    assert (ROOT / "environment.yml").read_text() == lock.environment()


def test_lock_satisfies_every_range_of_pyproject(lock):
    versions = lock.locked()
    wrong = {n: versions.get(n) for n, spec in lock.requirements().items() if versions.get(n) not in SpecifierSet(spec)}
    assert not wrong


def test_lock_has_hashes_and_names_no_package_index(lock):
    text = lock.LOCK.read_text()
    assert "http" not in text
    assert text.count("--hash=sha256:") >= len(lock.locked())


def test_environment_carries_the_cap_that_the_resolver_does_not_know(lock):
    # pynndescent 0.7 breaks scanpy's neighbours above 8,192 cells; small tests would never see it.
    assert "- pynndescent=0.6" in (ROOT / "environment.yml").read_text()


# declared without being imported, each with its reason beside it in pyproject.toml
NOT_IMPORTED = {"pygments", "pynndescent", "snakemake"}
OURS = {
    p.stem for p in [*ROOT.glob("tests/support/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")]
} | {p.name for p in ROOT.glob("benchmarks/*/")}


def imported(*folders: str) -> set[str]:
    """Distributions that the Python files below `folders` import, at any depth of the code."""
    known = packages_distributions()
    found = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module]
                for top in {name.split(".")[0] for name in names} - {"cimlnk"} - OURS - set(sys.stdlib_module_names):
                    found |= {n.lower().replace("_", "-") for n in known.get(top, [top])}
    return found


def test_what_the_library_imports_is_what_it_declares(lock):
    declared = set(lock.names("dependencies"))
    assert imported("workflow/cimlnk") == declared - NOT_IMPORTED


def test_what_tests_and_benchmarks_import_is_declared_as_an_extra(lock):
    extras = set(lock.names("optional-dependencies"))
    peers = {line.split("#")[0].strip().lower() for line in (ROOT / "benchmarks/peers.txt").read_text().splitlines()}
    peers = {n.split("=")[0].split(">")[0] for n in peers if n}
    assert imported("tests", "benchmarks") - set(lock.names("dependencies")) - extras - peers == set()


def test_extras_hold_what_their_names_say():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"dev", "references", "slurm", "scrublet"} <= set(extras)
