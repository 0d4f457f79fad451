"""NK cells by protein in real CITE-seq sets, against their authors' labels; backgrounds against empty droplets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.adt.background import find_background
from cimlnk.adt.call import call_proteins, lineage_names
from cimlnk.rna.antibodies import read_antibodies
from real_data import source

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.real


def tenx(path: Path) -> tuple[np.ndarray, list[str], list[str]]:
    """Antibody counts (cells × antibodies), names and barcodes of a 10x h5."""
    import h5py

    with h5py.File(path) as f:
        m = f["matrix"]
        X = sp.csc_matrix((m["data"][:], m["indices"][:], m["indptr"][:]), shape=m["shape"][:]).T.tocsr()
        keep = m["features/feature_type"][:].astype(str) == "Antibody Capture"
        names, barcodes = m["features/name"][:].astype(str)[keep], m["barcodes"][:].astype(str)
    return X[:, keep].toarray().astype(float), list(names), list(barcodes)


def f1(call: np.ndarray, labels: pd.Series) -> float:
    """F1 of NK cells, cells that their authors left without a label aside."""
    known = (labels != "unknown").to_numpy()
    truth = (labels == "NK cells").to_numpy() & known
    call = call & known
    return 2 * (call & truth).sum() / (call.sum() + truth.sum())


def inhouse() -> tuple[np.ndarray, list[str], pd.Series]:
    X, names, barcodes = tenx(source("citeseq_brem_inhouse/filtered_feature_bc_matrix.h5"))
    labels = pd.read_csv(source("citeseq_brem_inhouse/labels.csv"), index_col=0)["trueType"].reindex(barcodes)
    return X, names, labels


def ten_thousand() -> tuple[np.ndarray, list[str], pd.Series]:
    table = pd.read_csv(source("citeseq_10x10k_adt_truth/Protein.csv"), index_col=0).T
    labels = pd.read_csv(source("citeseq_10x10k_adt_truth/truth_10X10k.csv"), index_col=0)["trueType"]
    return table.to_numpy(float), list(table.columns), labels.reindex(table.index)


@pytest.mark.parametrize("read", [inhouse, ten_thousand])
def test_nk_cells_by_protein_are_the_authors(read):
    X, names, labels = read()
    found = call_proteins([X], read_antibodies(names), seed=1)
    assert f1(lineage_names(found) == "NK", labels) >= 0.95
    # none without them, all where there is nothing else: the scale does not follow the mix of the cells
    none = (labels != "NK cells").to_numpy() & (labels != "unknown").to_numpy()
    assert (lineage_names(call_proteins([X[none]], read_antibodies(names), seed=1)) == "NK").mean() < 0.01
    only = (labels == "NK cells").to_numpy()
    assert (lineage_names(call_proteins([X[only]], read_antibodies(names), seed=1)) == "NK").mean() > 0.85


@pytest.mark.parametrize("antibody", ["CD16", "CD56", "CD3", "CD14"])
def test_a_planted_background_of_half_of_the_cells_changes_no_call(antibody):
    """Counts of one antibody's background added to every second cell, as in another sample of the batch."""
    X, names, labels = inhouse()
    antibodies = read_antibodies(names)
    j = [a.label for a in antibodies].index(antibody)
    half, rng = np.arange(len(X)) % 2 == 1, np.random.default_rng(1)
    level = find_background([X], [None])[0].level[j]
    lacks = labels.isin(["NK cells"] if antibody in ("CD3", "CD14") else ["B cells"]).to_numpy()
    for factor in (4, 8):
        Y = X.copy()
        Y[half, j] += rng.poisson((factor - 1) * level, half.sum())
        found = call_proteins([Y[~half], Y[half]], antibodies, seed=1)
        assert found.backgrounds[1].level[j] == pytest.approx(factor * level, rel=0.25)
        assert found.backgrounds[0].level[j] == pytest.approx(level, rel=0.25)
        nk, of = lineage_names(found) == "NK", np.concatenate([np.flatnonzero(~half), np.flatnonzero(half)])
        assert f1(nk, labels.iloc[of]) >= 0.95
        above = found.values[:, found.markers.index(antibody)] > np.arcsinh(2)
        assert above[lacks[of]].mean() < 0.05


def test_negative_modes_are_the_empty_droplets():
    X, names, _ = tenx(source("citeseq_dsb_kotliarov_adt/cells_adt.h5"))
    E, _, _ = tenx(source("citeseq_dsb_kotliarov_adt/empty_drops_adt.h5"))
    by_empty, by_cells = find_background([X], [E])[0], find_background([X], [None])[0]
    ratio = (by_cells.level + 1) / (by_empty.level + 1)
    assert ((ratio > 1 / 1.6) & (ratio < 1.6)).sum() >= 80  # of 87; not CD18 and HLA-ABC (on all cells)
    for j, name in enumerate(names):
        if name.startswith(("CD18_", "HLA-ABC")):
            assert by_cells.method[j] == "panel"
    antibodies = read_antibodies(names)
    calls = [lineage_names(call_proteins([X], antibodies, empties=[e], seed=1)) == "NK" for e in (E, None)]
    assert 2 * (calls[0] & calls[1]).sum() / (calls[0].sum() + calls[1].sum()) > 0.97
