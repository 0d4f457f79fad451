"""Distances between samples' repertoires, and permutation tests that respect who the samples come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def distance_table(distance: Floats, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of samples: sample, other, distance, same_patient, same_timepoint, days_apart."""
    i, j = np.triu_indices(len(distance), 1)
    s = samples.reset_index(drop=True)
    return pd.DataFrame(
        {
            "sample": s["sample"].to_numpy()[i],
            "other": s["sample"].to_numpy()[j],
            "distance": distance[i, j],
            "same_patient": s["patient"].to_numpy()[i] == s["patient"].to_numpy()[j],
            "same_timepoint": s["timepoint"].to_numpy()[i] == s["timepoint"].to_numpy()[j],
            "days_apart": np.abs(s["day"].to_numpy()[i] - s["day"].to_numpy()[j]).astype(float),
        }
    )
