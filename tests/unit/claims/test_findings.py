"""Every finding goes both ways on noisy tables: supported where its effect was planted, not where it was not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibration.claim_cohorts import USUAL
from calibration.claim_tables import tables
from cimlnk.claims.evaluate import evaluate, load_claims
from cimlnk.claims.evidence import FINDING, Arms, Evidence
from cimlnk.dynamics.abundance.tables import ABUNDANCE, FOLDS
from cimlnk.dynamics.kinetics.tables import KINETICS
from cimlnk.dynamics.tables import DIVERSITY
from cimlnk.populations.tables import STATE

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = load_claims(ROOT / "seeds/claims.yaml")
FINDINGS = [c for c in CLAIMS if CLAIMS[c]["kind"] == FINDING]
# What six patients find in most cohorts only (docs/methods/claims.md has the rates): tested with twelve.
NEED_TWELVE = {"C08", "C22", "C23"}


def verdicts(made, claims=FINDINGS, draws=100, **kwargs):
    found = evaluate({c: CLAIMS[c] for c in claims}, Evidence(made, Arms(), 1, draws=draws, **kwargs))
    return found.set_index("claim")


@pytest.fixture(scope="module")
def of_story(story):
    return verdicts(story)


@pytest.fixture(scope="module")
def of_nulls(nulls):
    return pd.DataFrame([verdicts(n, draws=40)["verdict"] for n in nulls])


@pytest.fixture(scope="module")
def larger():
    made = [tables(12, np.random.default_rng([3, i]), effect=True, noise=USUAL, rna=False) for i in range(3)]
    return [verdicts(m, sorted(NEED_TWELVE), draws=60) for m in made]


@pytest.mark.parametrize("claim", FINDINGS)
def test_a_finding_is_supported_where_its_effect_was_planted(claim, of_story, larger):
    if claim in NEED_TWELVE:
        assert "supported" in {v.loc[claim, "verdict"] for v in larger}
    else:
        assert of_story.loc[claim, "verdict"] == "supported", of_story.loc[claim, "why"]


@pytest.mark.parametrize("claim", FINDINGS)
def test_a_finding_is_seldom_supported_where_nothing_happened(claim, of_nulls):
    # at a true rate of 5 %, more than 3 of 8 happen once in 2,700 claims
    assert (of_nulls[claim] == "supported").sum() <= 3


def test_all_findings_together_are_seldom_supported_by_chance(of_nulls):
    # 8 cohorts of 18 findings at 5 % or less: at most 7 expected, correlated within a cohort
    assert (of_nulls == "supported").to_numpy().sum() <= 14


def test_every_finding_says_how_often_chance_supports_it(of_story):
    evaluable = of_story[of_story["verdict"] != "not evaluable"]
    assert evaluable["chance"].between(0, 0.1).all()
    assert (of_story["why"].str.len() > 10).all()
    tested = evaluable.dropna(subset=["p"])
    assert (tested["p"] >= tested["p_attainable"] - 1e-12).all() and len(tested) >= 10


def test_three_patients_cannot_answer_what_needs_a_test(story):
    three = {
        name: table[table["patient"].str[-1].astype(int) <= 3] if "patient" in table else table
        for name, table in story.items()
    }
    found = verdicts(three)
    asked = ["C07", "C11", "C14", "C15", "C18", "C19", "C20", "C22"]
    assert (found.loc[asked, "verdict"] == "not evaluable").all()
    assert found.loc["C15", "p_attainable"] == 0.125 and "0.05 is out of reach" in found.loc["C15", "why"]
    assert found.loc["C01", "verdict"] == "supported"


def test_chance_bars_a_claim_that_noise_supports(story):
    """With a fold of 1.2 asked for, the late days hold it by noise in too many cohorts of two sampled days."""
    claim = {"C06": {**CLAIMS["C06"], "bounds": {"fold": 0.9, "from_day": 60, "last_day": 90}}}
    row = evaluate(claim, Evidence(story, Arms(), 1)).iloc[0]
    assert row["verdict"] == "not evaluable" and row["chance"] > 0.1 and "too often" in row["why"]


def test_the_generator_writes_the_columns_of_the_pipelines_tables(story):
    for name, schema in (
        ("abundance", ABUNDANCE), ("folds", FOLDS), ("kinetics", KINETICS), ("diversity", DIVERSITY),
        ("state_cytof", STATE), ("state_rna", STATE),
    ):  # fmt: skip
        assert set(story[name].columns) <= set(schema.columns), name


@pytest.mark.parametrize("odds", [1.2, 3.0])
def test_a_rise_in_all_patients_that_is_too_small_to_matter_is_no_finding(story, odds):
    """Six of six patients and p of 1/64: only the size tells the two apart."""
    made = dict(story)
    table = story["abundance"].copy()
    rows = (table["population"] == "memory_like") & (table["arm"] == "no_cytokine")
    keys = [table["patient"], table["modality"]]
    before = table["fraction"].where(rows & (table["tissue_or_product"] == "donor")).groupby(keys).transform("mean")
    late = rows & (table["day"] > 90)
    factor = np.where(table["patient"].str[-1].astype(int) % 2 == 0, odds, odds * 1.1)
    table.loc[late, "fraction"] = (1 / (1 + (1 - before) / before / factor))[late]
    made["abundance"] = table
    row = verdicts(made, ["C21"]).loc["C21"]
    assert row["p"] == pytest.approx(1 / 64) and row["verdict"] == ("supported" if odds > 1.5 else "not supported")


def test_independence_of_viremia_asks_for_a_ratio_that_is_near_one_as_measured():
    """Folds that differ by 2.4 in patients alike enough to exclude 3: no support, and the reason says which."""
    made = tables(12, np.random.default_rng(5), effect=True, noise=USUAL, rna=False, arms=("CIML",))
    random = np.random.default_rng(6)
    folds = made["folds"].copy()
    viremia = made["patients"].set_index("patient")["cmv_viremia"].reindex(folds["patient"]).to_numpy()
    after = folds["day"].to_numpy() > 0
    for ratio, expected in ((1.0, "supported"), (2.4, "not evaluable")):
        value = np.where(after, 20.0 * np.where(viremia == "yes", ratio, 1.0), 1.0)
        folds["fold_change"] = value * np.exp(random.normal(0, 0.05, len(folds)) * after)
        row = verdicts({**made, "folds": folds}, ["C08"]).loc["C08"]
        assert row["verdict"] == expected, row["why"]
    assert "a 3-fold difference is excluded, a 2.4-fold one was measured" in row["why"]
