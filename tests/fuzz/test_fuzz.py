"""A small form of ./run fuzz: damaged files of every kind end in a result or in one-line messages."""

from __future__ import annotations

import pytest
from damaged import cases, damage, kinds, outcome, spoiled
from small_files import make_small_files

EACH = 8


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    base = tmp_path_factory.mktemp("fuzz") / "good"
    make_small_files(base)
    return kinds(base)


def test_every_kind_reads_its_good_file(good):
    assert len({kind.name for kind in good}) == len(good) >= 40
    for kind in good:
        assert outcome(kind, kind.good) == "read", kind.name


def test_damaged_files_are_read_or_told(good, tmp_path):
    told = [outcome(kind, spoiled(kind, n, tmp_path)) for kind, n in cases(good, range(EACH * len(good)))]
    assert told.count("told") > len(told) / 2  # the damage is real


def test_damage_changes_the_bytes():
    import numpy as np

    data = bytes(range(256)) * 4
    assert sum(damage(data, np.random.default_rng(n)) != data for n in range(50)) >= 48
