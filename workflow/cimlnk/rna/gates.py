"""The gate table of one sample, row by row, in the order the gates are applied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .qc import Bound
from .tables import GATES


class GateTable:
    """Collects the rows; each gate's parent is the one before it."""

    def __init__(self, sample: str) -> None:
        self.sample = sample
        self.rows: list[dict[str, Any]] = []

    def add(
        self,
        gate: str,
        n_in: int,
        n_out: int,
        *,
        method: str,
        channel: str | None = None,
        between: tuple[float, float] | None = None,
        threshold: tuple[float, float, float] = (np.nan, np.nan, np.nan),
        reason: str | None = None,
    ) -> None:
        """Add a gate; `between` is the number kept at the strict and the generous end of the threshold."""
        low, high = between if between is not None else (float(n_out), float(n_out))
        self.rows.append(
            {
                "sample": self.sample,
                "step": len(self.rows) + 1,
                "gate": gate,
                "parent": self.rows[-1]["gate"] if self.rows else None,
                "n_in": n_in,
                "n_out": n_out,
                "n_out_low": low,
                "n_out_high": high,
                "channel": channel,
                "threshold": threshold[0],
                "threshold_low": threshold[1],
                "threshold_high": threshold[2],
                "method": method,
                "reason": reason,
            }
        )

    def apply(self, bound: Bound, values: np.ndarray, kept: np.ndarray, *, method: str) -> np.ndarray:
        """Apply one quality bound to the cells `kept` so far; returns the new mask."""
        passing = kept & bound.passes(values)
        ends = [float((kept & bound.passes(values, at)).sum()) for at in (bound.low, bound.high)]
        self.add(
            bound.gate,
            int(kept.sum()),
            int(passing.sum()),
            method=method,
            channel=bound.channel,
            between=(min(ends), max(ends)),
            threshold=(float(bound.value), float(bound.low), float(bound.high)),
        )
        return passing

    def table(self) -> pd.DataFrame:
        return GATES.check(pd.DataFrame(self.rows)) if self.rows else GATES.empty()
