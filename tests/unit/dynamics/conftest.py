"""A cohort small enough to do by hand: two patients, three days, three populations."""

import numpy as np
import pandas as pd
import pytest

UNCERTAINTY = {"count_cv": 0.15, "fraction_overdispersion": 0.0005, "label_correlation": 0.01}
FEW_CELLS = {"min_nk": 20, "min_lymphocytes": 50, "min_baseline": 5}


def cells_of(sample: str, cells: dict[str, int], confidence: float = 1.0) -> pd.DataFrame:
    """POPULATIONS rows of one sample with the given number of cells per population."""
    population = np.repeat(list(cells), list(cells.values()))
    return pd.DataFrame(
        {
            "cell": [f"{sample}:{i}" for i in range(len(population))],
            "sample": sample,
            "cluster": np.zeros(len(population), dtype="int32"),
            "population": population,
            "confidence": np.full(len(population), confidence, dtype="float32"),
        }
    )


def summary_of(samples: list[str], **columns) -> pd.DataFrame:
    """SUMMARY with plain numbers unless told otherwise."""
    table = pd.DataFrame({"sample": samples})
    defaults = {
        "n_events": 5000,
        "n_live_singlets": 4000,
        "n_lymphocytes": 2000.0,
        "n_nk": 1000,
        "n_nk_low": np.nan,
        "n_nk_high": np.nan,
        "qc_score": 1.0,
        "left_out": False,
        "reason": None,
    }
    for name, value in {**defaults, **columns}.items():
        table[name] = value
    return table


@pytest.fixture
def cohort():
    """Inputs of `make_abundance`: A has files at -7, 7, 28 and a product; B a count without a file on day 7."""
    samples = pd.DataFrame(
        [
            ("A_pre", "A", -7, "pre", "CIML", "blood"),
            ("A_product", "A", 0, "product", "CIML", "product"),
            ("A_d7", "A", 7, "D7", "CIML", "blood"),
            ("A_d28", "A", 28, "D28", "CIML", "blood"),
            ("B_pre", "B", -6, "pre", "IL2", "blood"),
        ],
        columns=["sample", "patient", "day", "timepoint", "arm", "tissue_or_product"],
    ).assign(modality="cytof")
    counts = pd.DataFrame(
        [("A", -7, 20.0), ("A", 7, 400.0), ("A", 28, 100.0), ("B", -6, np.nan), ("B", 7, 50.0), ("B", 30, np.nan)],
        columns=["patient", "day", "nk_per_ul"],
    ).assign(lymphocytes_per_ul=[np.nan, np.nan, np.nan, 60.0, np.nan, 80.0], il2_dose=np.nan, event=None)
    patients = pd.DataFrame({"patient": ["A", "B"], "arm": ["CIML", "IL2"]})
    cells = pd.concat(
        [
            cells_of("A_pre", {"bright": 100, "dim": 900}),
            cells_of("A_product", {"bright": 500, "dim": 500}),
            cells_of("A_d7", {"bright": 400, "dim": 500, "late": 100}),
            cells_of("A_d28", {"bright": 150, "dim": 850}),
            cells_of("B_pre", {"bright": 200, "dim": 800}),
        ],
        ignore_index=True,
    )
    return {
        "populations": {"cytof": cells},
        "summaries": {"cytof": summary_of(list(samples["sample"]))},
        "samples": samples,
        "counts": counts,
        "patients": patients,
        "uncertainty": UNCERTAINTY,
        "few_cells": FEW_CELLS,
    }
