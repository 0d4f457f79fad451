"""Events that no file should hold: those of another sample's file, and values that are no numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.provenance import sha256

from .findings import WARN, Findings

KEPT = 500  # events of a file that are compared: those of the smallest hashes, so that copies keep the same ones
MEASURED = 6  # values other than 0 without which an event is too plain to be known again
SHARED = 0.2  # share of a file's compared events in another file from which they are one file's
FEWEST = 10


@dataclass
class Events:
    """What is known of the files looked at so far."""

    first: dict[int, str] = field(default_factory=dict)  # hash of an event -> the first sample that has it
    paths: dict[str, Path] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)  # marker -> files with values that are no numbers

    def add(self, sample: str, path: Path, values: np.ndarray, *, names: Sequence[str], findings: Findings) -> None:
        """Look at the measured values (events × names) of one file.

        A file that was exported twice under two names differs in its header alone, or in its order or number of
        events. Rows of one path (a pool of barcoded samples) are passed over, and so are copies byte for byte, which
        are told elsewhere.
        """
        self.odd.update(n for n, bad in zip(names, ~np.isfinite(values).all(axis=0), strict=True) if bad)
        rows = values[(values != 0).sum(axis=1) >= min(MEASURED, values.shape[1])]
        ordered = pd.DataFrame(rows[:, np.argsort(names)])
        hashes = np.unique(pd.util.hash_pandas_object(ordered, index=False).to_numpy())[:KEPT].tolist()
        self.paths[sample] = path.resolve()
        shared = Counter(self.first[h] for h in hashes if h in self.first)
        for h in hashes:
            self.first.setdefault(h, sample)
        if not shared:
            return
        other, n = shared.most_common(1)[0]
        one, two = self.paths[other], self.paths[sample]
        if n < max(FEWEST, SHARED * len(hashes)) or one == two:
            return
        if one.stat().st_size != two.stat().st_size or sha256(one) != sha256(two):
            findings.add(
                WARN,
                f"the file of sample {sample} holds events of sample {other} ({n} of {len(hashes)} compared are the "
                "same in every channel): was one sample exported twice? Its cells would count twice",
            )

    def tell(self, findings: Findings, n_files: int) -> None:
        """Markers with values that are no numbers."""
        for name, n in sorted(self.odd.items()):
            findings.add(
                WARN, f"{name} has values that are no numbers (NaN or infinite) in {n} of {count(n_files, 'file')}"
            )
