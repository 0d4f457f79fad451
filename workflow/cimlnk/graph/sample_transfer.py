"""The transfer from a sketch, one sample at a time, and the gathering of the parts into the tables of all cells."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .result import Clustered, write_clusters, write_points
from .sketching import labelled, place


def save_picture(path: str | Path, points: NDArray[np.float32], provenance: dict[str, Any]) -> None:
    """Positions of the graph's cells, with the provenance that the table of all cells will carry."""
    np.savez(path, points=points, provenance=np.array(json.dumps(provenance)))


def make_part(
    features: str | Path,
    clustered: str | Path,
    picture: str | Path,
    *,
    part: str | Path,
    sample: str,
    seed: int,
    threads: int,
) -> None:
    """Labels, confidence and positions of one sample's cells.

    Parameters
    ----------
    features
        The n x d matrix; only the sample's rows are read.
    clustered, picture
        npz of :func:`.files.make_clusters` and :func:`.files.make_umap` with ``transfer: per_sample``.
    part
        Written, npz: span (first row, and the one behind the last), labels, confidence, points. A sample without
        cells gets an empty span.
    """
    known = Clustered.load(clustered)
    with np.load(picture) as z:
        points = z["points"]
    X = np.load(features, mmap_mode="r")
    span = known.spans.get(sample, (0, 0))
    labels, confidence = labelled(
        X, known.known, known.labels, confidence=known.confidence, seed=seed, threads=threads, spans=[span]
    )
    placed = place(X, known.known, points, seed=seed, threads=threads, spans=[span])
    np.savez(part, span=np.array(span, np.int64), labels=labels, confidence=confidence, points=placed)


def gather(
    clustered: str | Path,
    picture: str | Path,
    parts: Iterable[str | Path],
    *,
    cells: str | Path,
    clusters: str | Path,
    resolutions: str | Path,
    support: str | Path,
    report: str | Path,
    umap: str | Path,
) -> None:
    """Write the tables of the graph stage and the JSON with the verdict from the parts of :func:`make_part`.

    The bytes are those that ``transfer: together`` writes. At any time one part and one row group of `cells` are held.

    Raises
    ------
    ValueError
        If the parts are not, together, every row once: a fault in the calling code.
    """
    result = Clustered.load(clustered)
    saved = Parts(parts, result.n)
    write_clusters(
        result, lambda a, b: (saved.rows("labels", a, b), saved.rows("confidence", a, b)), cells, clusters=clusters,
        resolutions=resolutions, support=support, report=report,
    )  # fmt: skip
    with np.load(picture) as z:
        provenance = json.loads(str(z["provenance"]))
    write_points(lambda a, b: saved.rows("points", a, b), cells, umap, provenance=provenance)


class _Part(NamedTuple):
    first: int
    last: int
    path: str | Path


class Parts:
    """The per-sample parts as if they were one array per name."""

    def __init__(self, paths: Iterable[str | Path], n: int) -> None:
        found = []
        for path in paths:
            with np.load(path) as z:
                first, last = (int(v) for v in z["span"])
            if last > first:
                found.append(_Part(first, last, path))
        self.parts = sorted(found)
        if [p.first for p in self.parts] + [n] != [0] + [p.last for p in self.parts]:
            spans = ", ".join(f"{p.first} to {p.last}" for p in self.parts)
            raise ValueError(f"the parts hold the rows {spans or 'none'}, expected 0 to {n} without gap or overlap")

    def rows(self, name: str, a: int, b: int) -> Any:
        """The rows a..b of the array `name`."""
        pieces = []
        for first, last, path in self.parts:
            if first < b and last > a:
                with np.load(path) as z:
                    pieces.append(z[name][max(a, first) - first : min(b, last) - first])
        return np.concatenate(pieces)
