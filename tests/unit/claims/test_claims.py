"""Every claim goes both ways: supported where the effect was put in, not supported where it was taken out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.claims.compare import blocked_permutation, clr, mann_whitney, paired
from cimlnk.claims.evaluate import asked, evaluate, load_claims, with_bounds
from cimlnk.claims.evidence import Arms, Evidence
from cimlnk.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = load_claims(ROOT / "seeds/claims.yaml")
POPULATIONS = [
    "CD56bright",
    "CD56dim_NKG2A",
    "CD56dim_KIR",
    "adaptive",
    "CIML_activated",
    "proliferating",
    "memory_like",
]
DISEASES = ["AML", "AML", "AML", "MDS", "BPDCN", "CML blast crisis"]
# Shares by tissue and day, in the order of POPULATIONS: what the study's story looks like.
SHARES = {
    ("donor", -30): [0.12, 0.40, 0.33, 0.10, 0.00, 0.01, 0.04],
    ("product", 0): [0.02, 0.05, 0.03, 0.01, 0.86, 0.02, 0.01],
    ("blood", -7): [0.15, 0.40, 0.30, 0.10, 0.00, 0.02, 0.03],
    ("blood", 7): [0.20, 0.05, 0.04, 0.01, 0.05, 0.60, 0.05],
    ("blood", 28): [0.20, 0.15, 0.10, 0.03, 0.00, 0.07, 0.45],
    ("blood", 60): [0.16, 0.25, 0.20, 0.06, 0.00, 0.03, 0.30],
    ("blood", 100): [0.14, 0.35, 0.28, 0.08, 0.00, 0.02, 0.13],
}
FOLD = {-7: 1.0, 7: 22.0, 28: 12.0, 60: 6.0, 100: 4.0}
# NKG2A share, CD25 and CD69 (arcsinh), Ki-67 share, CD56 (arcsinh), CD16 share
MARKERS = {
    ("donor", -30): (0.50, 0.2, 0.3, 0.02, 3.3, 0.90),
    ("product", 0): (0.80, 4.0, 4.0, 0.05, 4.0, 0.30),
    ("blood", -7): (0.50, 0.2, 0.3, 0.02, 3.3, 0.90),
    ("blood", 7): (0.85, 0.8, 1.0, 0.65, 4.4, 0.50),
    ("blood", 28): (0.80, 0.2, 0.4, 0.10, 3.9, 0.70),
    ("blood", 60): (0.70, 0.2, 0.3, 0.04, 3.5, 0.85),
    ("blood", 100): (0.60, 0.2, 0.3, 0.03, 3.4, 0.88),
}


def build(arms=("CIML", "IL2_only"), fold=FOLD, control_fold=2.0, shares=SHARES, markers=MARKERS, seed=0):
    """Tables of a cohort in which all claims of the study hold, unless an argument says otherwise."""
    random = np.random.default_rng(seed)
    patients, samples, abundance, folds, kinetics, state, rna, diversity = ([] for _ in range(8))
    for arm in arms:
        for i in range(6):
            patient = f"{arm}{i + 1}"
            patients.append(
                {
                    "patient": patient, "arm": arm, "disease": DISEASES[i], "dose_per_kg": 5e6 + 1e6 * (i % 5),
                    "il2_planned": 7.0, "il2_received": 2.0 if i == 5 else 7.0, "cmv_viremia": "yes" if i < 3 else "no",
                }
            )  # fmt: skip
            lift = random.uniform(0.8, 1.2)
            mine = {d: 1.0 if d < 0 else lift * (f if arm == "CIML" else control_fold) for d, f in fold.items()}
            for (tissue, day), share in shares.items():
                sample = f"{patient}_{tissue}{day}"
                keys = {"sample": sample, "patient": patient, "day": day, "arm": arm, "tissue_or_product": tissue}
                samples.append({**keys, "timepoint": f"{tissue}{day}"})
                if arm == "CIML":
                    base = np.array(share)
                else:
                    base = np.array(shares[("blood", -7)]) + (day > 0) * np.array([0.25, -0.1, -0.1, -0.05, 0, 0, 0])
                values = base * random.uniform(0.9, 1.1, len(base))
                values /= values.sum()
                nk = 20.0 * mine[day] if tissue == "blood" else np.nan
                for population, v in [*zip(POPULATIONS, values, strict=True), ("NK", 1.0)]:
                    row = {**keys, "modality": "cytof", "population": population, "fraction": v, "nk_per_ul": nk}
                    abundance.append({**row, "cells_per_ul": nk * v})
                nkg2a, cd25, cd69, ki67, cd56, cd16 = markers[(tissue, day)]
                for feature, median, positive in (
                    ("NKG2A", 2.0, nkg2a), ("CD25", cd25, 0.1), ("CD69", cd69, 0.1), ("Ki-67", 0.5, ki67),
                    ("CD56", cd56, 1.0), ("CD16", 3.0, cd16),
                ):  # fmt: skip
                    jitter = random.uniform(0.97, 1.03)
                    entry = {"sample": sample, "population": "NK", "feature": feature, "n_cells": 1000}
                    state.append(
                        {**entry, "median": median * jitter, "mean": median, "fraction_positive": positive * jitter}
                    )
                entry = {"sample": sample, "population": "memory_like", "feature": "NKG2C", "n_cells": 100}
                state.append({**entry, "median": 0.0, "mean": 0.0, "fraction_positive": 0.04})
                entry = {"sample": sample, "population": "NK", "feature": "KLRC1", "n_cells": 500}
                rna.append({**entry, "median": 0.0, "mean": nkg2a, "fraction_positive": nkg2a})
                simpson = 1 / float((values**2).sum())
                diversity.append({**keys, "modality": "cytof", "inverse_simpson": simpson})
            series = {"modality": "cytof", "patient": patient, "arm": arm, "population": "NK"}
            folds += [{**series, "day": d, "fold_change": f} for d, f in mine.items()]
            kinetics.append({**series, "peak_fold": max(mine.values())})
    tables = {
        "samples": samples, "patients": patients, "abundance": abundance, "folds": folds, "kinetics": kinetics,
        "state_cytof": state, "state_rna": rna, "diversity": diversity,
        "tests": [
            {"test": "signflip", "feature": None, "p": 0.04, "p_floor": 0.03125},
            {"test": "state", "feature": "CD56", "p": np.nan, "p_floor": 0.03125},
            {
                "test": "donor_identity", "feature": "donor_receptors", "p": 0.001, "p_floor": 0.001, "effect": 0.9,
                "effect_low": 0.8, "effect_high": 0.95, "n_patients": 6, "reason": None,
            },
        ],
        "recovery": [
            {"measure": "population ARI", "modality": m, "value": v} for m, v in (("cytof", 0.95), ("rna", 0.9))
        ],
    }  # fmt: skip
    return {k: pd.DataFrame(v) for k, v in tables.items()}


def verdicts(tables, claims=CLAIMS):
    return evaluate(claims, Evidence(tables, Arms(), 1)).set_index("claim")


@pytest.fixture(scope="module")
def story():
    return build()


NEEDS_MORE = {"C16", "C17", "C21", "C23", "C28"}  # function, outcome or another trial's arm: not in this design


def test_all_claims_of_the_story_are_supported(story):
    table = verdicts(story)
    assert set(table.index[table["verdict"] != "supported"]) == NEEDS_MORE
    assert (table.loc[sorted(NEEDS_MORE), "verdict"] == "not evaluable").all()


def test_every_verdict_says_how_it_came_about(story):
    table = verdicts(story)
    assert (table["why"].str.len() > 10).all()


def test_an_empty_run_claims_nothing():
    assert (verdicts({})["verdict"] == "not evaluable").all()


def lymphoma(purity, patients=8, dose=1e7, il2=0, responses=("CR",) * 7 + ("SD",)):
    ids = [f"L{i + 1}" for i in range(patients)]
    sheet = pd.DataFrame(
        {
            "patient": ids,
            "arm": "no_cytokine",
            "dose_per_kg": dose,
            "il2_planned": il2,
            "il2_received": il2,
            "response": responses[:patients],
        }
    )
    release = pd.DataFrame(
        {"sample": ids, "arm": "no_cytokine", "purity": purity, "purity_low": np.array(purity) - 0.02,
         "purity_high": np.array(purity) + 0.02, "decision": "released", "reason": None}
    )  # fmt: skip
    return {"patients": sheet, "release": release}


def test_the_lymphoma_design_is_read_from_sheets_and_products():
    pure = np.random.default_rng(1).uniform(0.84, 0.97, 8)
    assert verdicts(lymphoma(pure)).loc["C28", "verdict"] == "supported"
    row = verdicts(lymphoma(np.append(pure[:7], 0.71))).loc["C28"]
    assert row["verdict"] == "not supported" and "7 of 8 products" in row["why"] and row["value"] == 0.71
    for change in ({"patients": 7}, {"dose": 5e6}, {"il2": 2}, {"responses": ("CR",) * 6 + ("SD",) * 2}):
        assert verdicts(lymphoma(pure[: change.get("patients", 8)], **change)).loc["C28", "verdict"] == "not supported"
    without = lymphoma(pure)
    del without["release"]
    assert verdicts(without).loc["C28", "verdict"] == "not evaluable"


def changed(**kwargs):
    return lambda tables: build(**kwargs)


def edit(name, **columns):
    """A change of one table's columns; a callable gets the table."""

    def apply(tables):
        table = tables[name]
        new = {c: v(table) if callable(v) else v for c, v in columns.items()}
        return {**tables, name: table.assign(**new)}

    return apply


def move(feature, column, value, name="state_cytof"):
    def apply(tables):
        table = tables[name].copy()
        table.loc[table["feature"] == feature, column] = value
        return {**tables, name: table}

    return apply


FLAT = dict.fromkeys(SHARES, SHARES[("blood", -7)])


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("C01", changed(fold={**FOLD, 7: 4.0, 28: 3.0, 60: 3.0, 100: 3.0})),
        ("C02", edit("patients", disease="AML")),
        ("C03", edit("patients", dose_per_kg=2e7)),
        ("C04", edit("patients", il2_received=7.0)),
        ("C05", changed(fold={-7: 1.0, 7: 3.0, 28: 22.0, 60: 9.0, 100: 4.0})),
        ("C06", changed(fold={-7: 1.0, 7: 22.0, 28: 9.0, 60: 1.2, 100: 1.0})),
        ("C07", changed(control_fold=20.0)),
        ("C08", edit("kinetics", peak_fold=lambda t: np.where(t["patient"].str[-1].astype(int) > 3, 2.0, 30.0))),
        ("C09", changed(shares=FLAT, seed=3)),
        ("C10", edit("tests", p=0.4)),
        ("C11", move("NKG2A", "fraction_positive", 0.5)),
        ("C11", move("KLRC1", "mean", 0.5, "state_rna")),
        ("C12", move("CD25", "median", 1.0)),
        ("C13", move("Ki-67", "fraction_positive", 0.3)),
        ("C14", move("CD16", "fraction_positive", 0.8)),
        ("C15", changed(shares=FLAT)),
        ("C18", changed(shares=dict.fromkeys(SHARES, SHARES[("blood", 28)]))),
        ("C19", move("NKG2C", "fraction_positive", 0.5)),
        ("C20", changed(shares={**SHARES, **{("blood", d): SHARES[("product", 0)] for d in (28, 60, 100)}})),
        ("C22", edit("diversity", inverse_simpson=lambda t: 200.0 - t["day"])),
        ("C24", edit("tests", p=1e-4)),
        ("C25", edit("abundance", fraction=lambda t: t["fraction"] * 0.99)),
        ("C26", edit("recovery", value=0.5)),
        ("C27", changed(control_fold=15.0)),
    ],
)
def test_claim_is_not_supported_once_its_effect_is_gone(story, claim, change):
    only = {claim: CLAIMS[claim]}
    assert verdicts(change(story), only).loc[claim, "verdict"] == "not supported"


def test_optional_columns_make_the_remaining_claims_evaluable(story):
    tables = dict(story)
    yes = np.arange(len(tables["patients"])) % 2 == 0
    tables["patients"] = tables["patients"].assign(
        response=np.where(yes, "yes", "no"), relapse=np.where(yes, "no", "yes"), transplant="cord"
    )
    state = tables["state_cytof"]
    donors = state[state["feature"] == "NKG2A"].assign(feature="CD8a")
    number = donors["sample"].str.extract(r"(\d)_")[0].astype(int)
    donors["fraction_positive"] = np.where(number % 2 == 1, 0.2, 0.4)
    recall = state[state["feature"] == "NKG2A"].assign(feature="IFNg")
    recall["mean"] = np.arange(len(recall), dtype=float)
    follow = recall.assign(feature="CD57", mean=-recall["mean"])
    follows = [recall.assign(feature=f) for f in ("CD94", "NKG2C", "CD69", "NKG2A")]
    rest = state[~state["feature"].isin(["CD69", "NKG2A", "NKG2C"])]
    tables["state_cytof"] = pd.concat([rest, donors, recall, follow, *follows])
    table = verdicts(tables, {c: CLAIMS[c] for c in ("C16", "C17", "C23")})
    assert table.loc["C17", "verdict"] == "supported"
    assert table.loc["C16", "verdict"] == "supported"
    assert table.loc["C23", "verdict"] in ("supported", "not supported")


def test_config_bounds_replace_defaults_and_unknown_ones_are_refused():
    stricter = with_bounds(CLAIMS, {"C01": {"low": 20}})
    assert stricter["C01"]["bounds"] == {"low": 20, "high": 50, "exceptions_per_six": 1}
    with pytest.raises(UserError, match="claims.bounds.C91"):
        with_bounds(CLAIMS, {"C91": {}})
    with pytest.raises(UserError, match="did you mean 'low'"):
        with_bounds(CLAIMS, {"C01": {"lwo": 20}})


def test_rank_sum_agrees_with_scipy_without_ties():
    from scipy.stats import mannwhitneyu

    random = np.random.default_rng(2)
    for _ in range(20):
        x, y = random.normal(size=5), random.normal(1, size=6)
        assert mann_whitney(x, y) == pytest.approx(mannwhitneyu(x, y, method="exact").pvalue)


def test_rank_sum_floor_at_six_against_six():
    assert mann_whitney(np.arange(6), np.arange(10, 16)) == pytest.approx(2 / 924)


def test_blocked_permutation_is_calibrated_on_nulls():
    # 200 null data sets; p uniform means about 5 % below 0.05, and 99.9 % of binomials stay below 11 %
    random = np.random.default_rng(5)
    blocks, groups = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    hits = 0
    for _ in range(200):
        x = random.normal(size=(24, 5)) + 3 * random.normal(size=(6, 5))[blocks]
        hits += blocked_permutation(x, groups, blocks, rng=random, n_permutations=99)[1] <= 0.05
    assert 0.005 <= hits / 200 <= 0.11


def test_clr_rows_sum_to_zero_and_paired_keeps_only_complete_patients():
    assert np.allclose(clr(pd.DataFrame([[0.2, 0.8], [0.0, 1.0]])).sum(axis=1), 0)
    table = pd.DataFrame({"patient": ["a", "a", "b"], "day": [0, 1, 1], "v": [1.0, 3.0, 5.0]})
    both = paired(table, "v", table["day"] == 0, after=table["day"] == 1)
    assert both.index.tolist() == ["a"] and both["difference"].tolist() == [2.0]


def test_where_nobody_was_infused_only_the_analysis_itself_is_asked():
    put = asked(CLAIMS, infused=False)
    assert list(put) == [name for name, claim in CLAIMS.items() if claim["tier"] == "D"] and put
    words = " ".join(str(claim["title"]) for claim in put.values())
    assert "CIML" not in words and "emory" not in words
    assert asked(CLAIMS, infused=True) == CLAIMS
