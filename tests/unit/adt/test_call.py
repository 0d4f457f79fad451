"""Lineages by protein of planted cells, and what is said where nothing can be called."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.adt.call import call_proteins, lineage_names
from cimlnk.rna.antibodies import read_antibodies, read_antibody
from citeseq import NAMES, counts, droplets

BLOOD = {"T": 300, "B": 80, "monocyte": 100, "NK": 120}


def f1(call, truth):
    return 2 * (call & truth).sum() / (call.sum() + truth.sum())


@pytest.mark.parametrize("empty", [False, True])
def test_planted_lineages_come_back(empty):
    rng = np.random.default_rng(1)
    X, kinds = counts(rng, BLOOD)
    found = call_proteins([X], read_antibodies(NAMES), empties=[droplets(rng, 800) if empty else None], seed=3)
    assert f1(lineage_names(found) == "NK", kinds == "NK") > 0.97
    assert "IgG1_control" not in found.markers and "NKp46" in found.markers and "NKG2A" in found.markers


def test_nobody_and_everybody_is_an_nk_cell():
    rng = np.random.default_rng(2)
    none, _ = counts(rng, {"T": 300, "monocyte": 200})
    every, _ = counts(rng, {"NK": 400})
    antibodies = read_antibodies(NAMES)
    assert (lineage_names(call_proteins([none], antibodies)) == "NK").sum() <= 2
    # sorted cells without empty droplets: where the panel's background ends is a guess, and part of them is unsure
    alone = lineage_names(call_proteins([every], antibodies))
    assert (alone == "NK").mean() > 0.8 and set(alone) <= {"NK", "unsure"}
    known = call_proteins([every], antibodies, empties=[droplets(rng, 800)])
    assert (lineage_names(known) == "NK").mean() > 0.9


def test_sticky_cells_are_unsure():
    rng = np.random.default_rng(4)
    X, kinds = counts(rng, BLOOD)
    X[-10:, -1] = 500
    found = call_proteins([X], read_antibodies(NAMES))
    assert set(lineage_names(found)[-10:]) == {"unsure"} and found.sticky.sum() <= 20


def test_antibodies_that_tell_no_lineage_say_so():
    X = np.random.default_rng(5).poisson(20, (200, 2)).astype(float)
    found = call_proteins([X], read_antibodies(["CD45RO", "CD26"]))
    assert found.called is None and "0 lineage markers" in found.reason
    assert set(lineage_names(found)) == {"unsure"}


@pytest.mark.parametrize(
    ("name", "label", "kind"),
    [
        ("CD8a_TotalSeqB", "CD8a", "protein"),
        ("CD335 (NKp46)-TotalSeqC", "NKp46", "protein"),
        ("anti-human CD314 (NKG2D)", "NKG2D", "protein"),
        ("CD56_PROT", "CD56", "protein"),
        ("CD3-CTCATTGTAACTCCT", "CD3", "protein"),
        ("HLA-ABC_PROT", "HLA-ABC", "protein"),
        ("IgM", "IgM", "protein"),
        ("IgD_PROT", "IgD", "protein"),
        ("IgA_PROT", "IgA", "protein"),
        ("MouseIgG2akappaisotype_PROT", "MouseIgG2akappaisotype", "isotype"),
        ("IgG2b_control_TotalSeqB", "IgG2b_control", "isotype"),
        ("Rat IgG2b, κ Isotype Ctrl", "Rat IgG2b, κ Isotype Ctrl", "isotype"),
        ("Hashtag_3_TotalSeqB", "Hashtag_3", "hashtag"),
        ("HTO-5", "HTO-5", "hashtag"),
    ],
)
def test_names_as_panels_write_them(name, label, kind):
    found = read_antibody(name)
    assert (found.label, found.kind) == (label, kind)


def test_two_clones_of_one_marker_stay_two():
    labels = [a.label for a in read_antibodies(["CD56", "CD56_NCAM", "CD56_NCAM"])]
    assert labels == ["CD56", "CD56_NCAM", "CD56_NCAM (2)"]
