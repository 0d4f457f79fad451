"""One method on one matrix in one process: ``one.py METHOD X.npy THREADS REPEATS OUT``.

Prints a line of JSON with wall and CPU seconds per stage of every repeat (the first is cold), peak memory, recall and
modularity; writes the labels of the last repeat to OUT. Runs under the workflow's interpreter or under the peers'.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time

METHOD, MATRIX, THREADS, REPEATS, OUT = sys.argv[1:6]
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1" if METHOD == "cimlnk" and name == "OPENBLAS_NUM_THREADS" else THREADS

import numpy as np  # noqa: E402  (the thread numbers above must be set first)

K = 15


def cpu_seconds():
    """CPU time of this process and of the children that have ended (some peers do their work in those)."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


class Clock:
    """Wall and CPU seconds per stage."""

    def __init__(self):
        self.stages = {}

    def __call__(self, stage, function):
        wall, cpu = time.perf_counter(), cpu_seconds()
        result = function()
        self.stages[stage] = [round(time.perf_counter() - wall, 3), round(cpu_seconds() - cpu, 3)]
        return result


def cimlnk(X, clock):
    from cimlnk.graph import knn, leiden, weights

    lists = clock("neighbours", lambda: knn(X, K, threads=int(THREADS)))
    # scanpy's n_neighbors = 15 counts the cell itself: 14 others make the graph
    W = clock("graph", lambda: weights(lists, threads=int(THREADS), k=K - 1, ordered=True))
    found = clock("leiden", lambda: leiden(W, order=lists.order, threads=int(THREADS), ordered=True))
    return found.labels, (W, lists.order), lists.distances


def sketch(X, clock):
    from cimlnk.graph import knn, leiden, transfer, weights
    from cimlnk.graph import sketch as draw

    rows = clock("sketch", lambda: draw(X, 200_000))
    lists = clock("neighbours", lambda: knn(np.asarray(X[rows]), K, threads=int(THREADS)))
    W = clock("graph", lambda: weights(lists, threads=int(THREADS), k=K - 1, ordered=True))
    found = clock("leiden", lambda: leiden(W, order=lists.order, threads=int(THREADS), ordered=True))
    moved = clock("transfer", lambda: transfer(X, rows, found.labels, threads=int(THREADS)))
    return moved.labels, None, None


def scanpy(X, clock, flavor):
    import anndata
    import scanpy as sc

    sc.settings.n_jobs = int(THREADS)  # its neighbour search would use one thread
    adata = anndata.AnnData(X)
    clock("neighbours", lambda: sc.pp.neighbors(adata, n_neighbors=K, use_rep="X"))
    options = {"flavor": "igraph", "directed": False} if flavor == "igraph" else {"flavor": "leidenalg"}
    clock("leiden", lambda: sc.tl.leiden(adata, resolution=1.0, n_iterations=2, **options))
    return adata.obs["leiden"].cat.codes.to_numpy(), adata.obsp["connectivities"], adata.obsp["distances"]


def phenograph(X, clock):
    import phenograph as peer

    return clock("all", lambda: peer.cluster(X, k=30, n_jobs=int(THREADS), seed=0))[0], None, None


def parc(X, clock):
    import parc as peer

    def go():
        model = peer.PARC(X, num_threads=int(THREADS), random_seed=0)
        model.run_PARC()
        return np.array(model.labels)

    return clock("all", go), None, None


def flowsom(X, clock):
    import anndata
    import flowsom as peer

    def go():
        data = anndata.AnnData(X)
        data.var_names = [f"m{i}" for i in range(X.shape[1])]
        data.var["pretty_colnames"] = data.var["channel"] = data.var["marker"] = data.var_names
        model = peer.models.FlowSOMEstimator(n_clusters=30, seed=0, xdim=10, ydim=10)
        return np.asarray(model.fit_predict(data.X))

    return clock("all", go), None, None


def parts(X, clock, search):
    """The fastest parts found elsewhere, put together: their search, this project's weights, NetworKit's Leiden."""
    import networkit as nk
    import scipy.sparse as sp

    from cimlnk.graph.edges import weights
    from cimlnk.graph.nearest import Knn

    nk.setNumberOfThreads(int(THREADS))
    near, far = clock("neighbours", lambda: search(X))
    lists = Knn(near, far, np.arange(len(X), dtype=np.int32), 0.0, 0.0, search.__name__, 0, 0)
    W = clock("graph", lambda: weights(lists, threads=int(THREADS), k=K - 1, ordered=True))

    def go():
        upper = sp.triu(W).tocoo()
        edges = upper.data.astype(np.float64), (upper.row.astype(np.uint64), upper.col.astype(np.uint64))
        graph = nk.GraphFromCoo(edges, len(X), weighted=True)
        return nk.community.ParallelLeiden(graph, iterations=2).run().getPartition().getVector()

    return np.array(clock("leiden", go)), W, far


def others(near, far):
    """Lists of K from those of K + 1 with the row itself in most of them (of equal rows another may stand for it)."""
    me = near == np.arange(len(near))[:, None]
    drop = np.where(me.any(axis=1), me.argmax(axis=1), K)
    keep = np.arange(K + 1)[None] != drop[:, None]
    return near[keep].reshape(-1, K).astype(np.int32), far[keep].reshape(-1, K).astype(np.float32)


def inverted_file(X):
    """IvfIndex of ann-search."""
    import ann_search as peer

    peer.set_num_threads(int(THREADS))
    far, near = peer.IvfIndex(n_neighbors=K + 1).fit(X).kneighbors()
    return others(near, far)


def carved(X):
    """self_knn_graph of pipnn."""
    import pipnn as peer

    return others(*peer.self_knn_graph(X, n_neighbors=K, n_jobs=int(THREADS)))


def recall(X, distances, queries=1000):
    """Share of the true K neighbours found by distance, on random rows; scanpy stores K - 1 of them."""
    import scipy.sparse as sp

    q = np.random.default_rng(1).choice(len(X), min(queries, len(X)), replace=False)
    square = np.einsum("ij,ij->i", X, X)
    hits = []
    for a in range(0, len(q), 20):
        rows = q[a : a + 20]
        d = square[None] + square[rows, None] - 2 * X[rows] @ X.T
        d[np.arange(len(rows)), rows] = np.inf
        if sp.issparse(distances):
            for i, row in enumerate(rows):
                found = distances[row].data
                k = len(found)
                hits.append(np.mean(found**2 <= np.partition(d[i], k - 1)[k - 1] * (1 + 1e-4) + 1e-5))
        else:
            kth = np.partition(d, K - 1, axis=1)[:, K - 1]
            hits.extend((distances[rows] ** 2 <= kth[:, None] * (1 + 1e-4) + 1e-5).mean(axis=1))
    return float(np.mean(hits))


def peak_gigabytes():
    """Peak resident memory of this program; getrusage would count what the process that started it had held."""
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1048576


def modularity(W, labels):
    strength = np.asarray(W.sum(axis=1)).ravel().astype(np.float64)
    total = strength.sum()
    rows = np.repeat(np.arange(W.shape[0]), np.diff(W.indptr))
    inside = W.data[labels[rows] == labels[W.indices]].sum(dtype=np.float64)
    return float(inside / total - np.square(np.bincount(labels, strength) / total).sum())


METHODS = {
    "cimlnk": cimlnk,
    "cimlnk sketch": sketch,
    "scanpy igraph": lambda X, clock: scanpy(X, clock, "igraph"),
    "scanpy leidenalg": lambda X, clock: scanpy(X, clock, "leidenalg"),
    "ann-search + NetworKit": lambda X, clock: parts(X, clock, inverted_file),
    "pipnn + NetworKit": lambda X, clock: parts(X, clock, carved),
    "PhenoGraph": phenograph,
    "PARC": parc,
    "FlowSOM": flowsom,
}


def main():
    start = time.perf_counter()
    X = np.load(MATRIX, mmap_mode="r" if "sketch" in METHOD else None)
    runs = []
    for _ in range(int(REPEATS)):
        clock = Clock()
        labels, W, distances = METHODS[METHOD](X, clock)
        runs.append(clock.stages)
    peak = peak_gigabytes()
    np.save(OUT, np.asarray(labels, np.int32))
    digest = hashlib.sha256(np.asarray(labels, np.int32).tobytes()).hexdigest()[:12]
    record = {
        "runs": runs,
        "sha256": digest,
        "process": round(time.perf_counter() - start, 2),
        "peak_gb": round(peak, 2),
    }
    if W is not None:
        labels = np.asarray(labels)
        record["modularity"] = round(
            modularity(W[0], labels[W[1]]) if isinstance(W, tuple) else modularity(W, labels), 5
        )
        record["recall"] = round(recall(X, distances), 4)
    print(json.dumps(record))


main()
