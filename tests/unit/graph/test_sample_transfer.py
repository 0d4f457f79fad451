"""Transfer sample by sample: gathered, the parts are the bytes that one job for all cells writes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

import cimlnk
from cimlnk.common.tables import Schema, read_table, write_pieces, write_table
from cimlnk.graph.files import make_clusters, make_graph, make_umap
from cimlnk.graph.result import Clustered, sample_spans
from cimlnk.graph.sample_transfer import gather, make_part
from cimlnk.graph.tables import CLUSTERS, UMAP

SCHEMA = Path(cimlnk.__file__).parents[1] / "schemas" / "config" / "graph.schema.yaml"
CELLS = Schema("cells", {"cell": ("str", "id"), "sample": ("str", "sample")})
TABLES = ("clusters", "resolutions", "support", "report", "umap")
RECORD = {"rule": "graph_cluster", "inputs": {"features.npy": "00"}}


def settings(**changes):
    def defaults(schema):
        return {k: defaults(v) if v.get("type") == "object" else v["default"] for k, v in schema["properties"].items()}

    return defaults(yaml.safe_load(SCHEMA.read_text())) | {"subsamples": 3, "resolutions": [0.1, 0.35]} | changes


class Cohort:
    """Features and cells of samples of the given sizes, with their graph."""

    def __init__(self, folder, X, sizes, options, rows=1 << 20):
        self.folder, self.sizes = folder, sizes
        np.save(folder / "features.npy", X)
        owner = np.repeat(list(sizes), list(sizes.values()))
        cells = pd.DataFrame({"cell": [f"{s}:{i}" for i, s in enumerate(owner)], "sample": owner}).astype(object)
        pieces = [cells[a : a + rows] for a in range(0, len(cells), rows)]
        write_pieces(pieces, folder / "cells", CELLS)
        self.common = {"settings": options, "seed": 1, "threads": 2, "provenance": RECORD}
        make_graph(folder / "features.npy", folder / "graph.npz", folder / "graph.json", **self.common)
        self.inputs = folder / "features.npy", folder / "cells", folder / "graph.npz"

    def together(self):
        to = {name: self.folder / f"together_{name}" for name in TABLES}
        umap = to.pop("umap")
        make_clusters(*self.inputs, **to, **self.common)
        make_umap(*self.inputs, umap=umap, **self.common)
        return {name: (self.folder / f"together_{name}").read_bytes() for name in TABLES}

    def per_sample(self, order=None):
        clustered, picture = self.folder / "clustered.npz", self.folder / "picture.npz"
        make_clusters(*self.inputs, clustered=clustered, **self.common)
        make_umap(*self.inputs, picture=picture, **self.common)
        parts = [self.folder / f"{sample}.npz" for sample in self.sizes]
        for sample, part in zip(self.sizes, parts, strict=True):
            make_part(self.inputs[0], clustered, picture, part=part, sample=sample, seed=1, threads=1)
        to = {name: self.folder / f"gathered_{name}" for name in TABLES}
        gather(clustered, picture, parts if order is None else [parts[i] for i in order], cells=self.inputs[1], **to)
        return {name: path.read_bytes() for name, path in to.items()}


@pytest.mark.parametrize("exact", [True, False])
def test_gathered_parts_are_the_same_bytes(tmp_path, make_blobs, monkeypatch, exact):
    monkeypatch.setattr("cimlnk.graph.sketching.CHUNK", 300)
    if not exact:
        monkeypatch.setattr("cimlnk.graph.search.EXACT_BELOW", 200)
    X, _ = make_blobs(3, n=2400, far=5.0)
    sizes = {"P1_pre": 700, "left_out": 0, "P1_D7": 1, "P2_pre": 1299, "P2_D7": 400}
    cohort = Cohort(tmp_path, X, sizes, settings(sketch_above=1000, sketch_size=800), rows=650)
    together = cohort.together()
    gathered = cohort.per_sample(order=[4, 0, 2, 1, 3])
    for name in TABLES:
        assert gathered[name] == together[name], name
    table = read_table(tmp_path / "gathered_clusters", CLUSTERS)
    known = Clustered.load(tmp_path / "clustered.npz")
    rows = known.known.rows
    assert len(table) == 2400 and len(rows) == 800
    np.testing.assert_array_equal(table["cluster"].to_numpy()[rows], known.labels)
    np.testing.assert_array_equal(table["confidence"].to_numpy()[rows], known.confidence)
    with np.load(tmp_path / "picture.npz") as z:
        placed = read_table(tmp_path / "gathered_umap", UMAP)[["umap1", "umap2"]].to_numpy()
        np.testing.assert_array_equal(placed[rows], z["points"])
    record = json.loads(gathered["report"])
    assert record["provenance"] == RECORD
    assert record["sketch"]["cells"] == 800 and 0.8 < record["sketch"]["transfer_agreement"] <= 1
    assert record["mean_confidence"] == pytest.approx(table["confidence"].astype(float).mean(), rel=1e-12)


@pytest.mark.parametrize("n", [0, 30, 600])
def test_without_a_sketch_every_cell_keeps_its_label(tmp_path, make_blobs, n):
    X, _ = make_blobs(4, n=n)
    cohort = Cohort(tmp_path, X, {"a": n // 3, "b": n - n // 3}, settings())
    together, gathered = cohort.together(), cohort.per_sample()
    assert together == gathered
    known = Clustered.load(tmp_path / "clustered.npz")
    assert known.known.base.shape[1] == 0, "features are kept only where others are compared with them"
    table = read_table(tmp_path / "gathered_clusters", CLUSTERS)
    np.testing.assert_array_equal(table["cluster"].to_numpy(int), known.labels)


def test_a_sample_reads_its_own_rows_only(tmp_path, make_blobs):
    X, _ = make_blobs(5, n=1500)
    cohort = Cohort(tmp_path, X, {"a": 500, "b": 1000}, settings(sketch_above=1000, sketch_size=300))
    cohort.together()
    before = cohort.per_sample()
    X[:500] = np.nan  # what belongs to the other sample could not be searched without an error
    np.save(tmp_path / "features.npy", X)
    whole = (tmp_path / "b.npz").read_bytes()
    make_part(
        tmp_path / "features.npy",
        tmp_path / "clustered.npz",
        tmp_path / "picture.npz",
        part=tmp_path / "b.npz",
        sample="b",
        seed=1,
        threads=1,
    )
    assert (tmp_path / "b.npz").read_bytes() == whole and before["clusters"]


def test_missing_and_doubled_parts_are_told(tmp_path, make_blobs):
    X, _ = make_blobs(6, n=300)
    cohort = Cohort(tmp_path, X, {"a": 100, "b": 150, "c": 50}, settings())
    cohort.together()
    cohort.per_sample()
    for order in ([0, 2], [0, 1], [0, 1, 1, 2]):
        with pytest.raises(ValueError, match="expected 0 to 300 without gap or overlap"):
            cohort.per_sample(order=order)


def test_spans_follow_the_samples_across_row_groups(tmp_path):
    table = pd.DataFrame({"cell": [str(i) for i in range(7)], "sample": list("aabbbbc")}).astype(object)
    write_pieces([table[:1], table[1:4], table[4:]], tmp_path / "cells", CELLS)
    assert sample_spans(tmp_path / "cells") == {"a": (0, 2), "b": (2, 6), "c": (6, 7)}
    table["sample"] = list("aabbbba")
    write_table(table, tmp_path / "mixed", CELLS)
    with pytest.raises(ValueError, match="sample a do not lie together"):
        sample_spans(tmp_path / "mixed")


def test_a_table_in_pieces_reads_as_the_whole_one(tmp_path):
    table = pd.DataFrame({"cell": [str(i) for i in range(9)], "sample": list("aabbbbccc")}).astype(object)
    write_pieces((table[a : a + 4] for a in (0, 4, 8)), tmp_path / "pieces", CELLS, provenance=RECORD)
    write_table(table, tmp_path / "whole", CELLS, provenance=RECORD)
    pd.testing.assert_frame_equal(read_table(tmp_path / "pieces", CELLS), read_table(tmp_path / "whole", CELLS))
    assert pq.read_schema(tmp_path / "pieces").metadata == pq.read_schema(tmp_path / "whole").metadata
    assert pq.ParquetFile(tmp_path / "pieces").num_row_groups == 3
    write_pieces([], tmp_path / "none", CELLS, provenance=RECORD)
    assert read_table(tmp_path / "none", CELLS).empty
