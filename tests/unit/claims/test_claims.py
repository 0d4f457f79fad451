"""Single claims: the cases that once came out wrong, and the reasons that are given."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.claims.evaluate import asked, evaluate, load_claims, with_bounds
from cimlnk.claims.evidence import KINDS, Arms, Evidence
from cimlnk.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = load_claims(ROOT / "seeds/claims.yaml")


def row(made, claim, **kwargs):
    return evaluate({claim: CLAIMS[claim]}, Evidence(made, Arms(), 1, draws=100, **kwargs)).iloc[0]


def edited(made, name, change):
    return {**made, name: change(made[name].copy())}


def with_peaks(story, peaks):
    """The story's cohort with treated patients who share one course over the days and have the peak folds given."""

    def change(folds):
        mine = folds["patient"].isin(peaks) & (folds["day"] > 0)
        log = np.log(folds.loc[mine, "fold_change"]).groupby(folds.loc[mine, "day"]).mean()
        factor = np.exp(log - log.max()).reindex(folds.loc[mine, "day"]).to_numpy()
        fold = factor * folds.loc[mine, "patient"].map(peaks).to_numpy()
        for column in ("fold_low", "fold_high"):
            folds.loc[mine, column] *= fold / folds.loc[mine, "fold_change"]
        folds.loc[mine, "fold_change"] = fold
        return folds

    return edited(story, "folds", change)


def test_kinds_are_a_closed_list():
    assert {c["kind"] for c in CLAIMS.values()} == set(KINDS)


def test_an_empty_run_claims_nothing():
    table = evaluate(CLAIMS, Evidence({}, Arms(), 1))
    assert (table["verdict"] == "not evaluable").all() and (table["why"].str.len() > 10).all()


def test_a_cohort_without_the_arm_says_which_arms_it_has(story):
    for claim in ("C01", "C09", "C11", "C12", "C15", "C19", "C22"):
        found = evaluate({claim: CLAIMS[claim]}, Evidence(story, Arms(treated="CAR"), 1)).iloc[0]
        assert found["verdict"] == "not evaluable" and "'CAR'" in found["why"] and "CIML" in found["why"], claim


def test_a_cohort_of_rna_alone_is_judged_by_rna(story):
    rna = {k: t for k, t in story.items() if k != "state_cytof"}
    rna["abundance"] = story["abundance"].query("modality == 'rna'")
    rna["diversity"] = story["diversity"].query("modality == 'rna'")
    for claim in ("C09", "C11", "C15", "C18", "C20", "C21"):
        found = row(rna, claim)
        assert found["verdict"] == "supported" and found["modality"] == "rna", (claim, found["why"])


def test_folds_that_follow_viremia_are_not_independent_of_it(story):
    ids = [f"CIML{i}" for i in range(1, 7)]
    viremia = story["patients"].set_index("patient").loc[ids, "cmv_viremia"]
    steep = with_peaks(story, {p: 49.0 + i if viremia[p] == "yes" else 10.5 + i / 10 for i, p in enumerate(ids)})
    found = row(steep, "C08")
    assert found["verdict"] == "not supported" and "4.7" in found["why"]
    alike = with_peaks(story, {p: 25.0 + i for i, p in enumerate(ids)})
    assert row(alike, "C08")["verdict"] == "supported"


def test_viremia_may_stand_in_the_samples_sheet(story):
    viremia = story["patients"].set_index("patient")["cmv_viremia"]
    moved = edited(story, "patients", lambda t: t.drop(columns="cmv_viremia"))
    assert row(moved, "C08")["verdict"] == "not evaluable"
    moved = edited(moved, "samples", lambda t: t.assign(cmv_viremia=t["patient"].map(viremia)))
    assert row(moved, "C08")["value"] == row(story, "C08")["value"]


def test_what_comes_after_a_boost_is_not_read(story):
    boosted = edited(story, "kinetics", lambda t: t.assign(censored_day=35.0))
    found = row(boosted, "C06")
    assert found["verdict"] == "not evaluable" and "CIML1 after day 35" in found["why"]
    back = edited(boosted, "folds", lambda t: t.assign(fold_change=np.where(t["day"] == 60, 100.0, t["fold_change"])))
    assert row(back, "C01")["high"] == row(boosted, "C01")["high"]


def test_the_expansion_says_that_the_interval_overlaps_and_how_many_may_lie_outside(story):
    found = row(story, "C01")
    assert found["bound"] == "95 % interval overlaps 10 to 50 fold in 5 of 6 or more" and "every" not in found["title"]
    assert "6 of 6 patients overlap, 1 may lie outside" in found["why"]


def test_names_are_written_as_the_pages_write_them(story):
    assert not re.search(r"CIML_activated|CD56dim_|memory_like", row(story, "C07")["why"])


def test_no_test_over_time_is_not_no_test(story):
    why = row(edited(story, "tests", lambda t: t.iloc[:0]), "C24")["why"]
    assert "no change over time" in why and "overview" in why


def test_a_day_not_reached_is_told(story):
    short = edited(story, "folds", lambda t: t[t["day"] < 80])
    assert "followed to day 60 only" in row(short, "C06")["why"]
    late = edited(story, "folds", lambda t: t[(t["day"] < 0) | (t["day"] > 20)])
    assert "no patient has a fold by day 14" in row(late, "C05")["why"]


def test_a_baseline_on_day_0_is_a_baseline(story):
    def move(table):
        first = table["timepoint"] == "pre"
        return table.assign(day=table["day"].where(~first, 0))

    moved = edited(edited(story, "samples", move), "abundance", move)
    for claim in ("C07", "C14"):
        assert row(moved, claim)["verdict"] == row(story, claim)["verdict"] == "supported"


def test_sides_measured_in_batches_of_their_own_are_not_compared(story):
    batches = edited(story, "samples", lambda t: t.assign(batch="run" + t["tissue_or_product"]))
    for claim in ("C11", "C15", "C18", "C20", "C22"):
        found = row(batches, claim)
        assert found["verdict"] == "not evaluable" and "one batch" in found["why"], claim
    each = edited(story, "samples", lambda t: t.assign(batch=t["timepoint"]))
    assert "time and batch are one" in row(each, "C09")["why"]
    nested = edited(story, "samples", lambda t: t.assign(batch=t["patient"]))
    assert row(nested, "C15")["verdict"] == row(nested, "C09")["verdict"] == "supported"


def test_overlap_with_adaptive_cells_is_read_above_background_and_beside_the_other_cells(story):
    def shares(**values):
        def change(state):
            mine = state["feature"] == "NKG2C"
            given = state["population"].map(values)
            return state.assign(fraction_positive=given.where(mine & given.notna(), state["fraction_positive"]))

        return edited(story, "state_cytof", change)

    assert row(shares(NK=0.012), "C19")["verdict"] == "not evaluable"  # nobody has adaptive cells
    assert row(shares(memory_like=0.3), "C19")["verdict"] == "not supported"
    assert row(shares(memory_like=0.08, NK=0.08), "C19")["verdict"] == "not supported"  # small, but as all NK cells
    raised = shares(memory_like=0.12, NK=0.3, CD56bright=0.1, CD56dim_NKG2A=0.1)
    assert row(raised, "C19")["value"] == pytest.approx((0.12 - 0.10) / 0.90, abs=1e-6)
    assert row(raised, "C19")["verdict"] == "supported"


def test_donors_are_the_bound_of_memory_without_cytokine(story):
    flat = edited(story, "abundance", lambda t: t.assign(fraction=np.where(
        (t["arm"] == "no_cytokine") & (t["population"] == "memory_like") & (t["tissue_or_product"] == "blood"), 0.03,
        t["fraction"])))  # fmt: skip
    donors = edited(flat, "abundance", lambda t: t.assign(fraction=np.where(
        (t["arm"] == "no_cytokine") & (t["population"] == "memory_like") & (t["tissue_or_product"] == "donor"), 0.03,
        t["fraction"])))  # fmt: skip
    assert row(donors, "C21")["verdict"] == "not supported"  # 3 % is what donors have
    without = edited(story, "abundance", lambda t: t[t["tissue_or_product"] != "donor"])
    assert "11%" in row(without, "C21")["bound"]


def test_cofactors_of_the_panel_turn_medians_into_counts(story):
    five, ten = row(story, "C12"), row(story, "C12", cofactors={"CD25": 100.0, "CD69": 100.0})
    assert ten["value"] > five["value"] * 1.2


def test_donor_identity_needs_donors_enough(story):
    two = edited(story, "tests", lambda t: t.assign(p=0.25, p_floor=0.25))
    assert row(two, "C10")["verdict"] == "not evaluable"
    refused = edited(story, "tests", lambda t: t.assign(p=np.nan, reason="not estimable: nested in batches"))
    assert "nested in batches" in row(refused, "C10")["why"]


def exact_rows(p=0.03125, model=0.001, n=6):
    keys = {
        "table": "tests",
        "modality": "cytof",
        "population": "adaptive",
        "feature": None,
        "contrast": "CIML: D7 vs pre",
        "n_patients": n,
    }
    return pd.DataFrame([
        {**keys, "test": "abundance", "method": "beta_binomial_mixed", "p": model, "p_floor": 0.0},
        {**keys, "test": "abundance_signflip", "method": "sign_flip", "p": p, "p_floor": 2 / 2**n},
    ])  # fmt: skip


def test_p_below_what_patients_can_give_is_found():
    assert row({"tests": exact_rows()}, "C24")["verdict"] == "supported"
    # the stated floor is wrong too: only the number of patients tells
    below = exact_rows(p=0.01).assign(p_floor=[0.0, 0.01])
    assert row({"tests": below}, "C24")["verdict"] == "not supported"


def test_models_that_their_exact_tests_contradict_are_found():
    found = row({"tests": exact_rows(p=0.6, model=1e-5)}, "C24")
    assert found["verdict"] == "not supported" and found["value"] == 1.0
    few = exact_rows(p=0.25, model=1e-5, n=3)  # three patients could not have shown it
    assert row({"tests": few}, "C24")["verdict"] == "supported"
    alone = exact_rows().iloc[:1].assign(test="expression")
    assert "without an exact test beside them: expression" in row({"tests": alone}, "C24")["why"]


def test_names_must_beat_simpler_methods():
    scores = pd.DataFrame({
        "modality": "cytof", "method": ["this pipeline", "hand thresholds", "linear classifier shown"],
        "ari": [0.7, 0.6, 0.8],
    })  # fmt: skip
    assert row({"difficulty": scores}, "C26")["verdict"] == "supported"
    assert row({"difficulty": scores.assign(ari=[0.64, 0.6, 0.8])}, "C26")["verdict"] == "not supported"


def test_controls_must_fail(story):
    assert row(story, "C27")["verdict"] == "supported"
    swapped = evaluate({"C27": CLAIMS["C27"]}, Evidence(story, Arms(control="CIML"), 1)).iloc[0]
    assert swapped["verdict"] == "not supported" and swapped["arm"] == "CIML"


def test_sums_and_products_are_checked(story):
    assert row(story, "C25")["verdict"] == "supported"
    assert row(edited(story, "abundance", lambda t: t.assign(fraction=t["fraction"] * 0.99)), "C25")["verdict"] == (
        "not supported"
    )


DISEASES = ["AML", "AML", "AML", "MDS", "BPDCN", "CML blast crisis"]


def test_the_design_is_read_off_the_sheets(story):
    def sheet(table):
        mine = (table["arm"] == "CIML").to_numpy()
        given = table.assign(disease=None)
        given.loc[mine, "disease"] = DISEASES
        given.loc[mine & (table["patient"] == "CIML6").to_numpy(), "il2_received"] = 2.0
        return given

    right = edited(story, "patients", sheet)
    for claim in ("C02", "C03", "C04"):
        assert row(right, claim)["verdict"] == "supported"
    assert row(edited(right, "patients", lambda t: t.assign(disease="AML")), "C02")["verdict"] == "not supported"
    assert row(edited(right, "patients", lambda t: t.assign(disease=None)), "C02")["verdict"] == "not evaluable"
    assert row(edited(right, "patients", lambda t: t.assign(dose_per_kg=2e7)), "C03")["verdict"] == "not supported"
    assert row(edited(right, "patients", lambda t: t.assign(il2_received=7.0)), "C04")["verdict"] == "not supported"


def lymphoma(purity, patients=8, dose=1e7, il2=0, responses=("CR",) * 7 + ("SD",)):
    ids = [f"L{i + 1}" for i in range(patients)]
    sheet = pd.DataFrame({
        "patient": ids, "arm": "no_cytokine", "dose_per_kg": dose, "il2_planned": il2, "il2_received": il2,
        "response": responses[:patients],
    })  # fmt: skip
    release = pd.DataFrame({
        "sample": ids, "arm": "no_cytokine", "purity": purity, "purity_low": np.array(purity) - 0.02,
        "purity_high": np.array(purity) + 0.02, "decision": "released", "reason": None,
    })  # fmt: skip
    return {"patients": sheet, "release": release}


def test_the_lymphoma_design_is_read_from_sheets_and_products():
    pure = np.random.default_rng(1).uniform(0.84, 0.97, 8)
    assert row(lymphoma(pure), "C28")["verdict"] == "supported"
    found = row(lymphoma(np.append(pure[:7], 0.71)), "C28")
    assert found["verdict"] == "not supported" and "7 of 8 products" in found["why"] and found["value"] == 0.71
    for change in ({"patients": 7}, {"dose": 5e6}, {"il2": 2}, {"responses": ("CR",) * 6 + ("SD",) * 2}):
        assert row(lymphoma(pure[: change.get("patients", 8)], **change), "C28")["verdict"] == "not supported"
    without = lymphoma(pure)
    del without["release"]
    assert row(without, "C28")["verdict"] == "not evaluable"


def test_config_bounds_replace_defaults_and_unknown_ones_are_refused():
    stricter = with_bounds(CLAIMS, {"C01": {"low": 20}})
    assert stricter["C01"]["bounds"] == {"low": 20, "high": 50, "exceptions_per_six": 1}
    with pytest.raises(UserError, match="claims.bounds.C91"):
        with_bounds(CLAIMS, {"C91": {}})
    with pytest.raises(UserError, match="did you mean 'low'"):
        with_bounds(CLAIMS, {"C01": {"lwo": 20}})


def test_where_nobody_was_infused_only_the_analysis_itself_is_asked():
    put = asked(CLAIMS, infused=False)
    own = [name for name, claim in CLAIMS.items() if claim["tier"] == "D"]
    assert list(put) == [name for name in own if name != "C27"] and "C24" in put  # controls are arms of such a study
    words = " ".join(str(claim["title"]) for claim in put.values())
    assert "CIML" not in words and "emory" not in words
    assert asked(CLAIMS, infused=True) == CLAIMS


def test_an_unknown_kind_is_a_fault(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("C01:\n  kind: rumour\n")
    with pytest.raises(ValueError, match="rumour"):
        load_claims(path)


def test_patients_too_few_are_counted_in_words():
    evidence = Evidence({}, Arms(), 1)
    verdicts = [evidence.too_few(n, "a count") for n in (0, 1, 2)]
    assert [v.why for v in verdicts if v is not None] == [
        "no patient has a count, at least 3 asked", "1 patient with a count, at least 3 asked",
        "2 patients with a count, at least 3 asked",
    ]  # fmt: skip
