"""Damage that libhdf5 would follow without end is reported before it reads."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.rna.checked_h5 import HEAP, check_heaps
from cimlnk.rna.read import read_counts
from cimlnk.rna.read_h5 import read_obs


@pytest.fixture
def h5ad(tmp_path):
    obs = pd.DataFrame({"sample": pd.Categorical(["x", "y"] * 15)}, index=[f"CELL{i}" for i in range(30)])
    var = pd.DataFrame(index=[f"GENE{i}" for i in range(12)])
    counts = np.random.default_rng(1).poisson(1.0, (30, 12)).astype(np.float32)
    ad.AnnData(counts, obs, var).write_h5ad(tmp_path / "a.h5ad")
    return tmp_path / "a.h5ad"


def test_heaps_of_good_files_are_walked_to_their_end(h5ad):
    assert HEAP in h5ad.read_bytes()
    check_heaps(h5ad)
    assert read_counts(h5ad).matrix.shape == (30, 12)


@pytest.mark.parametrize("read", [read_counts, read_obs])
@pytest.mark.parametrize("size", [0, 1 << 40])
def test_a_heap_whose_objects_lead_nowhere_is_told(h5ad, size, read):
    data = bytearray(h5ad.read_bytes())
    start = data.index(HEAP)
    at, end = start + 16, start + int.from_bytes(data[start + 8 : start + 16], "little")
    while end - at >= 16 and data[at : at + 2] != b"\0\0":  # to the free space behind the texts
        at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
    data[at + 8 : at + 16] = size.to_bytes(8, "little")
    h5ad.write_bytes(data)
    with pytest.raises(UserError, match="a damaged heap of texts"):
        read(h5ad)
