"""Names on panels that lack markers, in all files or in some: the same name or a less specific one, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.naming import name_clusters, without_rivals
from cimlnk.populations.positivity import Reference, protein_thresholds
from nk_cells import KINDS, MARKERS, tubes
from nk_names import ALL, NK, expected, name


def test_a_panel_without_receptors_names_what_it_can():
    markers = tuple(m for m in MARKERS if m not in ("NKG2A", "NKG2C", "KIR2DL1", "KIR2DL2_3", "KIR3DL1"))
    named = name(markers=markers)
    got = named["population"]
    assert got[["bright", "late", "nkg2c", "early", "licensed"]].tolist() == [
        "CD56bright", "CD56dim_CD57", "CD56dim_CD57", "CD56dim", "CD56dim",
    ]  # fmt: skip
    assert "NKG2A" in named["reason"]["early"] and "NKG2C" in named["reason"]["late"]


def test_a_panel_without_cd56_withholds_its_names_and_says_why():
    markers = tuple(m for m in MARKERS if m not in ("CD56", "Ki-67", "CD25"))
    named = name(markers=markers)
    assert set(named["population"]) == {"unassigned"}
    assert named["reason"].str.contains("needs CD56, which was not measured").all()


@pytest.mark.parametrize("absent", ["monocyte", "B", "T"])
def test_an_absent_lineage_changes_no_name(absent):
    others = tuple(o for o in ("T", "B", "monocyte") if o != absent)
    assert name(others=others)["population"].to_dict() == expected(*KINDS)


SMALL = {
    6: ("CD3", "CD14", "CD19", "CD56", "CD16", "CD57"),
    12: ("CD3", "CD14", "CD19", "CD56", "CD16", "CD57", "CD7", "CD127", "CD27", "CD62L", "HLA-DR", "CD38"),
    15: ("CD3", "CD14", "CD19", "CD56", "CD16", "CD57", "NKG2A", "NKG2C", "KIR2DL1", "KIR2DL2_3", "CD7", "CD2", "CD94",
         "HLA-DR", "CD38"),
}  # fmt: skip


@pytest.mark.parametrize("size", sorted(SMALL))
def test_a_smaller_panel_gives_the_same_name_or_a_less_specific_one(size):
    definitions = load_definitions(NK)
    large, small = name()["population"], name(markers=SMALL[size])["population"]
    for kind in KINDS:
        assert small[kind] in {large[kind], *definitions.ancestors(large[kind])}, kind


@pytest.mark.parametrize("seed", range(4))
def test_five_markers_that_two_of_three_files_lack_change_no_name(seed):
    """Identity and lineage markers are in every file, any other may be missing; the other files' cells speak for it."""
    may_lack = [m for m in MARKERS if m not in ("CD3", "CD19", "CD14", "CD7", "CD56", "CD16", "CD94", "CD127")]
    drawn = np.random.default_rng(seed).choice(may_lack, 5, replace=False)
    assert name(lacking=tuple(drawn), every=3)["population"].to_dict() == expected(*KINDS), drawn
    assert name(lacking=("Ki-67", "CD25", "NKG2C", "CD57", "NKG2A"), every=3)["population"].to_dict() == expected(
        *KINDS
    )


def test_a_marker_that_too_few_cells_of_a_cluster_have_is_not_read_for_it():
    named = name(lacking=("NKG2C",), every=40)  # ten cells of 400
    assert named.loc["nkg2c", "population"] != "adaptive"
    assert set(named.drop(index="nkg2c")["population"]) == set(expected(*KINDS).values()) - {"adaptive"}


def test_a_forbidden_marker_that_was_not_measured_lowers_the_score():
    markers = tuple(m for m in MARKERS if m != "CD57")
    without, measured = name(markers=markers), name()
    assert without["population"]["early"] == measured["population"]["early"] == "CD56dim_NKG2A"
    assert without["score"]["early"] < measured["score"]["early"] - 0.1
    assert "CD57 would confirm it" in without["reason"]["early"]


def test_what_else_memory_like_cells_carry_has_to_agree_and_to_be_measured():
    """Raised CD56 and NKG2A alone are no memory: younger CD56dim cells have them as well."""
    values, kind, batch, lineage, _ = tubes(ALL)
    rows = np.flatnonzero(kind == "memory")
    for marker in ("CD2", "TIGIT", "NKp30"):
        values[rows, MARKERS.index(marker)] = 0.0
    shown = Reference(values, list(MARKERS), batch, lineage, np.ones(len(values)))
    nk = lineage == "NK"
    cuts = protein_thresholds(values[nk], list(MARKERS), batch[nk], samples=batch[nk], cofactors={}, reference=shown)
    definitions = load_definitions(NK)
    codes, kinds = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(MARKERS), codes, batch=batch[nk], thresholds=cuts, definitions=definitions
    )
    named = name_clusters(distances, definitions).set_index(pd.Index(kinds))
    assert named["population"].to_dict() == {**expected(*KINDS), "memory": "CD56dim_NKG2A"}
    without = name(markers=tuple(m for m in MARKERS if m != "TIGIT"))
    assert without.loc["memory", "population"] == "CD56dim_NKG2A"
    assert "memory_like would need TIGIT" in without.loc["memory", "reason"]


def test_the_least_typed_name_of_real_cells_is_not_the_surest():
    general = name(ALL, markers=tuple(m for m in MARKERS if m not in ("KIR", "NKG2A", "CD57", "NKG2C")))
    definitions = load_definitions(NK, infused=True)
    dim = without_rivals(general, definitions)[lambda t: t["population"] == "CD56dim"]
    assert len(dim) and dim[["score", "margin"]].isna().all(axis=None)


def medians(columns: dict[str, list[float]], *, without: tuple[str, ...] = ()) -> list[str]:
    """Names of alike cells by their levels, beside CD57+ cells that are the yardstick; every threshold is 1.5."""
    features = [f for f in columns if f not in without]
    mature = {"CD56": 2.6, "CD16": 3.5, "CD57": 4.0, "KIR2DL1": 3.5}
    n = len(columns["CD56"])
    levels = np.array([[*columns[f], mature.get(f, 0.0)] for f in features], np.float32).T
    values, labels = np.repeat(levels, 100, axis=0), np.repeat(np.arange(n + 1), 100)
    thresholds = pd.DataFrame(
        [{"feature": f, "batch": "b", "threshold": 1.5, "low": 1.4, "high": 1.6, "method": "reference", "reason": None}
         for f in features]
    )  # fmt: skip
    definitions = load_definitions(NK, infused=False)
    distances = cluster_distances(
        values, features, labels, batch=np.full(len(values), "b"), thresholds=thresholds, definitions=definitions
    )
    return [str(p) for p in name_clusters(distances, definitions)["population"]][:n]


def test_a_little_cd57_is_no_name_where_kir_that_would_be_likelier_were_not_measured():
    levels = {"CD56": [2.6] * 4, "CD16": [3.5] * 4, "CD57": [1.7, 1.7, 2.4, 0.0], "KIR2DL1": [0.0, 3.5, 3.5, 0.0],
              "NKG2A": [0.0, 0.0, 0.0, 3.5]}  # fmt: skip
    assert medians(levels) == ["CD56dim_CD57", "CD56dim_KIR", "CD56dim_CD57", "CD56dim_NKG2A"]
    # of NKG2A+ cells, too, some have KIR, but both names want little CD57: nothing measured speaks for KIR there
    assert medians(levels, without=("KIR2DL1",)) == ["CD56dim", "CD56dim", "CD56dim_CD57", "CD56dim_NKG2A"]


def test_cells_not_quite_bright_need_the_other_markers_that_say_so():
    others = {"NKG2A": 3.5, "CD94": 3.5, "CD62L": 3.5, "CD127": 3.5, "CD27": 3.5, "CXCR3": 3.5, "CD57": 0.0,
              "KIR2DL1": 0.0, "CD25": 0.0, "Ki-67": 0.0}  # fmt: skip
    # bright begins at 3.6; the first lies below by less than the doubt of that, the second above
    levels = {"CD56": [3.3, 3.9], "CD16": [0.5, 0.5], **{f: [v, v] for f, v in others.items()}}
    assert medians(levels) == ["CD56bright", "CD56bright"]
    assert medians(levels, without=tuple(f for f in others if f != "CD57")) == ["CD56dim", "CD56bright"]
