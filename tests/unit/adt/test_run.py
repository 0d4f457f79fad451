"""All samples of a cohort: names by protein, agreement with RNA, and what happens without antibodies."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.adt.agreement import name_agreement, nk_agreement, related
from cimlnk.adt.run import name_proteins
from cimlnk.common.tables import read_table
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.rna.antibodies import read_antibodies
from cimlnk.rna.proteins import without_proteins
from citeseq import NAMES, counts, droplets

ROOT = Path(__file__).parents[3]
DEFINITIONS = ROOT / "resources/phenotypes/nk.yaml"


@pytest.fixture(scope="module")
def definitions():
    return load_definitions(DEFINITIONS, infused=False)


def write(path, X, kinds, sample, empty=None):
    antibodies = read_antibodies(NAMES)
    obs = pd.DataFrame(
        {"sample": sample, "lineage_rna": kinds, "nk_rna": kinds == "NK", "nk_probability": np.float32(0.9)},
        index=[f"{sample}:{i}" for i in range(len(X))],
    )
    var = pd.DataFrame(
        {"antibody": NAMES, "kind": [a.kind for a in antibodies], "known": [a.known for a in antibodies]},
        index=[a.label for a in antibodies],
    )
    uns = {"cimlnk": json.dumps({"reason": None, "cells_without_antibodies": 0})}
    if empty is not None:
        uns["empty"] = sp.csr_matrix(empty.astype(np.int32))
    ad.AnnData(sp.csr_matrix(X.astype(np.int32)), obs=obs, var=var, uns=uns).write_h5ad(path)
    return obs


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two samples of a batch, one with empty droplets; half of the NK cells CD56bright, a fifth of them not by RNA."""
    folder, rng = tmp_path_factory.mktemp("adt"), np.random.default_rng(3)
    named, files = [], []
    for sample, empty in (("a", None), ("b", droplets(rng, 500))):
        X, kinds = counts(rng, {"T": 250, "B": 60, "monocyte": 80, "NK": 160})
        bright = (kinds == "NK") & (np.arange(len(kinds)) % 2 == 0)
        X[bright, NAMES.index("CD56-NCAM16.2")] *= 6
        X[bright, NAMES.index("CD16")] = rng.poisson(30, bright.sum())
        files.append(folder / f"{sample}.h5ad")
        obs = write(files[-1], X, kinds, sample, empty)
        wrong = bright & (np.arange(len(kinds)) % 10 == 0)
        population = np.where(bright & ~wrong, "CD56bright", "CD56dim_NKG2A")
        named.append(pd.DataFrame({"cell": obs.index, "population": population})[kinds == "NK"])
    pd.concat(named).to_parquet(folder / "populations.parquet")
    pd.DataFrame({"sample": ["a", "b"], "batch": ["x", "x"]}).to_parquet(folder / "samples.parquet")
    return folder, files


def run(folder, files):
    out = {n: folder / f"out_{n}" for n in ("proteins", "cells", "antibodies", "thresholds", "nk", "names")}
    name_proteins(
        files=files, sheet=folder / "samples.parquet", populations=folder / "populations.parquet", seed=1, threads=1,
        definitions=DEFINITIONS, settings={"infused": False}, provenance={}, **out,
    )  # fmt: skip
    return out


def test_agreement_is_the_planted_one(cohort):
    out = run(*cohort)
    nk = read_table(out["nk"]).set_index("sample")
    assert list(nk.index) == ["a", "b", "all"] and nk.loc["all", "f1"] > 0.97
    names = read_table(out["names"]).set_index("population")
    # a fifth of the bright cells go by CD56dim_NKG2A: of these a sixth (32 of 192) are bright by protein
    assert names.loc["CD56bright", "accuracy"] > 0.9
    assert names.loc["CD56dim_NKG2A", "accuracy"] == pytest.approx(160 / 192, abs=0.05)
    assert names.loc["CD56dim_NKG2A", "instead"] == "CD56bright"
    assert names.loc["NK", "chance"] < 0.7 < names.loc["NK", "accuracy"]
    antibodies = read_table(out["antibodies"])
    assert set(antibodies.loc[antibodies["sample"] == "b", "method"]) == {"empty droplets"}
    assert (antibodies.loc[antibodies["sample"] == "b", "n_empty"] == 500).all()


def test_proteins_lie_in_anndata_with_their_scales(cohort):
    folder, files = cohort
    data = ad.read_h5ad(run(folder, files)["proteins"])
    assert set(data.layers) == {"counts", "clr"}  # no dsb: one sample has no empty droplets
    assert "CD56" in data.var_names and "IgG1_control" not in data.var_names
    assert data.n_obs == 2 * 550 and np.isfinite(data.X).all()
    one = ad.read_h5ad(run(folder, files[1:])["proteins"])
    assert "dsb" in one.layers


def test_the_same_bytes_again(cohort):
    one = {n: p.read_bytes() for n, p in run(*cohort).items()}
    assert {n: p.read_bytes() for n, p in run(*cohort).items()} == one


def test_no_antibodies_give_empty_tables(cohort, tmp_path):
    folder, _ = cohort
    without_proteins(tmp_path / "a.h5ad", "no antibodies in the files")
    out = run(folder, [tmp_path / "a.h5ad"])
    assert all(len(read_table(out[n])) == 0 for n in ("cells", "antibodies", "nk", "names", "thresholds"))
    assert ad.read_h5ad(out["proteins"]).n_obs == 0


def test_names_agree_where_one_refines_the_other(definitions):
    assert related(definitions, "adaptive", "CD56dim") and related(definitions, "CD56dim", "adaptive")
    assert not related(definitions, "CD56bright", "CD56dim")
    assert not related(definitions, "CD56dim_KIR", "CD56dim_NKG2A")


def test_what_cannot_be_told_is_no_number(definitions):
    few = name_agreement(["CD56bright"] * 4, ["CD56bright"] * 4, definitions).set_index("population")
    assert np.isnan(few.loc["CD56bright", "accuracy"]) and "fewer than 10" in few.loc["CD56bright", "reason"]
    none = name_agreement(["CD56dim"] * 20, [None] * 10 + ["unassigned"] * 10, definitions).set_index("population")
    assert none.loc["NK", "n_told"] == 0 and np.isnan(none.loc["NK", "accuracy"])
    unnamed = name_agreement(["unassigned"] * 20, ["CD56dim"] * 20, definitions).set_index("population")
    assert np.isnan(unnamed.loc["unassigned", "accuracy"]) and unnamed.loc["NK", "n_cells"] == 0


def test_random_names_are_as_good_as_chance(definitions):
    rng = np.random.default_rng(5)
    kinds = ["CD56bright", "CD56dim_NKG2A", "CD56dim_CD57"]
    table = name_agreement(rng.choice(kinds, 3000), rng.choice(kinds, 3000), definitions).set_index("population")
    for name in ("NK", *kinds):
        assert table.loc[name, "accuracy"] == pytest.approx(table.loc[name, "chance"], abs=0.06)
        assert table.loc[name, "low"] < 1 / 3 < table.loc[name, "high"]


def test_nobody_is_an_nk_cell_by_protein():
    table = nk_agreement(np.array(["a"] * 3), np.ones(3, bool), np.array(["T", "T", "B"]))
    assert table.loc[0, "reason"] == "no NK cell by protein" and table.loc[0, "instead"] == "T"
    assert np.isnan(table.loc[0, "recall"]) and table.loc[0, "precision"] == 0
