"""A cohort above `graph.sketch_above`: what reads the graph must know that it is of a sketch."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from checkout import copy_compiled, snakemake

pytestmark = pytest.mark.slow
RESULTS = Path("results/tiny")
# every rule that reads graph.npz, on the cells of the run that is there
WANTED = ("cytof/populations.parquet", "dynamics/neighbourhoods.parquet", "export/cytof.h5ad")


@pytest.fixture(scope="module")
def sketched(tiny_run, tmp_path_factory):
    """The tiny cohort's mass cytometry, clustered again from a fifth of its cells."""
    checkout = tmp_path_factory.mktemp("sketch") / "clone"
    shutil.copytree(tiny_run, checkout, symlinks=True)
    copy_compiled(checkout, tiny_run)
    config = yaml.safe_load((checkout / "config/tiny.yaml").read_text())
    config["graph"] = {"sketch_above": 2000, "sketch_size": 1000, "subsamples": 3, "resolutions": [0.2, 0.5]}
    (checkout / "config/sketch.yaml").write_text(yaml.safe_dump(config))
    wanted = [str(RESULTS / name) for name in WANTED]
    done = snakemake(checkout, *wanted, "--cores", "2", "--configfile", "config/sketch.yaml")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return checkout


def test_sketched_cells_are_named_as_on_the_whole_graph(tiny_run, sketched):
    whole, some = (pd.read_parquet(c / RESULTS / "cytof/populations.parquet") for c in (tiny_run, sketched))
    with np.load(sketched / RESULTS / "cytof/graph.npz") as saved:
        assert len(saved["rows"]) == 1000 < int(saved["n_cells"]) == len(some)
        inside = np.isin(np.arange(len(some)), saved["rows"])
    assert (whole["cell"] == some["cell"]).all()
    same = (whole["population"] == some["population"]).to_numpy()
    # a fifth of the cells moves the borders of a continuum; but no more for the cells that were only placed
    assert same.mean() > 0.6 and same[inside].mean() - same[~inside].mean() < 0.05
    assert some["confidence"].between(0, 1).all()
    by_place = some["confidence"].groupby(inside).mean()
    assert abs(by_place[True] - by_place[False]) < 0.05
    assert some["confidence"][same].mean() > some["confidence"][~same].mean()


def test_neighbourhoods_and_exports_say_which_cells_they_are_about(sketched):
    table = pd.read_parquet(sketched / RESULTS / "dynamics/neighbourhoods.parquet")
    assert len(table[table["modality"] == "cytof"]) > 0
    with h5py.File(sketched / RESULTS / "export/cytof.h5ad") as f:
        pointers = f["obsp/connectivities/indptr"][:]
    assert (np.diff(pointers) > 0).sum() == 1000
