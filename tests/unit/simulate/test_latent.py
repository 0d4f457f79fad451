import numpy as np
import pytest

from cimlnk.simulate import receptors
from cimlnk.simulate.design import patients
from cimlnk.simulate.latent import BORDERS, POPULATIONS, Latents, Setting, draw, name, second_name
from cimlnk.simulate.repertoire import repertoire

SETTINGS = [
    Setting(timepoint, True, cmv, np.array([0.1, 0.4, 0.3, 0.2]))
    for timepoint in ("pre", "product", "D7", "D28")
    for cmv in (True, False)
]


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("lived", SETTINGS, ids=lambda s: f"{s.timepoint}-{s.cmv}")
def test_a_cell_lies_in_the_region_it_was_drawn_for(population, lived):
    cells = draw(np.random.default_rng(1), population, 2000, setting=lived)
    assert (np.array(POPULATIONS)[name(cells)] == population).all()
    assert all(((axis >= 0) & (axis <= 1)).all() for axis in cells)


def test_there_is_no_gap_at_a_border():
    # Cells per width beside each border of maturation, in resting blood: as many as a fifth of the region's mean.
    lived, random = SETTINGS[0], np.random.default_rng(2)
    cells = [draw(random, p, 4000, setting=lived).maturation for p in POPULATIONS[:4]]
    edges = (0.0, *BORDERS, 1.0)
    for i, border in enumerate(BORDERS):
        for population, side in ((i, border - 0.03), (i + 1, border + 0.03)):
            near = np.abs(cells[population] - (border + side) / 2) < 0.015
            even = 0.03 / (edges[population + 1] - edges[population])
            assert near.mean() > 0.2 * even


def at(maturation, **places):
    n = len(maturation)
    rest = {axis: np.full(n, places.get(axis, 0.0)) for axis in Latents._fields[1:]}
    return Latents(np.array(maturation), **rest)


def test_names_and_second_names_by_hand():
    resting = at([0.1, 0.19, 0.21, 0.4, 0.52, 0.9])
    assert [POPULATIONS[i] for i in name(resting)] == [
        "CD56bright", "CD56bright", "CD56dim_NKG2A", "CD56dim_NKG2A", "CD56dim_KIR", "CD56dim_CD57",
    ]  # fmt: skip
    told = [POPULATIONS[i] if i >= 0 else "" for i in second_name(resting)]
    assert told == ["", "CD56dim_NKG2A", "CD56bright", "", "CD56dim_NKG2A", ""]
    assert POPULATIONS[name(at([0.4], cycle=0.6, memory=0.9))[0]] == "proliferating"
    assert POPULATIONS[second_name(at([0.4], memory=0.45))[0]] == "memory_like"
    assert POPULATIONS[second_name(at([0.4], memory=0.55))[0]] == "CD56dim_NKG2A"


def test_cells_with_nkg2a_and_kir_are_either():
    lived, random = SETTINGS[0], np.random.default_rng(3)
    donor = repertoire(1, patients("tiny", 1)[0])
    cells = draw(random, "CD56dim_KIR", 3000, setting=lived)
    held = receptors.draw(random, "CD56dim_KIR", cells, donor=donor)
    assert held.kir.any(axis=1).all()
    also = receptors.also("CD56dim_KIR", cells, held)
    inner = second_name(cells) < 0
    assert ((also == "CD56dim_NKG2A") == held.nkg2a)[inner].all() and 0.1 < held.nkg2a.mean() < 0.8


def test_second_names_are_a_part_not_the_rule():
    random = np.random.default_rng(4)
    for lived in SETTINGS:
        shares = [(second_name(draw(random, p, 1000, setting=lived)) >= 0).mean() for p in POPULATIONS]
        assert 0.02 < np.mean(shares) < 0.4
        assert max(shares) < 0.6
