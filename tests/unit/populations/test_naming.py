"""Names follow from a cluster's own cells and the thresholds: right where the phenotype is, else withheld."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserErrors
from cimlnk.populations.definitions import load_definitions
from cimlnk.populations.distances import cluster_distances, score_distances
from cimlnk.populations.naming import name_clusters, without_rivals
from cimlnk.populations.positivity import Reference, protein_thresholds
from nk_cells import KINDS, MARKERS, NAMES, tubes

ROOT = Path(__file__).resolve().parents[3]
ALL = dict.fromkeys(KINDS, 400)


def name(
    kinds: dict[str, int] = ALL,
    *,
    infused: bool = True,
    markers: tuple[str, ...] = MARKERS,
    cofactor: float = 5.0,
    reference: bool = True,
    lacking: tuple[str, ...] = (),
    every: int = 2,
    **tube: object,
) -> pd.DataFrame:
    """The names of kinds of cells, each a cluster, as the pipeline gives them.

    Of `every` files one measured all, the others have no `lacking`.
    """
    values, kind, batch, lineage, _ = tubes(kinds, cofactor=cofactor, **tube)
    without = np.flatnonzero(np.arange(len(values)) % every != 0)
    values[np.ix_(without, [MARKERS.index(m) for m in lacking])] = np.nan
    columns = [MARKERS.index(m) for m in markers]
    values = values[:, columns]
    nk = lineage == "NK"
    shown = Reference(values, list(markers), batch, lineage, np.ones(len(values)))
    thresholds = protein_thresholds(
        values[nk], list(markers), batch[nk], samples=batch[nk], cofactors=dict.fromkeys(markers, cofactor),
        reference=shown if reference else None,
    )  # fmt: skip
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=infused)
    codes, kinds_there = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(markers), codes, batch=batch[nk], thresholds=thresholds, definitions=definitions
    )
    named = name_clusters(distances, definitions)
    return named.set_index(pd.Index(kinds_there))


def expected(*kinds: str) -> dict[str, str]:
    return {k: NAMES[k] for k in kinds}


def test_every_phenotype_gets_its_name_and_no_reason_stands_against_it():
    named = name()
    assert named["population"].to_dict() == expected(*KINDS)
    assert (named["score"] > 0.8).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_leaving_clusters_out_changes_no_other_name(seed):
    """Any subset of clusters removed and the thresholds found again: the rest keep their names."""
    rng = np.random.default_rng(seed)
    subsets = [s for n in range(1, len(KINDS)) for s in itertools.combinations(sorted(KINDS), n)]
    for kept in [subsets[i] for i in rng.choice(len(subsets), 12, replace=False)]:
        named = name(dict.fromkeys(kept, 300), seed=seed)
        assert named["population"].to_dict() == expected(*kept), kept


def test_without_nkg2c_cells_those_with_cd57_are_named():
    kinds = {k: n for k, n in ALL.items() if k != "nkg2c"}
    assert name(kinds)["population"]["late"] == "CD56dim_CD57"


def test_without_cd57_cells_the_names_stand_and_memory_is_claimed_only_of_the_infused():
    kinds = {k: n for k, n in ALL.items() if k not in ("late", "nkg2c")}
    named = name(kinds)["population"]
    assert named[["early", "licensed", "memory"]].tolist() == ["CD56dim_NKG2A", "CD56dim_KIR", "memory_like"]
    resting = {k: n for k, n in kinds.items() if k != "product"}
    assert name(resting, infused=False)["population"]["memory"] == "NKG2A_high"


def test_resting_blood_of_an_infused_patient():
    kinds = {k: n for k, n in ALL.items() if k not in ("nkg2c", "product", "cycling")}
    assert name(kinds)["population"]["memory"] == "memory_like"


def test_a_product_without_cycling_cells_is_activated_and_not_proliferating():
    assert name({"product": 2000})["population"]["product"] == "CIML_activated"
    assert name({"product": 2000}, others=())["population"]["product"] == "CIML_activated"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_single_cluster_and_two_alike_get_the_name(kind):
    assert name({kind: 800})["population"][kind] == NAMES[kind]
    values, _, batch, _, _ = tubes({kind: 800}, others=())
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml")
    everything = tubes({kind: 800})
    reference = Reference(everything[0], list(MARKERS), everything[2], everything[3], np.ones(len(everything[0])))
    thresholds = protein_thresholds(values, list(MARKERS), batch, samples=batch, cofactors={}, reference=reference)
    halves = np.arange(800) % 2
    named = name_clusters(
        cluster_distances(values, list(MARKERS), halves, batch=batch, thresholds=thresholds, definitions=definitions),
        definitions,
    )
    assert named["population"].tolist() == [NAMES[kind]] * 2


def test_nkg2a_on_all_cells_leaves_the_nkg2a_names():
    kinds = {k: ALL[k] for k in ("bright", "early", "memory", "cycling", "product")}
    assert name(kinds)["population"].to_dict() == expected(*kinds)


def test_a_small_bright_artefact_changes_nothing_else():
    values, kind, batch, lineage, _ = tubes(ALL)
    odd = values[kind == "early"][:13].copy()
    odd[:, [MARKERS.index(m) for m in ("NKG2C", "CD25", "CD127")]] = 8.0
    values, nk = np.vstack([values, odd]), np.append(lineage == "NK", np.ones(13, bool))
    batch, kind = np.append(batch, batch[:13]), np.append(kind, ["odd"] * 13)
    reference = Reference(values, list(MARKERS), batch, np.append(lineage, ["NK"] * 13), np.ones(len(values)))
    thresholds = protein_thresholds(
        values[nk], list(MARKERS), batch[nk], samples=batch[nk], cofactors={}, reference=reference
    )
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml")
    codes, there = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(MARKERS), codes, batch=batch[nk], thresholds=thresholds, definitions=definitions
    )
    named = name_clusters(distances, definitions).set_index(pd.Index(there))["population"]
    assert named.drop("odd").to_dict() == expected(*KINDS)


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


def test_nobody_infused_no_word_of_cytokine_induction():
    named = name(infused=False)
    assert named["population"]["product"] == "activated" and named["population"]["memory"] == "NKG2A_high"
    text = " ".join(map(str, named.to_numpy().ravel()))
    assert "CIML" not in text and "memory" not in text


@pytest.mark.parametrize(("cofactor", "scale"), [(5.0, 1.0), (150.0, 30.0), (3.0, 0.6)])
def test_names_do_not_depend_on_the_scale_of_the_instrument(cofactor, scale):
    """The same cells at a fluorescence scale with its cofactor: ten counts lie elsewhere, the names do not."""
    named = name(cofactor=cofactor, scale=scale)["population"]
    assert named.to_dict() == expected(*KINDS)


def test_batches_that_differ_by_channel_get_the_same_names():
    shifts = dict.fromkeys(MARKERS, 0.25)
    assert name(batches=3, shifts=shifts)["population"].to_dict() == expected(*KINDS)


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
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml")
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


def test_both_modalities_have_the_same_names_and_labels():
    for infused in (True, False):
        both = [
            load_definitions(ROOT / f, infused=infused).populations
            for f in ("resources/phenotypes/nk.yaml", "resources/signatures/nk.yaml")
        ]
        assert [(d.name, d.label) for d in both[0]] == [(d.name, d.label) for d in both[1]]


def genes(levels: dict[str, float], n: int, depth: int, rng: np.random.Generator, names: list[str]) -> np.ndarray:
    """log1p of molecules per 10,000 of cells with these levels (molecules per 10,000), at a depth."""
    counts = rng.poisson(np.array([levels.get(g, 0.05) for g in names]) * depth / 1e4, size=(n, len(names)))
    return np.log1p(counts / depth * 1e4)


def test_gene_names_do_not_follow_the_depth_of_sequencing():
    definitions = load_definitions(ROOT / "resources/signatures/nk.yaml")
    names, rng = definitions.features(), np.random.default_rng(4)
    dim = {
        "FGFBP2": 20,
        "FCGR3A": 14,
        "SPON2": 9,
        "CX3CR1": 4,
        "FCER1G": 15,
        "KLRB1": 4,
        "GZMK": 0.5,
        "SELL": 3,
        "XCL1": 2,
    }
    cells = {
        "CD56bright": {"GZMK": 8, "XCL1": 8, "SELL": 9, "IL7R": 3, "FGFBP2": 2, "FCGR3A": 1, "FCER1G": 15, "KLRC1": 6},
        "CD56dim_NKG2A": {**dim, "KLRC1": 6},
        "CD56dim_KIR": {**dim, "KLRC1": 0.6, "KIR2DL3": 3, "KIR3DL1": 2},
        "adaptive": {**dim, "FCER1G": 2, "KLRC2": 6, "KLRC1": 0.1},
        "proliferating": {**dim, "KLRC1": 3, "MKI67": 5, "TOP2A": 3, "TYMS": 5},
        "CIML_activated": {**dim, "IL2RA": 5, "TNFRSF4": 4, "KLRC1": 3},
    }
    for depth in (1500, 6000):
        values = np.vstack([genes(level, 120, depth, rng, names) for level in cells.values()])
        cluster = np.repeat(np.arange(len(cells)), 120)
        named = name_clusters(score_distances(values, names, cluster, definitions=definitions), definitions)
        assert named["population"].tolist() == list(cells), depth


def test_definition_faults_are_told_together(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "populations:\n  A: {positve: [CD56], requires: {CD16: positive}}\n"
        "  B: {positive: [CD16], negative: [CD16], requires: {CD3: negative}}\n"
        "  C: {requires: {CD16: plus}}\n  D: {requires: {CD16: positive}, positive: CD56}\n"
        "  E: {requires: {CD16: positive}, positive: {CD56: .nan}, parents: [Z]}\n  F: nothing\n"
        "  G: {positive: [CD2]}\n  H: {requires: {CD16: positive}, agree: 0.5}\n"
        "  I: {requires: {CD16: positive}, clear: [CD2], agree: 2}\n"
    )
    with pytest.raises(UserErrors) as e:
        load_definitions(path)
    text = str(e.value)
    for words in (
        "did you mean 'positive'", "populations.B", "populations.C.requires.CD16",
        "populations.D.positive: found 'CD56'",
        "populations.E.positive", "populations.E.parents: found 'Z'", "populations.F: found 'nothing'", "populations.G",
        "populations.H.agree: found 0.5", "populations.I.agree: found 2",
    ):  # fmt: skip
        assert words in text, words


def test_aliases_in_definitions_mean_the_marker(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("populations:\n  A: {requires: {CD159a: positive, FcgRIII: low}, positive: [NCAM1]}\n")
    assert load_definitions(path).features() == ["NKG2A", "CD16", "CD56"]


def test_cells_above_the_cut_by_chance_are_no_yardstick_for_bright():
    """Of many CD57- cells a hundredth lies above the threshold of CD57; they show no ordinary CD56."""
    kinds = dict.fromkeys(("bright", "cycling", "memory"), 3000)
    assert name(kinds)["population"].to_dict() == expected(*kinds)


def test_a_forbidden_marker_that_was_not_measured_lowers_the_score():
    markers = tuple(m for m in MARKERS if m != "CD57")
    without, measured = name(markers=markers), name()
    assert without["population"]["early"] == measured["population"]["early"] == "CD56dim_NKG2A"
    assert without["score"]["early"] < measured["score"]["early"] - 0.1
    assert "CD57 would confirm it" in without["reason"]["early"]


def test_names_that_fit_equally_well_give_the_name_they_share(tmp_path):
    # well above both receptors' thresholds, and neither name asks more of the other's receptor
    features = ["CD56", "CD16", "CD57", "NKG2A", "KIR2DL1"]
    own = tmp_path / "own.yaml"
    text = (ROOT / "resources/phenotypes/nk.yaml").read_text(encoding="utf-8")
    own.write_text(text.replace("negative: {NKG2A: 1, NKG2C: 1, Ki-67", "negative: {NKG2A: 2, NKG2C: 1, Ki-67"))
    definitions = load_definitions(own, infused=False)
    rng = np.random.default_rng(1)
    both = np.array([2.6, 3.5, 0.0, 3.5, 3.5]) + rng.normal(0, 0.2, (200, 5))
    mature = np.array([2.6, 3.5, 4.0, 0.0, 3.5]) + rng.normal(0, 0.2, (200, 5))
    values, labels = np.vstack([both, mature]), np.repeat([0, 1], 200)
    thresholds = pd.DataFrame(
        [{"feature": f, "batch": "b", "threshold": 1.5, "low": 1.4, "high": 1.6, "method": "reference", "reason": None}
         for f in features]
    )  # fmt: skip
    distances = cluster_distances(
        values, features, labels, batch=np.full(400, "b"), thresholds=thresholds, definitions=definitions
    )
    named = name_clusters(distances, definitions)
    assert named.loc[0, "population"] == "CD56dim" and "fit equally well" in named.loc[0, "reason"]
    assert named.loc[1, "population"] == "CD56dim_CD57"
    shipped = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=False)
    assert name_clusters(distances, shipped).loc[0, "population"] == "CD56dim_KIR"


def test_what_else_memory_like_cells_carry_has_to_agree_and_to_be_measured():
    """Raised CD56 and NKG2A alone are no memory: younger CD56dim cells have them as well."""
    values, kind, batch, lineage, _ = tubes(ALL)
    rows = np.flatnonzero(kind == "memory")
    for marker in ("CD2", "TIGIT", "NKp30"):
        values[rows, MARKERS.index(marker)] = 0.0
    shown = Reference(values, list(MARKERS), batch, lineage, np.ones(len(values)))
    nk = lineage == "NK"
    cuts = protein_thresholds(values[nk], list(MARKERS), batch[nk], samples=batch[nk], cofactors={}, reference=shown)
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml")
    codes, kinds = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(MARKERS), codes, batch=batch[nk], thresholds=cuts, definitions=definitions
    )
    named = name_clusters(distances, definitions).set_index(pd.Index(kinds))
    assert named["population"].to_dict() == {**expected(*KINDS), "memory": "CD56dim_NKG2A"}
    without = name(markers=tuple(m for m in MARKERS if m != "TIGIT"))
    assert without.loc["memory", "population"] == "CD56dim_NKG2A"
    assert "memory_like would need TIGIT" in without.loc["memory", "reason"]


def test_a_name_that_was_not_won_has_neither_score_nor_margin():
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=True)
    lead = "CD56dim_KIR and CD56dim_CD57 fit equally well: the name they share"
    named = pd.DataFrame(
        {
            "population": ["CD56dim", "CD56dim", "CD56dim_KIR", "CD56dim_KIR", "unassigned"],
            "score": [1.0, 1.0, 0.9, 0.9, np.nan], "runner_up": [None, "CD56dim_KIR", None, "CD56dim_CD57", "CD56dim"],
            "margin": [1.0, 0.0, 1.0, 0.4, np.nan], "reason": [None, lead, None, None, "no CD56dim: …"],
        }
    )  # fmt: skip
    reported = without_rivals(named, definitions)
    assert reported["score"].fillna(-1).tolist() == [-1, -1, 0.9, 0.9, -1]
    assert reported["margin"].fillna(-1).tolist() == [-1, -1, -1, 0.4, -1]


def test_the_least_typed_name_of_real_cells_is_not_the_surest():
    general = name(ALL, markers=tuple(m for m in MARKERS if m not in ("KIR", "NKG2A", "CD57", "NKG2C")))
    definitions = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=True)
    dim = without_rivals(general, definitions)[lambda t: t["population"] == "CD56dim"]
    assert len(dim) and dim[["score", "margin"]].isna().all(axis=None)
