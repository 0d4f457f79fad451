"""`graph.transfer`: one job for all cells, or one per sample, on the graph rules alone: the features are given."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from checkout import copy_checkout, snakemake

pytestmark = pytest.mark.slow
FOLDER = Path("results/tiny/cytof")
TABLES = ("clusters.parquet", "cluster_support.parquet", "clustering.json", "umap.parquet", "resolutions.parquet")
SIZES = {"P1_pre_cytof": 1100, "P1_D7_cytof": 0, "P1_D28_cytof": 1300}
RULES = ("graph_neighbors", "graph_cluster", "graph_umap", "graph_transfer", "graph_gather")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A cohort of three mass cytometry samples, one of them without cells, up to its features."""
    from cimlnk.common.tables import write_table
    from cimlnk.cytof.tables import CELLS

    checkout = copy_checkout(tmp_path_factory.mktemp("transfer") / "clone")
    sheet = pd.read_csv(checkout / "config/samples/tiny.tsv", sep="\t", dtype=str)
    sheet = sheet[sheet["sample"].isin(SIZES)]
    sheet.to_csv(checkout / "config/samples/transfer.tsv", sep="\t", index=False)
    for sample, path in zip(sheet["sample"], sheet["path"], strict=True):  # files of a laboratory, which nobody reads
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(sample)
    for mode in ("together", "per_sample"):
        config = yaml.safe_load((checkout / "config/tiny.yaml").read_text())
        config["cohort"] |= {"samples": "config/samples/transfer.tsv"}
        config["simulate"] = None
        config["graph"] = {"transfer": mode, "sketch_above": 2000, "sketch_size": 1000, "subsamples": 3}
        config["graph"]["resolutions"] = [0.1, 0.5]
        (checkout / f"config/{mode}.yaml").write_text(yaml.safe_dump(config))
    rng = np.random.default_rng(1)
    n = sum(SIZES.values())
    centres = rng.normal(size=(5, 8)) * 3
    (checkout / FOLDER).mkdir(parents=True)
    X = (centres[rng.integers(0, 5, n)] + rng.normal(size=(n, 8))).astype(np.float32)
    np.save(checkout / FOLDER / "features.npy", X)
    cells = [(f"{sample}:{i}", sample) for sample, size in SIZES.items() for i in range(size)]
    write_table(pd.DataFrame(cells, columns=["cell", "sample"]), checkout / FOLDER / "cells.parquet", CELLS)
    return checkout


def run(checkout, mode, *arguments):
    """Run the graph rules and no others."""
    wanted = [str(FOLDER / name) for name in TABLES]
    done = snakemake(
        checkout, *wanted, "--cores", "2", "--configfile", f"config/{mode}.yaml", "--allowed-rules", *RULES, *arguments
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout + done.stderr


def jobs(told):
    """How often each rule was run, from what Snakemake said."""
    return {name: int(count) for name, count in re.findall(r"^(graph_\w+) +(\d+)$", told, re.M)}


def test_both_ways_write_the_same_bytes(checkout):
    told = run(checkout, "together")
    assert jobs(told) == {"graph_neighbors": 1, "graph_cluster": 1, "graph_umap": 1}
    first = {name: (checkout / FOLDER / name).read_bytes() for name in TABLES}
    for name in TABLES:
        (checkout / FOLDER / name).unlink()
    told = run(checkout, "per_sample")
    expected = {"graph_cluster": 1, "graph_umap": 1, "graph_transfer": len(SIZES), "graph_gather": 1}
    assert jobs(told) == expected
    assert {name for name in TABLES if (checkout / FOLDER / name).read_bytes() != first[name]} == set()
    left = [p.name for p in (checkout / FOLDER).rglob("*") if p.is_file()]
    assert sorted(left) == sorted([*TABLES, "cells.parquet", "features.npy", "graph.npz", "graph.json"])
    record = json.loads(first["clustering.json"])
    assert record["sketch"]["cells"] == 1000 and record["sketch"]["transfer_agreement"] > 0.5
    assert record["provenance"]["rule"] == "graph_cluster"
    again = run(checkout, "per_sample", "-n")
    assert "Nothing to be done" in again


def test_lint_finds_nothing(checkout):
    told = snakemake(checkout, "--lint", "--configfile", "config/per_sample.yaml")
    assert "Congratulations" in told.stdout + told.stderr, told.stdout + told.stderr
