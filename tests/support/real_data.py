"""Where the real data of tests lie, and a skip where a part of them is not there."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def source(name: str) -> Path:
    """A file or folder of the real data."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent: set CIMLNK_TEST_DATA")
    return path
