"""One whole run of the tiny cohort in a copy of the checkout, shared by the tests; and a headless browser."""

from __future__ import annotations

import shutil

import pytest

from checkout import copy_checkout, snakemake
from chromium import Browser


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A checkout in which the tiny cohort has been run with two cores."""
    checkout = copy_checkout(tmp_path_factory.mktemp("clone"))
    done = snakemake(checkout, "--cores", "2", "--configfile", "config/tiny.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return checkout


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium on PATH: the report's pages are not opened")
    browser = Browser(binary, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
