"""What the rule dynamics_diversity runs: read abundance, write diversity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.tables import DIVERSITY

from .diversity import make_diversity

PathLike = str | Path


def write_diversity(
    abundance: PathLike, settings: Mapping[str, Any], seed: int, *, diversity: PathLike, provenance: Mapping[str, Any]
) -> None:
    """Write DIVERSITY."""
    table = make_diversity(read_table(abundance), settings["min_cells"], settings["draws"], seed=seed)
    write_table(table, diversity, DIVERSITY, provenance=provenance)
