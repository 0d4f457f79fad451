"""Which names are right for a cell of known truth.

A cell's own region, the region across a border that is near (``also`` of the truth), other words for the same, and a
less specific name: calling a CD56dim_KIR cell CD56dim is right and says less. Only the first two and the other words
count in the adjusted Rand index.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Names without a claim about history, for the same cells where nobody was infused.
SYNONYMS = {"NKG2A_high": "memory_like", "activated": "CIML_activated"}
PARENTS: dict[str, tuple[str, ...]] = {
    "CD56dim_NKG2A": ("CD56dim",),
    "CD56dim_KIR": ("CD56dim",),
    "CD56dim_CD57": ("CD56dim",),
    "adaptive": ("CD56dim",),
    "memory_like": ("CD56dim",),
}
UNNAMED = "unassigned"


def plain(found: np.ndarray) -> np.ndarray:
    """Found names with other words for the same replaced (object array)."""
    return pd.Series(found, dtype=object).replace(SYNONYMS).to_numpy(dtype=object)


def nearest_truth(truth: np.ndarray, also: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The truth of every cell, its second name where that is the one that was found."""
    return np.where((also != "") & (found == also), also, truth)


def less_specific(truth: np.ndarray, also: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Whether the found name is a parent of one that holds (bool)."""
    right = np.zeros(len(truth), dtype=bool)
    for name, parents in PARENTS.items():
        right |= ((truth == name) | (also == name)) & np.isin(found, parents)
    return right
