"""The lineages of one batch as they were written: what places its further events and fits its gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .call import Contradiction
from .evidence import Cuts
from .transfer import Placed, place_events

Floats = NDArray[np.floating]


class Batch(NamedTuple):
    """What the clustered events of a batch say.

    Attributes
    ----------
    values, markers
        Events x lineage markers (analysis scale), and their names.
    by_clusters, lineage
        Probabilities by the clusters, and the final lineage (code in LINEAGES) of every event.
    contradiction, cuts, noise
        What single events may carry, where positive begins, and the level of the noise.
    counts
        Clusterings x LINEAGES: events called by each clustering alone.
    limits
        What could not be determined for lack of a marker.
    """

    values: NDArray[np.float32]
    markers: list[str]
    by_clusters: NDArray[np.float32]
    lineage: NDArray[np.int8]
    contradiction: Contradiction
    cuts: Cuts
    noise: Floats
    counts: NDArray[np.int64]
    limits: list[str]

    def place(self, values: Floats, seed: int = 0, threads: int | None = None) -> Placed:
        """Lineages of further events of the batch (events x :attr:`markers`)."""
        return place_events(values, self.values, self.by_clusters, rule=self.contradiction, seed=seed, threads=threads)


def load_batch(path: str | Path, batch: str) -> tuple[Batch | None, str | None]:
    """The lineages of one batch as :func:`cimlnk.cytof.lineages.make_lineages` wrote them, or None and the reason."""

    def numbers(values: list[float | None]) -> Floats:
        return np.array([np.nan if v is None else v for v in values], np.float64)

    with np.load(path) as z:
        detail = json.loads(str(z["details"])).get(batch)
        if detail is None or detail["reason"] is not None:
            return None, detail["reason"] if detail else f"no lineages of batch {batch}"
        own = z["batch"] == z["batches"].tolist().index(batch)
        markers = z["markers"].tolist()
        columns = [markers.index(m) for m in detail["markers"]]
        values = z["values"][own][:, columns]
        by_clusters, lineage = z["by_clusters"][own], z["lineage"][own]
    said = detail["cuts"]
    ends = {k: numbers(said[k]) for k in ("value", "low", "high", "brightest", "base")}
    cuts = Cuts(detail["markers"], **ends, method=said["method"], reason=said["reason"])
    rule = Contradiction(**{k: numbers(v) for k, v in detail["contradiction"].items()})
    counts = np.array(detail["counts"], np.int64)
    noise = numbers(detail["noise"])
    return Batch(values, detail["markers"], by_clusters, lineage, rule, cuts, noise, counts, detail["limits"]), None
