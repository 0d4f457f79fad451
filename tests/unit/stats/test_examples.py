"""The examples in the docstrings of the statistics run as they stand."""

from __future__ import annotations

import doctest

import pytest

from cimlnk.stats import diversity, intervals


@pytest.mark.parametrize("module", [diversity, intervals])
def test_examples(module):
    tried = doctest.testmod(module)
    assert tried.attempted and not tried.failed
