"""A lab's cohort that would run, made once; tests that bend it take a copy."""

import pytest

from lab import make_lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    return make_lab(tmp_path_factory.mktemp("lab") / "lab")
