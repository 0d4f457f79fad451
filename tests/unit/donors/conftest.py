"""Settings and rows as the config and the donor sheet give them."""

from __future__ import annotations

import pandas as pd
import pytest

from cimlnk.cohort.config import resolve


@pytest.fixture(scope="session")
def settings():
    """Config section donors with its defaults."""
    return resolve({"cohort": {"id": "t", "samples": "config/samples/demo.tsv"}}, ".")["donors"]


@pytest.fixture
def row():
    """A row of the donor sheet."""
    empty = dict.fromkeys(("column", "barcodes", "labels", "genotypes", "second", "second_column", "antibody"))
    return lambda **given: empty | given


@pytest.fixture
def facts():
    """SAMPLES of (sample, patient, day[, tissue])."""

    def make(*samples):
        return pd.DataFrame(
            [
                {"sample": s, "patient": p, "day": d, "timepoint": f"D{d}", "arm": "CIML",
                 "tissue_or_product": tissue[0] if tissue else "blood"}
                for s, p, d, *tissue in samples
            ]
        )  # fmt: skip

    return make
