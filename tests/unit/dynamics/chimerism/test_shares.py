"""Shares of donor and recipient against planted truth: errors of the calls, unsure cells, nobody's cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.dynamics.chimerism.course import make_donor_kinetics
from cimlnk.dynamics.chimerism.differential import donor_tests
from cimlnk.dynamics.chimerism.shares import make_shares

DAYS = {"pre": -5, "D7": 7, "D14": 14, "D28": 28, "D60": 60}
NAMES = {"donor": "Bo", "recipient": "Ada"}


def calls_of(sample, truth, rng, *, error=0.0, unsure=0.0, doublets=0.0, probability=None, named=True):
    """DONOR_CALLS of cells whose truth is `donor` or `recipient`, called wrongly at a rate of `error`."""
    n = len(truth)
    wrong = rng.random(n) < error
    called = np.where(wrong, np.where(truth == "donor", "recipient", "donor"), truth)
    kind = rng.choice(["singlet", "unassigned", "doublet"], n, p=[1 - unsure - doublets, unsure, doublets])
    single = kind == "singlet"
    return pd.DataFrame(
        {
            "sample": sample, "barcode": [f"B{i}" for i in range(n)], "cell": [f"{sample}:B{i}" for i in range(n)],
            "status": kind, "label": np.where(single, np.where(called == "donor", "1", "0"), None),
            "probability": np.nan if probability is None else probability,
            "second": None, "person": np.where(single & named, [NAMES[c] for c in called], None),
            "role": np.where(single & named, called, None),
        }
    )  # fmt: skip


def cohort(shares, *, patients=("P1",), n=1000, seed=0, nk_per_ul=100.0, **how):
    """Calls, matches, populations, abundance and samples; `shares` are time point -> the donor's true share."""
    rng = np.random.default_rng(seed)
    parts, rows = [], []
    for patient in patients:
        for timepoint, share in shares.items():
            sample = f"{patient}_{timepoint}"
            truth = np.where(rng.random(n) < share, "donor", "recipient")
            parts.append(calls_of(sample, truth, rng, **how))
            rows.append({"sample": sample, "patient": patient, "day": DAYS[timepoint], "timepoint": timepoint,
                         "arm": "CIML", "tissue_or_product": "blood", "modality": "rna", "batch": "1"})  # fmt: skip
    calls, samples = pd.concat(parts, ignore_index=True), pd.DataFrame(rows)
    named = how.get("named", True)
    match = pd.DataFrame(
        [
            {"sample": r["sample"], "patient": r["patient"], "label": label, "person": NAMES[role] if named else None,
             "role": role if named else None}
            for r in rows
            for label, role in (("0", "recipient"), ("1", "donor"))
        ]
    )  # fmt: skip
    populations = calls[["cell", "sample"]].assign(population="CD56dim")
    nk = samples.drop(columns=["modality", "batch"]).assign(
        modality="rna", population="NK", n_cells=float(n), n_nk=float(n), fraction=1.0, fraction_low=1.0,
        fraction_high=1.0, nk_per_ul=nk_per_ul, nk_per_ul_source="counts", cells_per_ul=nk_per_ul,
        cells_per_ul_low=0.75 * nk_per_ul, cells_per_ul_high=1.33 * nk_per_ul, reason=None,
    )  # fmt: skip
    return calls, match, populations, ABUNDANCE.check(nk[list(ABUNDANCE.columns)]), samples


def shares_of(made, design="third_party"):
    return make_shares(*made[:3], abundance=made[3], samples=made[4], design=design, overdispersion=0.0005)


def donor_rows(shares, population="NK"):
    return shares[(shares["role"] == "donor") & (shares["population"] == population)].set_index("timepoint")


@pytest.mark.parametrize("share", [0.02, 0.9])
def test_the_interval_holds_the_planted_share_with_false_and_unsure_calls(share):
    held = []
    for seed in range(12):
        made = cohort({"D14": share}, n=600, seed=seed, error=0.02, unsure=0.05, doublets=0.05, probability=0.98)
        row = donor_rows(shares_of(made)).loc["D14"]
        held.append(row["share_low"] <= share <= row["share_high"])
    assert np.mean(held) > 0.9  # 95 % limits and the unsure cells on top: .98 to 1.00 over 60 draws each


def test_false_calls_alone_are_no_donor_where_probabilities_or_blood_before_infusion_show_them():
    """The null: nobody but the recipient."""
    detected, trusting = [], []
    for seed in range(12):
        made = cohort({"pre": 0.0, "D14": 0.0}, n=600, seed=seed, error=0.01)
        detected.append(donor_rows(shares_of(made)).loc["D14", "detected"])
        trusting.append(donor_rows(shares_of(made, "not_stated")).loc["D14", "detected"])
    assert np.mean(detected) <= 0.15  # the rate before infusion is itself counted on six cells
    assert np.mean(trusting) > 0.8  # without it the same false calls look like a donor


def test_unsure_and_uncalled_cells_widen_the_interval_and_doublets_are_in_no_share():
    made = cohort({"D14": 0.5}, unsure=0.2, doublets=0.1, probability=1.0)
    row = donor_rows(shares_of(made)).loc["D14"]
    assert row["n_singlets"] + row["n_doublets"] + row["n_unsure"] == 1000
    assert row["share_low"] < 0.42 and row["share_high"] > 0.58
    calls, *rest = made
    fewer = donor_rows(shares_of((calls.iloc[:500], *rest))).loc["D14"]
    assert fewer["n_unsure"] > 500 and fewer["share_high"] - fewer["share_low"] > 0.55


def test_per_microlitre_is_the_share_of_the_blood_count_with_both_errors():
    row = donor_rows(shares_of(cohort({"D14": 0.25}, probability=1.0))).loc["D14"]
    assert row["per_ul"] == pytest.approx(100 * row["share"])
    assert row["per_ul_low"] < 0.8 * row["per_ul"] and row["per_ul_high"] > 1.3 * row["per_ul"]
    everything = donor_rows(shares_of(cohort({"D14": 0.25})), "all called cells").loc["D14"]
    assert np.isnan(everything["per_ul"]) and "not NK cells alone" in everything["reason"]


def test_a_person_absent_on_a_day_has_a_share_of_nothing_with_an_upper_limit():
    calls, match, *rest = cohort({"D7": 0.4, "D28": 0.0}, probability=1.0)
    match = match[(match["sample"] != "P1_D28") | (match["label"] == "0")]
    row = donor_rows(shares_of((calls, match, *rest))).loc["D28"]
    assert row["share"] == 0 and not row["detected"] and 0 < row["share_high"] < 0.02


def test_labels_without_a_person_are_good_for_their_own_day_only():
    shares = shares_of(cohort({"D7": 0.4, "D28": 0.2}, named=False))
    assert not shares["named"].any()
    of_day = shares[shares["population"] == "NK"].groupby("timepoint")["person"].agg(set)
    assert of_day["D7"] & of_day["D28"] == set()
    assert len(make_donor_kinetics(shares)) == 0


def test_an_independent_call_that_contradicts_lowers_the_lower_limit():
    calls, *rest = cohort({"D14": 0.1}, probability=1.0)
    agreeing = calls.assign(second=calls["person"])
    donor = calls["role"] == "donor"
    doubted = agreeing.assign(second=agreeing["second"].mask(donor & (np.arange(len(calls)) % 3 == 0), "doublet"))
    sure = donor_rows(shares_of((agreeing, *rest))).loc["D14"]
    doubt = donor_rows(shares_of((doubted, *rest))).loc["D14"]
    assert doubt["false_in"] == pytest.approx(donor.sum() / 3, rel=0.3)
    assert doubt["share_low"] < 0.8 * sure["share_low"] and doubt["error_source"] == "the independent call"


def test_kinetics_say_how_high_how_long_and_how_fast():
    # 60 % on day 7, halving every 7 days after it: 30, 7.5, 0.35 %; lost on day 60
    made = cohort({"pre": 0.0, "D7": 0.6, "D14": 0.3, "D28": 0.075, "D60": 0.0}, n=4000, probability=1.0)
    table = make_donor_kinetics(shares_of(made)).set_index("role")
    donor = table.loc["donor"]
    assert (donor["peak_day"], donor["peak_share_day"]) == (7, 7)
    assert donor["peak_share"] == pytest.approx(0.6, abs=0.03)
    assert (donor["first_day_detected"], donor["last_day_detected"], donor["first_day_lost"]) == (7, 28, 60)
    assert donor["half_life_days"] == pytest.approx(7, rel=0.1)
    assert donor["half_life_low"] < 7 < donor["half_life_high"]
    assert np.isnan(table.loc["recipient", "half_life_days"]) and "no half-life" in table.loc["recipient", "reason"]


def test_a_share_that_falls_is_found_and_one_that_stays_is_not():
    people = [f"P{i}" for i in range(6)]
    sheet = pd.DataFrame({"patient": people, "arm": "CIML"})
    how = {"baseline": "D7", "formula": "auto", "reference_arm": None, "min_patients": 3, "min_nk_cells": 50, "seed": 0}
    for late, found in ((0.1, True), (0.4, False)):
        made = cohort({"D7": 0.4, "D28": late}, patients=people, n=400, probability=1.0)
        tests = donor_tests(shares_of(made), made[3], samples=made[4], patients=sheet, **how)
        share = tests[tests["test"] == "donor_share"]
        assert set(share["population"]) == {"donor"} and len(share)
        assert (share["fdr"] < 0.05).all() == found
        assert (share["effect"] < -1).all() == found
        absolute = tests[tests["test"] == "donor_absolute"]
        assert set(absolute["population"]) == {"donor", "recipient"}


def test_one_patient_and_no_roles_are_said_or_give_no_rows():
    sheet = pd.DataFrame({"patient": ["P1"], "arm": ["CIML"]})
    how = {"baseline": "D7", "formula": "auto", "reference_arm": None, "min_patients": 3, "min_nk_cells": 50, "seed": 0}
    made = cohort({"D7": 0.4, "D14": 0.3, "D28": 0.1}, probability=1.0)
    tests = donor_tests(shares_of(made), made[3], samples=made[4], patients=sheet, **how)
    assert tests["p"].isna().all() and tests["reason"].notna().all()
    made = cohort({"D7": 0.4, "D28": 0.1}, named=False)
    assert len(donor_tests(shares_of(made), made[3], samples=made[4], patients=sheet, **how)) == 0


def test_blood_before_infusion_without_a_false_call_is_named_as_the_source():
    rows = donor_rows(shares_of(cohort({"pre": 0.0, "D14": 0.3})))
    assert rows.loc["D14", "error_source"] == "the blood before infusion" and rows.loc["D14", "false_in"] == 0
    assert "none known" in donor_rows(shares_of(cohort({"D14": 0.3}))).loc["D14", "error_source"]
