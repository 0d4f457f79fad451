"""Names follow from a cluster's own cells and the thresholds: right where the phenotype is, else withheld."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances, score_distances
from cimlnk.populations.naming import name_clusters, without_rivals
from cimlnk.populations.positivity import Reference, protein_thresholds
from nk_cells import KINDS, MARKERS, NAMES, tubes
from nk_names import ALL, NK, expected, name


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
    definitions = load_definitions(NK)
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
    definitions = load_definitions(NK)
    codes, there = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(MARKERS), codes, batch=batch[nk], thresholds=thresholds, definitions=definitions
    )
    named = name_clusters(distances, definitions).set_index(pd.Index(there))["population"]
    assert named.drop("odd").to_dict() == expected(*KINDS)


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


def genes(levels: dict[str, float], n: int, depth: int, rng: np.random.Generator, names: list[str]) -> np.ndarray:
    """log1p of molecules per 10,000 of cells with these levels (molecules per 10,000), at a depth."""
    counts = rng.poisson(np.array([levels.get(g, 0.05) for g in names]) * depth / 1e4, size=(n, len(names)))
    return np.log1p(counts / depth * 1e4)


def test_gene_names_do_not_follow_the_depth_of_sequencing():
    definitions = load_definitions(NK.parents[1] / "signatures/nk.yaml")
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


def test_cells_above_the_cut_by_chance_are_no_yardstick_for_bright():
    """Of many CD57- cells a hundredth lies above the threshold of CD57; they show no ordinary CD56."""
    kinds = dict.fromkeys(("bright", "cycling", "memory"), 3000)
    assert name(kinds)["population"].to_dict() == expected(*kinds)


def test_names_that_fit_equally_well_give_the_name_they_share(tmp_path):
    # well above both receptors' thresholds, and neither name asks more of the other's receptor
    features = ["CD56", "CD16", "CD57", "NKG2A", "KIR2DL1"]
    own = tmp_path / "own.yaml"
    text = (NK).read_text(encoding="utf-8")
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
    shipped = load_definitions(NK, infused=False)
    assert name_clusters(distances, shipped).loc[0, "population"] == "CD56dim_KIR"


def test_a_name_that_was_not_won_has_neither_score_nor_margin():
    definitions = load_definitions(NK, infused=True)
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
