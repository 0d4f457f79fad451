"""The pipeline verbs on files, as the rules call them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import cimlnk
from cimlnk.common.tables import Schema, read_table, write_table
from cimlnk.graph.agreement import adjusted_rand
from cimlnk.graph.files import load_graph, make_clusters, make_graph, make_umap
from cimlnk.graph.tables import CLUSTER_SUPPORT, CLUSTERS, RESOLUTIONS, UMAP

SCHEMA = Path(cimlnk.__file__).parents[1] / "schemas" / "config" / "graph.schema.yaml"
CELLS = Schema("cells", {"cell": ("str", "id"), "sample": ("str", "sample")})


def defaults(schema):
    return {k: defaults(v) if v.get("type") == "object" else v["default"] for k, v in schema["properties"].items()}


def settings(**changes):
    found = defaults(yaml.safe_load(SCHEMA.read_text())) | {"subsamples": 4, "resolutions": [0.1, 0.35, 1.0]}
    return found | changes


def run(folder, X, options, threads=2):
    folder.mkdir(exist_ok=True)
    path = {
        k: folder / k
        for k in (
            "features.npy",
            "cells",
            "graph.npz",
            "graph.json",
            "clusters",
            "resolutions",
            "support",
            "json",
            "umap",
        )
    }
    np.save(path["features.npy"], X)
    names = pd.DataFrame({"cell": [f"s:{i}" for i in range(len(X))], "sample": ["s"] * len(X)})
    write_table(names.astype(object), path["cells"], CELLS)
    common = {"settings": options, "seed": 1, "threads": threads, "provenance": {}}
    make_graph(path["features.npy"], path["graph.npz"], path["graph.json"], **common)
    make_clusters(
        path["features.npy"], path["cells"], path["graph.npz"],
        **{name: path[name] for name in ("clusters", "resolutions", "support")}, report=path["json"], **common,
    )  # fmt: skip
    make_umap(path["features.npy"], path["cells"], path["graph.npz"], umap=path["umap"], **common)
    return path


def test_tables_agree_with_each_other_and_with_the_truth(tmp_path, make_blobs):
    X, y = make_blobs(1)
    path = run(tmp_path, X, settings())
    clusters = read_table(path["clusters"], CLUSTERS)
    support = read_table(path["support"], CLUSTER_SUPPORT)
    sweep = read_table(path["resolutions"], RESOLUTIONS)
    assert len(clusters) == len(X) and len(read_table(path["umap"], UMAP)) == len(X)
    np.testing.assert_array_equal(support["n_cells"], np.bincount(clusters["cluster"]))
    assert sweep["chosen"].sum() == 1
    stable = support["parent"].to_numpy()[clusters["cluster"]]
    assert adjusted_rand(y, stable.astype(np.int64)) > 0.98
    verdict = json.loads(path["json"].read_text())
    assert verdict["verdict"] == "stable structure" and verdict["n_stable_clusters"] == 6
    assert clusters["confidence"].between(0, 1).all()
    saved = load_graph(path["graph.npz"])
    assert saved.W.shape == (len(X), len(X)) and saved.indices.shape == (len(X), 15)
    assert json.loads(path["graph.json"].read_text())["recall"] >= 0.95


def test_files_are_the_same_for_any_number_of_threads(tmp_path, make_blobs):
    X, _ = make_blobs(2, n=500)
    one, two = run(tmp_path / "a", X, settings(), 1), run(tmp_path / "b", X, settings(), 3)
    for name in one:
        digest = [hashlib.sha256(p[name].read_bytes()).hexdigest() for p in (one, two)]
        assert digest[0] == digest[1], name


def test_a_sketch_gives_the_same_groups(tmp_path, make_blobs):
    X, y = make_blobs(3, n=1600)
    path = run(tmp_path, X, settings(sketch_above=1000, sketch_size=600))
    clusters = read_table(path["clusters"], CLUSTERS)
    support = read_table(path["support"], CLUSTER_SUPPORT)
    assert len(clusters) == 1600 and support["n_cells"].sum() == 1600
    assert adjusted_rand(y, support["parent"].to_numpy()[clusters["cluster"]].astype(np.int64)) > 0.98
    record = json.loads(path["json"].read_text())
    assert record["sketch"]["cells"] == 600 and record["sketch"]["transfer_agreement"] > 0.8
    assert np.isfinite(read_table(path["umap"], UMAP)["umap1"]).all()


def test_a_fixed_resolution_without_splitting(tmp_path, make_blobs):
    X, _ = make_blobs(4, n=600)
    rare = {"enabled": False, "resolution": 6.0, "min_fraction": 0.001, "min_cells": 20}
    path = run(tmp_path, X, settings(resolution=0.35, rare=rare))
    record = json.loads(path["json"].read_text())
    assert record["resolution"] == 0.35 and record["reason"].startswith("resolution set to 0.35")
    assert record["n_clusters"] == record["n_stable_clusters"]


def test_another_backend_is_taken(tmp_path, make_blobs):
    X, y = make_blobs(5, n=600)
    path = run(tmp_path, X, settings(backend="igraph", resolution=0.35))
    support = read_table(path["support"], CLUSTER_SUPPORT)
    clusters = read_table(path["clusters"], CLUSTERS)
    assert adjusted_rand(y, support["parent"].to_numpy()[clusters["cluster"]].astype(np.int64)) > 0.98


@pytest.mark.parametrize("n", [0, 1, 2, 30, 60])
def test_very_few_cells(tmp_path, n):
    X = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    path = run(tmp_path, X, settings())
    assert len(read_table(path["clusters"], CLUSTERS)) == n
    assert len(read_table(path["umap"], UMAP)) == n
    record = json.loads(path["json"].read_text())
    assert record["verdict"] == "no stable structure"
    if n < 50:
        assert f"{n} cells are fewer" in record["reason"]
