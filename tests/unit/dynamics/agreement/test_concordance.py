"""Agreement of the modalities: planted agreement is called reliable, chance and bias are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cimlnk.common.home import HOME
from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.abundance.tables import ABUNDANCE, FOLDS
from cimlnk.dynamics.agreement.concordance import agreement, lin, spearman
from cimlnk.dynamics.agreement.pairs import matched, matched_features, whole
from cimlnk.dynamics.agreement.run import protein_shares, write_agreement
from cimlnk.dynamics.agreement.tables import AGREEMENT, AGREEMENT_PAIRS
from cimlnk.populations.definitions_file import load_definitions

POPULATIONS = ["CD56bright", "adaptive", "memory_like"]


def shares(noise: float, bias: float = 0.0, seed: int = 0, days: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for patient in ("P1", "P2", "P3"):
        for day in range(days):
            truth = rng.dirichlet([3, 2, 4])
            for modality in ("cytof", "rna"):
                seen = truth + rng.normal(0, noise, 3) + bias * (modality == "rna")
                for population, f in zip(POPULATIONS, seen, strict=True):
                    rows.append((modality, f"{patient}_{day}_{modality}", patient, day * 7, "blood", population, f))
    columns = ["modality", "sample", "patient", "day", "tissue_or_product", "population", "fraction"]
    table = pd.DataFrame(rows, columns=columns)
    for name, (kind, _) in ABUNDANCE.columns.items():
        if name not in table:
            table[name] = {"str": "x", "str?": None}.get(kind, 1.0)
    return ABUNDANCE.check(table)


def folds_of(abundance: pd.DataFrame) -> pd.DataFrame:
    table = abundance[["modality", "patient", "arm", "population", "day"]].copy()
    table["baseline_day"] = 0.0
    table["fold_change"] = abundance["fraction"].clip(lower=0.01) / 0.3
    table["fold_low"], table["fold_high"], table["reason"] = np.nan, np.nan, None
    return FOLDS.check(table)


def test_concordance_punishes_bias_and_correlation_does_not():
    x = np.random.default_rng(0).normal(size=50)
    assert lin(x, x) == pytest.approx(1) and lin(x, x + 2) < 0.4 and spearman(x, x + 2) == pytest.approx(1)
    assert spearman(x, x**3 + x) == pytest.approx(stats.spearmanr(x, x**3 + x).statistic)


def test_planted_agreement_is_reliable_and_shuffles_are_not():
    table = shares(noise=0.02)
    judged = agreement(matched(table, folds_of(table)), shuffles=199)
    assert (judged["verdict"] == "reliable").all() and (judged["shuffled_high"] < judged["concordance"]).all()
    assert set(judged["measure"]) == {"fraction", "log2_fold"}
    rng = np.random.default_rng(1)
    broken = table.copy()
    for population in POPULATIONS:
        rows = ((broken["modality"] == "rna") & (broken["population"] == population)).to_numpy()
        broken.loc[rows, "fraction"] = rng.permutation(broken.loc[rows, "fraction"].to_numpy())
    judged = agreement(matched(broken, folds_of(broken)), shuffles=199)
    single = judged[judged["population"] != "all"]
    assert (single["verdict"] == "unreliable").all() and single["reason"].notna().all()


def test_chance_is_called_reliable_in_at_most_one_of_twenty():
    calls = []
    for seed in range(60):
        table = shares(noise=0.0, seed=seed)
        other = shares(noise=0.0, seed=1000 + seed)
        table.loc[table["modality"] == "rna", "fraction"] = other.loc[other["modality"] == "rna", "fraction"].to_numpy()
        judged = agreement(matched(table, folds_of(table).head(0)), min_concordance=0.0, shuffles=99, seed=seed)
        calls += (judged.loc[judged["population"] != "all", "verdict"] == "reliable").tolist()
    # 180 dependent verdicts (three shares sum to 1) at 5 %: 12 % would be over four standard errors off
    assert np.mean(calls) <= 0.12


def test_a_constant_bias_is_reported_and_makes_it_unreliable():
    table = shares(noise=0.01, bias=0.5)
    judged = agreement(matched(table, folds_of(table).head(0)), shuffles=99).set_index("population")
    assert judged.loc["adaptive", "bias"] == pytest.approx(-50, abs=2)  # percentage points
    assert judged.loc["adaptive", "verdict"] == "unreliable" and judged.loc["adaptive", "correlation"] > 0.8


def test_too_few_pairs_and_one_sided_populations_are_told():
    table = shares(noise=0.01, days=1)
    judged = agreement(
        matched(table, folds_of(table)),
        populations={"cytof": [*POPULATIONS, "proliferating"], "rna": POPULATIONS},
    ).set_index(["measure", "population"])
    assert judged.loc[("fraction", "adaptive"), "reason"] == "3 matched pairs, 4 are needed"
    assert judged.loc[("fraction", "proliferating"), "reason"] == "not named in rna"
    assert judged.loc[("fraction", "proliferating"), "n_pairs"] == 0
    assert judged.loc[("fraction", "proliferating"), "verdict"] == "not compared"


def state(values: dict[tuple[str, str], float], feature: str, n_cells: int = 100) -> pd.DataFrame:
    rows = [(s, p, feature, n_cells, v, v, 0.5) for (s, p), v in values.items()]
    return pd.DataFrame(
        rows, columns=["sample", "population", "feature", "n_cells", "median", "mean", "fraction_positive"]
    )


def test_protein_and_rna_are_paired_by_subset_and_patient_day():
    rng = np.random.default_rng(2)
    samples = pd.DataFrame(
        [
            {"sample": f"P{i}_{m}", "patient": f"P{i}", "day": 7, "tissue_or_product": "blood"}
            for i in range(4)
            for m in ("c", "r")
        ]
    )
    levels = {(f"P{i}", p): rng.normal() for i in range(4) for p in POPULATIONS}
    cytof = state({(f"{s}_c", p): v for (s, p), v in levels.items()}, "NKG2A")
    rna = state({(f"{s}_r", p): np.exp(v) for (s, p), v in levels.items()}, "KLRC1")
    pairs = matched_features(cytof, rna, samples, genes={"NKG2A": "KLRC1", "CD56": "NCAM1"})
    assert len(pairs) == 12
    judged = agreement(pairs, shuffles=99).iloc[0]
    assert judged["verdict"] == "reliable" and judged["correlation"] == pytest.approx(1)
    assert np.isnan(judged["concordance"])
    few = matched_features(cytof.assign(n_cells=3), rna, samples, genes={"NKG2A": "KLRC1"}, min_cells=20)
    assert few.empty


def test_a_cohort_with_one_modality_gets_empty_tables(tmp_path):
    table = shares(noise=0.01)
    write_table(table, tmp_path / "a.parquet", ABUNDANCE)
    write_table(folds_of(table), tmp_path / "f.parquet", FOLDS)
    write_table(table, tmp_path / "state.parquet", ABUNDANCE)
    write_agreement(
        abundance=tmp_path / "a.parquet",
        folds=tmp_path / "f.parquet",
        states=[tmp_path / "state.parquet"],
        modalities=["cytof"],
        samples=tmp_path / "none.parquet",
        settings={},
        seed=0,
        table=tmp_path / "out.parquet",
        pairs=tmp_path / "pairs.parquet",
        provenance={},
    )
    assert len(read_table(tmp_path / "out.parquet", AGREEMENT)) == 0
    assert len(read_table(tmp_path / "pairs.parquet", AGREEMENT_PAIRS)) == 0


def test_a_common_time_course_is_no_agreement():
    """Unrelated patients that share nothing but how everybody changes over time."""
    calls = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        course = {0: 0.1, 7: 0.4, 14: 0.6, 28: 0.3}
        rows = [
            ("fraction", "adaptive", f"P{i}", day, "blood", *(100 * level + rng.normal(0, 8, 2)))
            for i in range(5)
            for day, level in course.items()
        ]
        names = ["measure", "population", "patient", "day", "tissue_or_product", "value_one", "value_other"]
        pairs = pd.DataFrame(rows, columns=names).assign(feature_one=None, feature_other=None, one="cytof", other="rna")
        judged = agreement(pairs, shuffles=199, seed=seed)
        calls += (judged.loc[judged["population"] == "adaptive", "verdict"] == "reliable").tolist()
    assert len(calls) == 40 and sum(calls) <= 6  # at 5 % more than 6 of 40 in 0.3 % of the trials


def test_patients_alone_at_their_time_points_cannot_be_exchanged():
    table = shares(noise=0.01)
    table["day"] = table["day"] + 100 * table["patient"].str[1:].astype(int)
    judged = agreement(matched(table, folds_of(table).head(0)), shuffles=99)
    assert (judged["verdict"] == "unreliable").all() and judged["reason"].str.contains("ways to exchange").all()


def test_every_two_of_three_modalities_are_compared_and_proteins_of_single_cells_are_one(tmp_path):
    two = shares(noise=0.01)
    flow = two[two["modality"] == "cytof"].assign(modality="flow")
    flow["fraction"] = flow["fraction"] + np.random.default_rng(3).normal(0, 0.01, len(flow))
    table = pd.concat([two, flow], ignore_index=True)
    sheet = two[two["modality"] == "rna"].drop_duplicates("sample")[["sample", "patient", "day", "tissue_or_product"]]
    cells = [
        {"sample": s, "lineage_protein": "NK", "population_protein": p, "n": round(400 * f)}
        for s, p, f in two.loc[two["modality"] == "rna", ["sample", "population", "fraction"]].itertuples(index=False)
    ]
    cells = pd.DataFrame(cells).loc[lambda t: t.index.repeat(t["n"].clip(lower=0))].drop(columns="n")
    other = cells.head(50).assign(lineage_protein="T", population_protein=None)  # no part of the whole
    pd.concat([cells, other]).to_parquet(tmp_path / "adt.parquet")
    sheet.assign(arm="a", timepoint="t" + sheet["day"].astype(str)).to_parquet(tmp_path / "samples.parquet")
    table.to_parquet(tmp_path / "a.parquet")
    folds_of(two).head(0).to_parquet(tmp_path / "f.parquet")
    state({}, "NKG2A").to_parquet(tmp_path / "state.parquet")
    write_agreement(
        abundance=tmp_path / "a.parquet", folds=tmp_path / "f.parquet", states=[tmp_path / "state.parquet"] * 3,
        modalities=["cytof", "flow", "rna"], samples=tmp_path / "samples.parquet", proteins=tmp_path / "adt.parquet",
        settings={"pairs": {}, "min_cells": 20, "min_pairs": 4, "min_concordance": 0.5, "shuffles": 99}, seed=0,
        table=tmp_path / "out.parquet", pairs=tmp_path / "pairs.parquet", provenance={},
    )  # fmt: skip
    judged = read_table(tmp_path / "out.parquet", AGREEMENT)
    whole_of = judged[judged["population"] == "all"].set_index(["one", "other"])
    assert list(whole_of.index) == [
        ("cytof", "flow"), ("cytof", "adt"), ("cytof", "rna"), ("flow", "adt"), ("flow", "rna"), ("adt", "rna"),
    ]  # fmt: skip
    assert (whole_of["verdict"] == "reliable").all() and (whole_of["n_pairs"] == 36).all()
    assert whole_of.loc[("adt", "rna"), "concordance"] > 0.99  # rounded to whole cells, nothing else


def test_a_panel_that_tells_less_is_compared_by_subsets_with_all_that_refine_them():
    defs = load_definitions(HOME / "resources/phenotypes/nk.yaml")
    under = defs.refined()
    assert under["CD56dim_CD57"] == ["adaptive"]
    assert under["CD56dim"] == ["CD56dim_CD57", "CD56dim_KIR", "CD56dim_NKG2A", "adaptive"]
    assert "CD56bright" not in under  # activated and memory-like cells may come from several subsets
    rows = [
        ("cytof", "CD56dim_CD57", 0.3),
        ("cytof", "adaptive", 0.2),
        ("cytof", "CD56bright", 0.5),
        ("flow", "CD56dim", 0.5),
    ]
    table = pd.DataFrame(rows, columns=["modality", "population", "fraction"]).assign(
        sample="s", patient="P1", day=0, tissue_or_product="blood"
    )
    found = matched(whole(table, under), folds_of(shares(0.01)).head(0), one="cytof", other="flow")
    found = found.set_index(["measure", "population"])
    assert found.loc[("fraction_whole", "CD56dim"), ["value_one", "value_other"]].tolist() == [50.0, 50.0]
    assert ("fraction", "CD56dim") not in found.index


def test_shares_by_protein_are_of_the_nk_cells_by_protein():
    cells = pd.DataFrame(
        [("a", "NK", "CD56bright"), ("a", "NK", "unassigned"), ("a", "T", None), ("b", "NK", "CD56dim")],
        columns=["sample", "lineage_protein", "population_protein"],
    )
    sheet = pd.DataFrame({"sample": ["a", "b"], "patient": "P1", "day": [0, 7], "tissue_or_product": "blood"})
    found = protein_shares(cells, sheet).set_index(["sample", "population"])
    assert found.loc[("a", "CD56bright"), "fraction"] == 0.5 and found.loc[("b", "CD56bright"), "fraction"] == 0
    assert (found["modality"] == "adt").all()
