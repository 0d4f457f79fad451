"""One whole run of the tiny cohort in a copy of the checkout, shared by the tests; and a headless browser."""

from __future__ import annotations

import fcntl
import os
import shutil

import pytest

from checkout import copy_checkout, snakemake
from chromium import Browser
from lab import Lab, make_lab


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A checkout in which the tiny cohort has been run with two cores; one for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    checkout, done = base / "tiny_run", base / "tiny_run.done"
    with (base / "tiny_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the second worker waits for the first one's run
        if not done.exists():
            copy_checkout(checkout)
            run = snakemake(checkout, "--cores", "2", "--configfile", "config/tiny.yaml")
            assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
            done.touch()
    return checkout


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Lab:
    """The lab without any fault, made once."""
    return make_lab(tmp_path_factory.mktemp("whole") / "lab")


@pytest.fixture
def lab(whole, tmp_path) -> Lab:
    """A copy to bend."""
    return whole.copy(tmp_path / "lab")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium on PATH: the report's pages are not opened")
    browser = Browser(binary, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
