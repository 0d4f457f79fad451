"""Backgrounds of the samples of a batch where they differ, where few cells show them, and where nothing does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimlnk.adt.background import find_background
from cimlnk.adt.call import call_proteins, lineage_names
from cimlnk.adt.names import Named, withhold
from cimlnk.adt.negatives import without_protein
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.rna.antibodies import read_antibodies
from citeseq import BACKGROUND, NAMES, counts

ANTIBODIES = read_antibodies(NAMES)
NEGATIVE = [without_protein(a.label) for a in ANTIBODIES]
CD56, CD16, CD3 = (NAMES.index(n) for n in ("CD56-NCAM16.2", "CD16", "CD3_TotalSeqB"))
BLOOD = {"T": 250, "B": 60, "monocyte": 80, "NK": 110}


def more_background(rng, X, column, factor):
    Y = X.copy()
    Y[:, column] += rng.poisson((factor - 1) * BACKGROUND[column], len(X))
    return Y


@pytest.mark.parametrize(("column", "factor"), [(CD56, 8), (CD16, 4), (CD3, 8)])
def test_a_sample_with_more_background_of_one_antibody_keeps_its_own(column, factor):
    rng = np.random.default_rng(1)
    (first, kinds), (second, of_second) = counts(rng, BLOOD), counts(rng, BLOOD)
    found = call_proteins([first, more_background(rng, second, column, factor)], ANTIBODIES, seed=1)
    assert found.backgrounds[0].level[column] == pytest.approx(BACKGROUND[column], rel=0.35)
    assert found.backgrounds[1].level[column] == pytest.approx(factor * BACKGROUND[column], rel=0.35)
    kind = np.concatenate([kinds, of_second])
    for name, carriers in ((CD56, "NK"), (CD16, "NK"), (CD3, "T")):
        at = found.markers.index(ANTIBODIES[name].label)
        assert (found.values[kind != carriers, at] > np.arcsinh(2)).mean() < 0.03
    nk = lineage_names(found) == "NK"
    assert (nk == (kind == "NK")).mean() > 0.98


def test_a_dozen_negative_cells_are_told_by_their_lineage_not_by_a_mode_that_runs_into_the_positive_ones():
    """CD16 of NK cells from nothing to bright: with few T cells the lowest mode is that of dim NK cells."""
    rng = np.random.default_rng(2)
    X, kinds = counts(rng, {"T": 14, "NK": 160})
    dim = np.flatnonzero(kinds == "NK")[:60]
    X[dim, CD16] = rng.poisson(3.5 * BACKGROUND[CD16] * rng.lognormal(0, 0.35, 60))
    alone = find_background([X], [None])[0]
    assert alone.level[CD16] > 1.5 * BACKGROUND[CD16]
    told = find_background([X], [None], lineages=[kinds.astype(object)], negative=NEGATIVE)[0]
    assert told.level[CD16] == pytest.approx(BACKGROUND[CD16], rel=0.35)
    assert told.method[CD16] == "negative lineages" and "14 T cells" in told.reason[CD16]


def test_a_mode_that_no_lineage_of_the_sample_confirms_is_held_against_the_other_samples():
    """NK cells with little CD16 make a mode at 2.5 times the background, and five T cells cannot deny it."""
    rng = np.random.default_rng(6)
    others = [counts(rng, BLOOD) for _ in range(3)]
    X, kinds = counts(rng, {"T": 5, "NK": 160})
    dim = np.flatnonzero(kinds == "NK")[:100]
    X[dim, CD16] = rng.poisson(2.5 * BACKGROUND[CD16] * rng.lognormal(0, 0.2, 100))
    samples, lineages = [x for x, _ in others] + [X], [k.astype(object) for _, k in others] + [kinds.astype(object)]
    blind = find_background(samples, [None] * 4)[-1]
    assert blind.level[CD16] > 1.9 * BACKGROUND[CD16]
    found = find_background(samples, [None] * 4, lineages=lineages, negative=NEGATIVE)[-1]
    assert found.level[CD16] == pytest.approx(BACKGROUND[CD16], rel=0.35)
    assert found.method[CD16] == "other samples" and "no lineage here" in found.reason[CD16]


def test_small_samples_of_one_staining_have_one_background():
    rng = np.random.default_rng(3)
    parts = [counts(rng, {"T": 12, "monocyte": 6, "NK": 60 + 20 * i})[0] for i in range(5)]
    found = call_proteins(parts, ANTIBODIES, seed=1).backgrounds
    noise = np.array([b.noise for b in found])
    for column in (CD56, CD16):  # by modes alone 5.0 and 4.1
        assert noise[:, column].max() < 1.5 * noise[:, column].min()


def test_a_sample_that_shows_no_background_among_samples_that_differ_is_not_trusted():
    rng = np.random.default_rng(4)
    factors = (1, 3, 9, 20)
    blood = [more_background(rng, counts(rng, BLOOD)[0], CD56, f) for f in factors]
    sorted_nk, _ = counts(rng, {"NK": 200})
    found = call_proteins([*blood, sorted_nk], ANTIBODIES, seed=1).backgrounds
    assert all(b.trusted[CD56] for b in found[:-1]) and not found[-1].trusted[CD56]
    assert "not trustworthy" in found[-1].reason[CD56]
    # where the samples are alike the sorted one takes theirs
    alike = [counts(rng, BLOOD)[0] for _ in range(3)]
    last = call_proteins([*alike, sorted_nk], ANTIBODIES, seed=1).backgrounds[-1]
    assert last.trusted.all() and last.level[CD56] == pytest.approx(BACKGROUND[CD56], rel=0.5)


def test_names_that_need_an_antibody_without_background_are_taken_back():
    definitions = load_definitions(Path(__file__).parents[3] / "resources/phenotypes/nk.yaml")
    population = np.array(["CD56bright", "CD56dim_KIR", "CD56bright", "unassigned"], object)
    named = Named(population, np.full(4, 0.9, np.float32), {})
    sample = np.array(["a", "a", "b", "a"])
    kept = withhold(named, sample, untrusted={"a": {"KIR2DL1"}, "b": {"CD16"}}, definitions=definitions)
    assert kept.population.tolist() == ["CD56bright", "unassigned", "unassigned", "unassigned"]
    assert np.isfinite(kept.score).tolist() == [True, False, False, True]
    assert withhold(named, sample, untrusted={}, definitions=definitions).population.tolist() == population.tolist()
