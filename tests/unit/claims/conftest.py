"""Cohorts as tables, with and without the study's effects."""

import numpy as np
import pytest

from calibration.claim_cohorts import NOISY, USUAL
from calibration.claim_tables import tables


@pytest.fixture(scope="session")
def story():
    return tables(6, np.random.default_rng(1), effect=True, noise=USUAL)


@pytest.fixture(scope="session")
def nulls():
    """Eight noisy cohorts in which nothing happens."""
    return [tables(6, np.random.default_rng([2, i]), effect=False, noise=NOISY, rna=False) for i in range(8)]
