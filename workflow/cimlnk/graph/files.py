"""The three pipeline verbs: features to graph, graph to clusters, graph to picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.tables import read_table, write_table

from .communities import leiden, modularity
from .edges import csr, weights
from .nearest import Knn, knn
from .rare import subcluster
from .resolution import UNSTABLE_WORD, Choice, choose_resolution
from .sketching import place, sketch, transfer
from .support import support_of
from .tables import CLUSTER_SUPPORT, CLUSTERS, RESOLUTIONS, UMAP
from .umap import umap_layout

FEWEST = 50  # with fewer cells there is one cluster and no statement on stability


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
        lists = Knn(np.zeros((len(rows), 0), np.int32), np.zeros((len(rows), 0), np.float32), 1.0, 0.0, "exact", 0, 0,
                    np.arange(len(rows), dtype=np.int32))  # fmt: skip
        W = csr(np.zeros(len(rows) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    else:
        lists = knn(
            np.asarray(X[rows] if len(rows) < n else X), k, settings["recall"], seeds.derive(seed, "knn"), threads
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
    clusters: str | Path,
    resolutions: str | Path,
    support: str | Path,
    report: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
) -> None:
    """Stable clusters of the graph, their finer parts, support, confidence and verdict.

    Writes the tables CLUSTERS, RESOLUTIONS and CLUSTER_SUPPORT and a JSON with the verdict.
    """
    names = read_table(cells)["cell"]
    X = np.load(features, mmap_mode="r")
    saved = load_graph(graph)
    if len(names) != len(X) or saved.n != len(X):
        raise ValueError(f"{len(names)} cells, {len(X)} rows of features, graph of {saved.n}")
    if len(saved.rows) < FEWEST:
        _too_few(names, clusters, resolutions, support, report, provenance)
        return
    Z = np.asarray(X[saved.rows])
    choice = _stable(saved, Z, settings, seed, threads)
    rare = settings["rare"]
    labels = choice.labels
    if rare["enabled"]:
        labels = subcluster(
            saved.W, choice.labels, rare["resolution"], rare["min_fraction"], rare["min_cells"], settings["objective"],
            seed, saved.order, threads,
        )  # fmt: skip
    found = support_of(saved.W, labels, rare["resolution"], choice, Z, settings, seed, saved.order, threads)
    confidence, sketched = found.confidence, None
    if len(saved.rows) < saved.n:
        labels_all, confidence, agreement = transfer(X, saved.rows, labels, confidence, seed, threads)
        sketched = {"cells": len(saved.rows), "transfer_agreement": agreement}
    else:
        labels_all = labels
    write_table(
        pd.DataFrame({"cell": names, "cluster": labels_all, "confidence": confidence}), clusters, CLUSTERS, provenance
    )
    write_table(choice.table, resolutions, RESOLUTIONS, provenance)
    table = found.table(labels_all, confidence)
    write_table(table, support, CLUSTER_SUPPORT, provenance)
    write_json(
        report,
        {
            "verdict": choice.verdict,
            "reason": choice.reason,
            "resolution": choice.resolution,
            "resolution_asked": settings["resolution"],
            "n_stable_clusters": int(choice.labels.max()) + 1,
            "n_clusters": int(labels.max()) + 1,
            "rare_resolution": rare["resolution"] if rare["enabled"] else None,
            "modularity": modularity(saved.W, labels),
            "stability_cells": found.cells,
            "supported_cells": float(table.loc[table["support"] >= 0.75, "fraction"].sum()),
            "mean_confidence": float(np.mean(confidence, dtype=np.float64)),
            "sketch": sketched,
            "provenance": dict(provenance),
        },
    )


def _stable(saved: Saved, Z: NDArray[np.float32], settings: Mapping[str, Any], seed: int, threads: int) -> Choice:
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
        saved.W, choice.resolution, settings["objective"], seed, 2, None, settings["backend"], saved.order, threads
    )
    return choice.relabelled(found.labels)


def _too_few(
    names: pd.Series,
    clusters: str | Path,
    resolutions: str | Path,
    support: str | Path,
    report: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    n = len(names)
    reason = f"{n} cells are fewer than the {FEWEST} needed to cluster"
    table = pd.DataFrame({"cell": names, "cluster": np.zeros(n, np.int32), "confidence": np.full(n, np.nan)})
    write_table(table, clusters, CLUSTERS, provenance)
    write_table(RESOLUTIONS.empty(), resolutions, RESOLUTIONS, provenance)
    row = {c: [np.nan] for c in CLUSTER_SUPPORT.columns} | {
        "cluster": [0], "parent": [0], "n_cells": [n], "fraction": [1.0], "reason": [reason]
    }  # fmt: skip
    one = pd.DataFrame(row) if n else CLUSTER_SUPPORT.empty()
    write_table(one, support, CLUSTER_SUPPORT, provenance)
    write_json(
        report,
        {
            "verdict": UNSTABLE_WORD,
            "reason": reason,
            "resolution": None,
            "n_stable_clusters": min(n, 1),
            "n_clusters": min(n, 1),
            "sketch": None,
            "provenance": dict(provenance),
        },
    )


def make_umap(
    features: str | Path,
    cells: str | Path,
    graph: str | Path,
    umap: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    provenance: Mapping[str, Any],
) -> None:
    """UMAP coordinates of every cell (table UMAP) from the saved graph; cells outside a sketch are placed into it."""
    names = read_table(cells)["cell"]
    X = np.load(features, mmap_mode="r")
    saved = load_graph(graph)
    options = settings["umap"]
    Z = np.asarray(X[saved.rows])
    epochs = None if options["epochs"] == "auto" else int(options["epochs"])
    points = np.zeros((0, 2), np.float32)
    if len(Z):
        points = umap_layout(
            saved.W, Z, seeds.derive(seed, "umap"), options["min_dist"], n_epochs=epochs, threads=threads
        )
    if len(saved.rows) < saved.n:
        points = place(X, saved.rows, points, seed, threads)
    table = pd.DataFrame({"cell": names, "umap1": points[:, 0], "umap2": points[:, 1]})
    write_table(table, umap, UMAP, provenance)


def write_json(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, keys sorted, NaN as null."""
    clean = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in record.items()}
    Path(path).write_text(json.dumps(clean, indent=1, sort_keys=True, default=_plain, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"not JSON: {type(value)}")
