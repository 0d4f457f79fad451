"""Names of single cells by genes: own molecules against the neighbours', on planted cells of known levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.neighbours import Lists
from cimlnk.populations.transcripts import Molecules, name_by_transcripts

ROOT = Path(__file__).parents[3]
DEFINITIONS = load_definitions(ROOT / "resources/signatures/nk.yaml", infused=False)
# molecules per 10,000 in blood NK cells of one donor that are CD56bright or not by the protein of the same cells
# (CITE-seq), and in the adaptive ones
COMMON = {"FGFBP2": 18, "FCGR3A": 6.5, "SPON2": 9.5, "CX3CR1": 1.8}
YOUNG = {"FCER1G": 9, "KLRB1": 6, "CD3E": 0.6}
LEVELS = {
    "CD56dim": {**COMMON, **YOUNG, "GZMK": 0.4, "SELL": 1.9, "KLRC1": 1.2, "SH2D1B": 1.5, "KIR2DL1": 1, "KIR3DL1": 1},
    "CD56bright": {
        **YOUNG,
        "CX3CR1": 0.7,
        "GZMK": 14.5,
        "SELL": 15.6,
        "XCL1": 2,
        "IL7R": 1.7,
        "GPR183": 1.2,
        "KLRC1": 7.7,
    },
    "adaptive": {**COMMON, "FCER1G": 0.8, "KLRB1": 1, "KLRC2": 4, "CD3E": 3, "CD3D": 1, "LILRB1": 1, "PATL2": 1},
    "proliferating": {**COMMON, **YOUNG, **dict.fromkeys("MKI67 TYMS RRM2 TOP2A CENPF NUSAP1 TPX2".split(), 3)},
}
GENES = DEFINITIONS.features()


def planted(kinds: list[str], depth: float, seed: int = 1):
    """Values, depths: Poisson molecules around the levels of each cell's kind."""
    random = np.random.default_rng(seed)
    level = np.array([[LEVELS[k].get(g, 0.02) for g in GENES] for k in kinds])
    depths = depth * np.exp(0.3 * random.standard_normal(len(kinds)))
    counts = random.poisson(level * depths[:, None] / 1e4)
    return np.log1p(counts / depths[:, None] * 1e4).astype(np.float32), depths


def named(kinds, indices, depth=2500.0, seed=1):
    values, depths = planted(kinds, depth, seed)
    molecules = Molecules(values, GENES, depths, scores=dict(DEFINITIONS.scores))
    lists = Lists(np.asarray(indices, np.int32), np.arange(len(kinds)))
    return name_by_transcripts(molecules, np.zeros(len(kinds), int), DEFINITIONS, lists=lists)[0]


def neighbours(n: int, k: int, seed: int = 2):
    """k others of every cell, whatever they are."""
    random = np.random.default_rng(seed)
    return np.stack([random.choice(np.delete(np.arange(n), i), k, replace=False) for i in range(n)])


def among(kinds: list[str], rows=None, k: int = 15):
    """k others of every cell's own kind, of all cells or of those of a sketch."""
    random, kinds_ = np.random.default_rng(3), np.array(kinds)
    rows = np.arange(len(kinds)) if rows is None else rows
    own = [rows[(kinds_[rows] == kind) & (rows != i)] for i, kind in enumerate(kinds)]
    return np.stack([random.choice(o, k, replace=False) for o in own])


def test_few_bright_cells_are_found_among_others_that_are_their_neighbours():
    kinds = ["CD56bright"] * 5 + ["CD56dim"] * 245
    found = named(kinds, neighbours(250, 15))
    assert (found[:5] == "CD56bright").sum() >= 4
    assert (found[5:] == "CD56bright").mean() <= 0.02


@pytest.mark.parametrize("depth", [1200.0, 2500.0, 5000.0])
def test_kinds_among_their_own_bear_their_names_at_any_depth(depth):
    kinds = [k for k in LEVELS for _ in range(60)]
    found = named(kinds, among(kinds), depth)
    for kind, right in (("CD56bright", 0.95), ("proliferating", 0.95), ("adaptive", 0.8)):
        assert (found[np.array(kinds) == kind] == kind).mean() >= right
    dim = found[np.array(kinds) == "CD56dim"]
    assert np.isin(dim, ["CD56bright", "proliferating", "adaptive", "activated"]).mean() <= 0.03


def test_a_low_gene_alone_names_no_subset():
    """KIR+ and CD57+ by a ratio to KLRC1 need KIR and CD57's genes, not only a KLRC1 that is silent."""
    LEVELS["silent"] = {**LEVELS["CD56dim"], "KLRC1": 0.0, "KIR2DL1": 0.5, "KIR3DL1": 0.5}
    kinds = ["silent"] * 60
    found = named(kinds, among(kinds))
    del LEVELS["silent"]
    assert np.isin(found, ["CD56dim_KIR", "CD56dim_CD57"]).mean() <= 0.1


def test_cells_outside_of_a_sketch_are_named_by_those_of_it(monkeypatch):
    kinds = ["CD56dim"] * 40 + ["CD56bright"] * 40
    near = among(kinds)
    whole = named(kinds, near)
    rows = np.flatnonzero(np.arange(80) % 40 < 30)
    places = np.searchsorted(rows, among(kinds, rows)).astype(np.int32)  # of all cells, among those of the sketch
    lists = Lists(places[rows], rows)
    monkeypatch.setattr("cimlnk.populations.transcripts.outside", lambda *a, **k: iter([(0, 80, places)]))
    values, depths = planted(kinds, 2500.0)
    molecules = Molecules(values, GENES, depths, scores=dict(DEFINITIONS.scores))
    found = name_by_transcripts(
        molecules, np.zeros(80, int), DEFINITIONS, lists=lists, features="f", samples=np.array(["s"] * 80, object)
    )[0]
    bright = np.array(kinds) == "CD56bright"
    assert (found[bright] == "CD56bright").mean() >= 0.95 and (found[~bright] == "CD56bright").mean() <= 0.05
    assert ((found == "CD56bright") == (whole == "CD56bright")).mean() >= 0.95


def test_one_cell_and_genes_that_were_not_measured():
    values, depths = planted(["CD56bright"], 4000.0)
    lone = Lists(np.zeros((1, 0), np.int32), np.arange(1))
    molecules = Molecules(values, GENES, depths, scores=dict(DEFINITIONS.scores))
    assert name_by_transcripts(molecules, np.zeros(1, int), DEFINITIONS, lists=lone)[0][0] == "CD56bright"
    few = [g for g in GENES if g not in ("KLRC1",)]
    kept = values[:, [GENES.index(g) for g in few]]
    molecules = Molecules(kept, few, depths, scores=dict(DEFINITIONS.scores))
    assert "KLRC1" in molecules.missing["NKG2A_gene"] and "KLRC1" in molecules.missing["KIR_to_NKG2A"]
    assert name_by_transcripts(molecules, np.zeros(1, int), DEFINITIONS, lists=lone)[0][0] == "CD56bright"
