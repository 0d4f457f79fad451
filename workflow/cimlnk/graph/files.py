"""The three pipeline verbs: features to graph, graph to clusters, graph to picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.json import write_json

from .communities import leiden, modularity
from .edges import csr, weights
from .nearest import Knn, knn
from .resolution import Choice, choose_resolution
from .result import FEWEST, Clustered, read_rows, sample_spans, too_few, write_clusters, write_points
from .sample_transfer import save_picture
from .sketching import Known, Span, labelled, place, reproduced, sketch
from .subclusters import subcluster
from .support import support_of
from .umap import umap_layout


@dataclass(frozen=True)
class Saved:
    """What ``graph.npz`` holds: neighbour lists, weights, and the rows of the features they are about."""

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    W: sp.csr_matrix
    rows: NDArray[np.int64]
    order: NDArray[np.int32]
    n: int


def load_graph(path: str | Path) -> Saved:
    """Read ``graph.npz``."""
    with np.load(path) as z:
        W = csr(z["indptr"], z["csr_indices"], z["data"])
        return Saved(z["indices"], z["distances"], W, z["rows"], z["order"], int(z["n_cells"]))


def make_graph(
    features: str | Path,
    graph: str | Path,
    report: str | Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
) -> None:
    """Neighbour lists and weights of ``features.npy``, of a sketch of it above ``graph.sketch_above`` cells.

    Writes `graph` (npz: indices, distances, the weighted CSR as data, csr_indices, indptr; rows = the rows of the
    features the graph is about; order; n_cells) and `report` (JSON: parameters, measured recall).
    """
    X = np.load(features, mmap_mode="r")
    n = len(X)
    rows = np.arange(n, dtype=np.int64)
    if n > settings["sketch_above"]:
        rows = sketch(X, settings["sketch_size"], seed)
    k = min(int(settings["k"]), len(rows) - 1)
    if k < 1:
        nothing = np.zeros((len(rows), 0), np.int32)
        lists = Knn(nothing, nothing.astype(np.float32), np.arange(len(rows), dtype=np.int32), 1.0, 0.0, "exact", 0, 0)
        W = csr(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    else:
        lists = knn(
            read_rows(features, rows) if len(rows) < n else np.asarray(X),
            k,
            settings["recall"],
            seed=seeds.derive(seed, "knn"),
            threads=threads,
        )
        W = weights(lists, settings["weights"], threads)
    np.savez(
        graph,
        indices=lists.indices,
        distances=lists.distances,
        data=W.data,
        csr_indices=W.indices,
        indptr=W.indptr.astype(np.int64),
        rows=rows,
        order=lists.order,
        n_cells=np.int64(n),
    )
    write_json(
        report,
        {
            "n_cells": n,
            "n_graph": len(rows),
            "sketch": len(rows) < n,
            "n_features": int(X.shape[1]),
            "k": k,
            "weights": settings["weights"],
            "method": lists.method,
            "effort": lists.effort,
            "recall_asked": settings["recall"],
            "recall": lists.recall,
            "recall_error": lists.recall_error,
            "recall_queries": lists.queries,
            "edges": int(W.nnz // 2),
            "provenance": dict(provenance),
        },
    )


def make_clusters(
    features: str | Path,
    cells: str | Path,
    graph: str | Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
    clusters: str | Path | None = None,
    resolutions: str | Path | None = None,
    support: str | Path | None = None,
    report: str | Path | None = None,
    clustered: str | Path | None = None,
) -> None:
    """Stable clusters of the graph, their finer parts, support, confidence and verdict.

    Writes the tables CLUSTERS, RESOLUTIONS and CLUSTER_SUPPORT and a JSON with the verdict. With `clustered` it writes
    the clustering of the graph's cells there instead (npz), for :func:`.sample_transfer.make_part` to transfer it
    sample by sample and :func:`.sample_transfer.gather` to write the tables.
    """
    X = np.load(features, mmap_mode="r")
    saved = load_graph(graph)
    spans = sample_spans(cells)
    counted = max((last for _, last in spans.values()), default=0)
    if counted != len(X) or saved.n != len(X):
        raise ValueError(f"{counted} cells, {len(X)} rows of features, graph of {saved.n}")
    if len(saved.rows) < FEWEST:
        result = too_few(saved.n, spans, provenance)
    else:
        result = _clustered(
            read_rows(features, saved.rows),
            saved,
            spans,
            settings=settings,
            seed=seed,
            threads=threads,
            provenance=provenance,
        )
    if clustered is not None:
        result.save(clustered)
        return
    if clusters is None or resolutions is None or support is None or report is None:
        raise ValueError("clusters, resolutions, support and report must be named, or clustered")
    labels, confidence = labelled(
        X,
        result.known,
        result.labels,
        confidence=result.confidence,
        seed=seed,
        threads=threads,
        spans=list(spans.values()),
    )
    write_clusters(
        result,
        lambda a, b: (labels[a:b], confidence[a:b]),
        cells,
        clusters=clusters,
        resolutions=resolutions,
        support=support,
        report=report,
    )


def _clustered(
    Z: NDArray[np.float32],
    saved: Saved,
    spans: dict[str, Span],
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
) -> Clustered:
    choice = _stable(saved, Z, settings, seed=seed, threads=threads)
    rare = settings["rare"]
    labels = choice.labels
    if rare["enabled"]:
        labels = subcluster(
            saved.W, choice.labels, rare["resolution"], min_fraction=rare["min_fraction"], min_cells=rare["min_cells"],
            objective=settings["objective"], seed=seed, order=saved.order, threads=threads,
        )  # fmt: skip
    found = support_of(
        saved.W,
        labels,
        rare["resolution"],
        choice=choice,
        X=Z,
        settings=settings,
        seed=seed,
        order=saved.order,
        threads=threads,
    )
    known, sketched = _known(Z, saved), None
    if len(saved.rows) < saved.n:
        agreement = reproduced(Z, labels, found.confidence, seed=seed, threads=threads)
        sketched = {"cells": len(saved.rows), "transfer_agreement": agreement}
    record = {
        "verdict": choice.verdict,
        "reason": choice.reason,
        "resolution": choice.resolution,
        "resolution_asked": settings["resolution"],
        "n_stable_clusters": int(choice.labels.max()) + 1,
        "n_clusters": int(labels.max()) + 1,
        "rare_resolution": rare["resolution"] if rare["enabled"] else None,
        "modularity": modularity(saved.W, labels),
        "stability_cells": found.cells,
        "sketch": sketched,
        "provenance": dict(provenance),
    }
    return Clustered(saved.n, known, labels, found.confidence, found.table(), choice.table, record, spans)


def _known(Z: NDArray[np.float32], saved: Saved) -> Known:
    """The graph's cells; their features are kept only where others will be compared with them."""
    return Known(Z if len(saved.rows) < saved.n else np.zeros((saved.n, 0), np.float32), saved.rows)


def _stable(saved: Saved, Z: NDArray[np.float32], settings: Mapping[str, Any], *, seed: int, threads: int) -> Choice:
    asked = settings["resolution"]
    choice = choose_resolution(
        saved.W,
        Z,
        settings["resolutions"] if asked == "auto" else sorted({*settings["resolutions"], float(asked)}),
        k=settings["k"],
        kind=settings["weights"],
        objective=settings["objective"],
        n_subsamples=settings["subsamples"],
        fraction=settings["subsample_fraction"],
        seed=seed,
        order=saved.order,
        threads=threads,
        stability_cells=settings["stability_cells"],
        fixed=None if asked == "auto" else float(asked),
    )
    if settings["backend"] == "cimlnk":
        return choice
    found = leiden(
        saved.W,
        choice.resolution,
        settings["objective"],
        seed=seed,
        n_iterations=2,
        initial=None,
        backend=settings["backend"],
        order=saved.order,
        threads=threads,
    )
    return choice.relabelled(found.labels)


def make_umap(
    features: str | Path,
    cells: str | Path,
    graph: str | Path,
    *,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
    umap: str | Path | None = None,
    picture: str | Path | None = None,
) -> None:
    """UMAP coordinates of every cell (table UMAP) from the saved graph; cells outside a sketch are placed into it.

    With `picture` the coordinates of the graph's cells are written there (npz) instead, for :mod:`.sample_transfer`.
    """
    X = np.load(features, mmap_mode="r")
    saved = load_graph(graph)
    options = settings["umap"]
    Z = read_rows(features, saved.rows)
    epochs = None if options["epochs"] == "auto" else int(options["epochs"])
    points = np.zeros((0, 2), np.float32)
    if len(Z):
        points = umap_layout(
            saved.W, Z, seeds.derive(seed, "umap"), min_dist=options["min_dist"], n_epochs=epochs, threads=threads
        )
    if picture is not None:
        save_picture(picture, points, dict(provenance))
        return
    if umap is None:
        raise ValueError("umap must be named, or picture")
    spans = list(sample_spans(cells).values())
    placed = place(X, _known(Z, saved), points, seed=seed, threads=threads, spans=spans)
    write_points(lambda a, b: placed[a:b], cells, umap, provenance=provenance)
