"""Spillover of CATALYST's example: 36 single-stained beads and multiplexed cells."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cimlnk.cytof.lineage import LINEAGES, call_lineages
from cimlnk.cytof.prepare import columns_of_masses, read_acquisition
from cimlnk.cytof.spillover.compensate import compensate
from cimlnk.cytof.spillover.files import compensate_file, make_matrix
from cimlnk.cytof.spillover.matrix import plausible_mask, read_matrix

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
STAINS = DATA / "cytof_spillover_catalyst"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not STAINS.is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
MASSES = [139, *range(141, 157), *range(158, 177)]
SETTINGS = {"single_stains": "ss_exp.fcs", "stained_masses": MASSES, "matrix": "", "minimum_events": 50}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    place = tmp_path_factory.mktemp("matrix")
    make_matrix(STAINS / "ss_exp.fcs", place / "m.csv", place / "m.svg", settings=SETTINGS)
    return place / "m.csv"


def test_the_matrix_has_only_plausible_entries(matrix):
    table = read_matrix(matrix)
    assert table.shape == (36, 39)
    own = np.array([[r == c for c in table.columns] for r in table.index])
    values = table.to_numpy()
    assert (values[own] == 1).all()
    assert (values[~own & ~plausible_mask(list(table.index), list(table.columns))] == 0).all()
    assert values[~own].max() < 0.05
    # Known chemistry: lanthanum's oxide is gadolinium-155, neodymium 145 is impure by 146, europium has two isotopes.
    assert 0.01 < table.at["La139Di", "Gd155Di"] < 0.02
    assert 0.03 < table.at["Nd145Di", "Nd146Di"] < 0.05
    assert table.at["Eu151Di", "Eu153Di"] > 0.005


def test_single_stains_lose_what_is_not_their_own(matrix):
    file = read_acquisition(STAINS / "ss_exp.fcs")
    columns = columns_of_masses(file.metals, MASSES, "single-stain")
    after, _ = compensate(file.events, file.metals, read_matrix(matrix))
    assert (after >= 0).all()
    brightest = file.events[:, columns].argmax(axis=1)
    checked, total = 0, np.zeros(2)
    for i, own in enumerate(columns):
        mine = (brightest == i) & (file.events[:, own] > 50)
        old, new = np.median(file.events[mine], axis=0), np.median(after[mine], axis=0)
        for j in np.setdiff1d(np.arange(len(file.metals)), own):
            if old[j] >= 1:  # a median below one count is no spillover to remove
                assert new[j] <= 0.2 * old[j], (file.metals[own], file.metals[j], old[j], new[j])
                checked += 1
                total += old[j], new[j]
        assert new[own] == pytest.approx(old[own], rel=0.02)
    print(f"{checked} pairs with off-channel medians of a count or more: sum {total[0]:.0f} -> {total[1]:.2f}")
    assert checked > 80


def test_cells_are_compensated_without_negative_counts(matrix, tmp_path):
    compensate_file(
        STAINS / "mp_cells.fcs",
        matrix,
        **dict(
            zip(("compensated", "record", "figure"), [tmp_path / f"c.{e}" for e in ("fcs", "json", "svg")], strict=True)
        ),
    )
    before, after = read_acquisition(STAINS / "mp_cells.fcs"), read_acquisition(tmp_path / "c.fcs")
    assert after.events.shape == before.events.shape and (after.events >= 0).all()

    def correlation(file, one, two):
        x = np.arcsinh(file.events[:, [file.metals.index(one), file.metals.index(two)]] / 5)
        low = x[:, 1] < 4  # the cells that do not carry the second marker
        return np.corrcoef(x[low].T)[0, 1]

    # HLA-ABC on 172, 3.8 % of which lands in CD3 on 173: T cells aside, CD3 rose with HLA-ABC.
    pair = [round(float(correlation(f, "Yb172Di", "Yb173Di")), 2) for f in (before, after)]
    print(f"correlation of 172 with 173 in cells without the marker on 173: {pair[0]} -> {pair[1]}")
    assert correlation(before, "Yb172Di", "Yb173Di") > 0.6
    assert correlation(after, "Yb172Di", "Yb173Di") < 0.2


def test_nk_cells_lose_the_cd14_that_is_the_spill_of_their_cd16(matrix):
    """CD16 is on erbium-167, CD14 on 168: 3 % of the brightest marker of NK cells lies above ten ions of CD14."""
    markers = {"La139Di": "CD8a", "Pr141Di": "CD64", "Ho165Di": "CD4", "Sm149Di": "CD20", "Eu151Di": "CD123",
               "Gd158Di": "CD15", "Dy163Di": "CD22", "Er167Di": "CD16", "Er168Di": "CD14", "Er170Di": "CD7",
               "Yb173Di": "CD3", "Lu175Di": "HLA-DR", "Yb176Di": "CD45"}  # fmt: skip
    file = read_acquisition(STAINS / "mp_cells.fcs")
    columns, names = [file.metals.index(m) for m in markers], list(markers.values())

    def carriers(events):
        values = np.arcsinh(np.asarray(events)[:, columns] / 5).astype(np.float32)
        called = call_lineages(values, names, np.full(len(names), 5.0), seed=1)
        nk = np.array(LINEAGES)[called.lineage] == "NK"
        return nk.sum(), float((values[nk, names.index("CD14")] > np.arcsinh(2)).mean())

    (n, before), (m, after) = (
        carriers(file.events),
        carriers(compensate(file.events, file.metals, read_matrix(matrix))[0]),
    )
    assert 500 < min(n, m) and max(n, m) < 750
    assert before > 0.08 and after < 0.03
