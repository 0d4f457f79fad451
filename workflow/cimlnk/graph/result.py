"""The clustering of the graph's cells, and the writing of tables of all cells in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.json import write_json
from cimlnk.common.tables import read_pieces, write_pieces, write_table

from .resolution import UNSTABLE_WORD
from .sketching import CHUNK, Known, Span
from .tables import CLUSTER_SUPPORT, CLUSTERS, RESOLUTIONS, UMAP

FEWEST = 50  # with fewer cells there is one cluster and no statement on stability
Values = Callable[[int, int], tuple[NDArray[np.int32], NDArray[np.float32]]]
Points = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Clustered:
    """Clusters of the cells of the graph (all, or a sketch), and what the tables of all cells need besides.

    Attributes
    ----------
    n, known
        Cells of the cohort; the cells of the graph, with their features if they are a sketch (else no columns).
    labels, confidence
        Of the cells of the graph.
    clusters
        CLUSTER_SUPPORT without sizes and confidence.
    sweep
        RESOLUTIONS.
    record
        ``clustering.json`` without what is counted over all cells; its provenance is that of all tables.
    spans
        Rows of every sample.
    """

    n: int
    known: Known
    labels: NDArray[np.int32]
    confidence: NDArray[np.float32]
    clusters: pd.DataFrame
    sweep: pd.DataFrame
    record: dict[str, Any]
    spans: dict[str, Span]

    def save(self, path: str | Path) -> None:
        """Write as npz."""
        tables = {"clusters": self.clusters.to_dict("list"), "sweep": self.sweep.to_dict("list")}
        rest = {"record": self.record, "spans": self.spans} | tables
        np.savez(
            path,
            n=np.int64(self.n),
            base=self.known.base,
            rows=self.known.rows,
            labels=self.labels,
            confidence=self.confidence,
            rest=np.array(json.dumps(rest, default=np.generic.item)),
        )

    @classmethod
    def load(cls, path: str | Path) -> Clustered:
        """Read what :meth:`save` wrote."""
        with np.load(path) as z:
            rest = json.loads(str(z["rest"]))
            spans = {sample: (first, last) for sample, (first, last) in rest["spans"].items()}
            known = Known(z["base"], z["rows"])
            tables = pd.DataFrame(rest["clusters"]), pd.DataFrame(rest["sweep"])
            return cls(int(z["n"]), known, z["labels"], z["confidence"], *tables, rest["record"], spans)


def too_few(n: int, spans: dict[str, Span], provenance: Mapping[str, Any]) -> Clustered:
    """One cluster of `n` cells, of which nothing is said."""
    one = min(n, 1)
    reason = f"{n} cells are fewer than the {FEWEST} needed to cluster"
    nothing = np.full(one, np.nan)
    table = pd.DataFrame(
        {
            "cluster": np.zeros(one, np.int32),
            "parent": np.zeros(one, np.int32),
            "support": nothing,
            "support_low": nothing,
            "parent_support": nothing,
            "reason": [reason] * one,
        }
    )
    record = {
        "verdict": UNSTABLE_WORD,
        "reason": reason,
        "resolution": None,
        "n_stable_clusters": one,
        "n_clusters": one,
        "sketch": None,
        "provenance": dict(provenance),
    }
    known = Known(np.zeros((n, 0), np.float32), np.arange(n, dtype=np.int64))
    return Clustered(
        n, known, np.zeros(n, np.int32), np.full(n, np.nan, np.float32), table, RESOLUTIONS.empty(), record, spans
    )


def read_rows(features: str | Path, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows (ascending) of a ``.npy`` matrix, in memory.

    The file is mapped again for every piece: a mapping holds every page it has touched, for a sketch the whole file.
    """
    n, d = np.load(features, mmap_mode="r").shape
    if len(rows) == n:
        return np.load(features)
    out = np.empty((len(rows), d), np.float32)
    for a in range(0, n, CHUNK):
        low, high = np.searchsorted(rows, [a, a + CHUNK])
        out[low:high] = np.load(features, mmap_mode="r")[rows[low:high]]
    return out


def sample_spans(cells: str | Path) -> dict[str, Span]:
    """First and last (exclusive) row of every sample of a table CELLS, read in pieces.

    Raises
    ------
    ValueError
        If the rows of a sample do not lie together: a fault in the features' rule.
    """
    spans: dict[str, Span] = {}
    at, last = 0, None
    for piece in read_pieces(cells, ["sample"]):
        values = piece["sample"].to_numpy(dtype=object)
        borders = np.flatnonzero(values[1:] != values[:-1]) + 1
        for a, b in pairwise([0, *borders.tolist(), len(values)]) if len(values) else ():
            sample = str(values[a])
            if sample in spans and sample != last:
                raise ValueError(f"the rows of sample {sample} do not lie together")
            spans[sample] = (spans[sample][0] if sample in spans else at + a, at + b)
            last = sample
        at += len(values)
    return spans


def _pieces(cells: str | Path) -> Iterator[tuple[int, int, pd.Series]]:
    at = 0
    for piece in read_pieces(cells, ["cell"]):
        if len(piece):
            yield at, at + len(piece), piece["cell"]
        at += len(piece)


def write_clusters(
    result: Clustered,
    values: Values,
    cells: str | Path,
    *,
    clusters: str | Path,
    resolutions: str | Path,
    support: str | Path,
    report: str | Path,
) -> None:
    """Write CLUSTERS, RESOLUTIONS, CLUSTER_SUPPORT and ``clustering.json`` of all cells.

    `values(a, b)` gives labels and confidence of the rows a..b; it is called for one row group of `cells` after the
    other, so memory holds one, and sums do not depend on how the values were made.
    """
    count = len(result.clusters)
    sizes, sums = np.zeros(count, np.int64), np.zeros(count)
    provenance = result.record["provenance"]

    def pieces() -> Iterator[pd.DataFrame]:
        for a, b, names in _pieces(cells):
            labels, confidence = values(a, b)
            sizes[:] += np.bincount(labels, minlength=count)
            sums[:] += np.bincount(labels, confidence, count)
            yield pd.DataFrame({"cell": names, "cluster": labels, "confidence": confidence})

    write_pieces(pieces(), clusters, CLUSTERS, provenance=provenance)
    write_table(result.sweep, resolutions, RESOLUTIONS, provenance=provenance)
    n = int(sizes.sum())
    if n != result.n:
        raise ValueError(f"{n} cells were labelled, the features have {result.n}")
    table = result.clusters.assign(n_cells=sizes, fraction=sizes / max(n, 1), confidence=sums / np.maximum(sizes, 1))
    write_table(table if n else CLUSTER_SUPPORT.empty(), support, CLUSTER_SUPPORT, provenance=provenance)
    counted = {
        "supported_cells": float(table.loc[table["support"] >= 0.75, "fraction"].sum()),
        "mean_confidence": float(sums.sum() / n) if n else None,
    }
    write_json(report, result.record | counted)


def write_points(points: Points, cells: str | Path, umap: str | Path, *, provenance: Mapping[str, Any]) -> None:
    """Write UMAP of all cells; `points(a, b)` gives the positions of the rows a..b."""

    def pieces() -> Iterator[pd.DataFrame]:
        for a, b, names in _pieces(cells):
            place = points(a, b)
            yield pd.DataFrame({"cell": names, "umap1": place[:, 0], "umap2": place[:, 1]})

    write_pieces(pieces(), umap, UMAP, provenance=provenance)
