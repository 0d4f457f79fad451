"""The three descriptions of the environment agree: pyproject (allowed), lock (tested), environment.yml (conda)."""

import importlib.util
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
