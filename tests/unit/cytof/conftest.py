"""A few files of the tiny synthetic cohort with their truth, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLES = ("P1_pre_cytof", "P1_D28_cytof", "P2_D7_cytof", "P1_product_cytof")


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Folder with <sample>.fcs and <sample>.truth.parquet of four samples (two batches, one product)."""
    from cimlnk.simulate.cytof import simulate_cytof

    folder = tmp_path_factory.mktemp("cohort")
    for sample in SAMPLES:
        simulate_cytof("tiny", 1, sample, fcs=folder / f"{sample}.fcs", truth=folder / f"{sample}.truth.parquet")
    return folder


@pytest.fixture(scope="session")
def batches():
    return {s: "day2" if s.startswith("P2") else "day1" for s in SAMPLES}
