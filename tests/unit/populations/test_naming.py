"""Names follow from profiles: right where the phenotype is there, withheld where it is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserErrors
from cimlnk.populations.definitions import load_definitions
from cimlnk.populations.naming import levels, name_clusters, neighbour_agreement

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def definitions():
    return load_definitions(ROOT / "resources/phenotypes/nk.yaml")


@pytest.fixture
def profile():
    """Idealised clusters: 0 bright, 1 NKG2A dim, 2 KIR dim, 3 CD57 dim, 4 adaptive, 5 product, 6 cycling, 7 memory."""
    markers = "CD56 CD16 NKG2A CD94 CD62L CD127 CD27 KIR2DL1 KIR2DL2_3 KIR3DL1 CD57 NKG2C CD25 CD69 Ki-67 CD38 HLA-DR"
    rows = {
        0: "5 1 3 4 3 3 2 0 0 0 0 0 0 0 0 1 1",
        1: "3 4 3 3 1 0 0 0 0 0 0 0 0 0 0 1 1",
        2: "3 4 0 2 1 0 0 0 3 0 0 0 0 0 0 1 1",
        3: "3 4 0 2 0 0 0 1 1 0 4 0 0 0 0 1 1",
        4: "3 4 0 2 0 0 0 0 3 0 3 4 0 0 0 1 1",
        5: "4 2 3 3 1 0 0 1 1 1 0 0 4 4 0 1 3",
        6: "4 3 3 3 1 0 0 1 1 0 0 0 0 1 4 4 3",
        7: "4 4 4 4 1 0 0 1 1 0 0 0 0 1 0 1 2",
    }
    table = pd.DataFrame({c: list(map(float, r.split())) for c, r in rows.items()}, index=markers.split()).T
    for marker, members in {"CD2": [4, 7], "TIGIT": [7], "NKp30": [0, 1, 7], "NKp46": [0, 7], "NKG2D": [7]}.items():
        table[marker] = np.where(table.index.isin(members), 3.0, 1.0)
    return table


EXPECTED = [
    "CD56bright", "CD56dim_NKG2A", "CD56dim_KIR", "CD56dim_CD57", "adaptive", "CIML_activated", "proliferating",
    "memory_like",
]  # fmt: skip


def call(profile, definitions, **kwargs):
    n = pd.Series(1000, index=profile.index)
    return name_clusters(profile, n, definitions, **{"min_range": 0.8, "min_score": 0.6, **kwargs})


def test_every_phenotype_gets_its_name(profile, definitions):
    assert list(call(profile, definitions)["population"]) == EXPECTED


def test_names_do_not_depend_on_cluster_numbers_or_order(profile, definitions):
    shuffled = profile.rename(index=lambda c: 7 - c).sort_index()
    assert list(call(shuffled, definitions)["population"])[::-1] == EXPECTED


def test_without_any_difference_nothing_is_named(profile, definitions):
    flat = pd.DataFrame(
        2.0 + 0.1 * np.arange(len(profile))[:, None] * np.ones(profile.shape[1]),
        index=profile.index,
        columns=profile.columns,
    )
    named = call(flat, definitions)
    assert (named["population"] == "unassigned").all()
    assert named["reason"].notna().all()


def test_panel_without_the_required_marker_withholds_the_name(profile, definitions):
    named = call(profile.drop(columns=["Ki-67"]), definitions)
    assert "proliferating" not in set(named["population"])


def test_without_receptors_dim_cells_get_the_less_specific_name(profile, definitions):
    """Of a panel without KIR, NKG2A, NKG2C and CD57 only what the other markers tell is said."""
    poor = profile.drop(columns=["KIR2DL1", "KIR2DL2_3", "KIR3DL1", "NKG2A", "NKG2C", "CD57"])
    named = call(poor, definitions)
    assert list(named["population"].iloc[[1, 2, 3, 4]]) == ["CD56dim"] * 4
    assert named["population"].iloc[6] == "proliferating"  # a specific name goes before it, whatever the scores
    assert named["reason"].iloc[1] is None
    assert "CD56dim" not in set(call(poor.drop(columns=["CD16"]), definitions)["population"])


def test_both_modalities_have_the_same_names(definitions):
    genes = load_definitions(ROOT / "resources/signatures/nk.yaml")
    assert [d.name for d in genes.populations] == [d.name for d in definitions.populations]
    assert [d.label for d in genes.populations] == [d.label for d in definitions.populations]


def test_a_tiny_outlier_cluster_does_not_set_the_scale(profile):
    odd = pd.concat([profile, profile.loc[[0]].rename(index={0: 8}) + 50])
    n = pd.Series([1000] * 8 + [1], index=odd.index)
    assert levels(odd, n, 0.8).loc[0, "CD56"] == 1.0


def test_neighbour_agreement_counts_same_names():
    indices = np.array([[1, 2], [0, 2], [0, 1]])
    assert neighbour_agreement(indices, np.array([0, 0, 1])).tolist() == [0.5, 0.5, 0.0]


def test_definition_faults_are_told_together(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "populations:\n  A: {positve: [CD56]}\n  B: {positive: [CD16], negative: [CD16]}\n"
        "  C: {positive: [CD16], requires: {CD16: plus}}\n"
    )
    with pytest.raises(UserErrors) as e:
        load_definitions(path)
    path.write_text("populations:\n  A: {positive: [CD56], otherwise: maybe}\n")
    with pytest.raises(UserErrors, match="true or false"):
        load_definitions(path)
    text = str(e.value)
    assert "did you mean 'positive'" in text and "populations.B" in text and "populations.C.requires.CD16" in text
