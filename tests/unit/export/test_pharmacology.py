"""Exposure against closed forms, outcomes against enumeration by hand, the data set as NONMEM reads it."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.folds import make_folds
from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.dynamics.kinetics.tables import KINETICS
from cimlnk.export.exposure import area, draw_values, exposure_of, make_exposure, terminal
from cimlnk.export.nonmem import make_events
from cimlnk.export.outcome import group_test, rank_test
from cimlnk.export.outcome import test_outcomes as outcomes_of


def series(patient, values, arm="CIML", population="NK", width=0.2):
    return pd.DataFrame(
        [
            {
                "modality": "cytof", "sample": f"{patient}{d}", "patient": patient, "day": d,
                "timepoint": "pre" if d < 0 else f"D{d}", "arm": arm, "tissue_or_product": "blood",
                "population": population, "n_cells": 0.0 if v == 0 else 50.0, "n_nk": 100.0, "fraction": 0.5,
                "fraction_low": 0.4, "fraction_high": 0.6, "nk_per_ul": 2 * v, "nk_per_ul_source": "counts",
                "cells_per_ul": float(v), "cells_per_ul_low": v * np.exp(-1.96 * width),
                "cells_per_ul_high": v * np.exp(1.96 * width) if v else 0.5, "reason": None,
            }
            for d, v in values.items()
        ]
    )  # fmt: skip


def test_areas_are_those_of_the_closed_forms():
    days = np.array([0.0, 7.0, 14.0])
    assert area(days, np.array([0.0, 7.0, 14.0])) == pytest.approx(98.0), "rising: trapezoids"
    k = 0.1
    fine = np.arange(0, 29.0)
    assert area(fine, np.exp(-k * fine)) == pytest.approx((1 - np.exp(-2.8)) / k), "falling: exact on an exponential"
    sparse = np.array([0.0, 20.0, 40.0])
    assert area(sparse, np.exp(-k * sparse), 28.0) == pytest.approx((1 - np.exp(-2.8)) / k), "day 28 between samples"
    assert area(np.array([4.0, 8.0]), np.array([3.0, 3.0])) == pytest.approx(24.0), "the first value stands from day 0"
    assert area(np.array([0.0, 2.0]), np.array([4.0, 0.0])) == pytest.approx(4.0), "down to zero: a trapezoid"


def test_half_life_is_found_and_only_after_the_peak():
    days = np.array([3.0, 7, 14, 28, 42, 56])
    values = 100 * 0.5 ** (days / 9.0)
    values[0] = 1.0
    line = terminal(days, values, 1)
    assert line is not None and np.log(2) / -line.slope == pytest.approx(9.0)
    assert terminal(days, values, 4) is None, "one point after the peak is no line"
    assert terminal(days, np.arange(6.0) + 1, 0) is None, "a rise has no half-life"


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    days = np.array([3.0, 7, 14, 21, 28, 60])
    truth = np.array([20.0, 150, 300, 200, 120, 40])
    exact = {"auc0_28": area(days, truth, 28.0), "clast": 40.0}
    inside = dict.fromkeys(exact, 0)
    for _ in range(300):
        value = truth * np.exp(0.25 * rng.standard_normal(6))
        low, high = value * np.exp(-1.96 * 0.25), value * np.exp(1.96 * 0.25)
        found, _ = exposure_of(days, value, draw_values(value, low, high, rng=rng))
        for name in exact:
            inside[name] += found[f"{name}_low"] <= exact[name] <= found[f"{name}_high"]
    assert all(270 <= n <= 300 for n in inside.values()), inside  # 95 % of 300 is 285, six standard errors are 23


def test_no_cells_and_short_series_have_reasons_and_never_numbers():
    table = pd.concat(
        [
            series("P1", {-7: 10, 3: 0, 7: 0, 28: 0}),
            series("P2", {-7: 10, 7: 100, 14: 50}),
            series("P3", {-7: 0, 7: 5, 28: 3}),
            series("P4", {-7: 10}),
        ]
    )
    folds = make_folds(ABUNDANCE.check(table), "pre")
    made = make_exposure(
        abundance=table,
        folds=folds,
        kinetics=KINETICS.empty(),
        patients=pd.DataFrame({"patient": ["P2"], "dose_per_kg": [5e6]}),
        seed=1,
    ).set_index(["patient", "measure"])
    assert made.loc[("P1", "per_ul"), "cmax"] == 0 and np.isnan(made.loc[("P1", "per_ul"), "auc0_28"])
    assert "no cell found" in made.loc[("P1", "per_ul"), "reason"]
    p2 = made.loc[("P2", "per_ul")]
    assert np.isnan(p2["auc0_28"]) and "day 14" in p2["reason"] and p2["tlast"] == 14
    assert p2["cmax_per_dose"] == pytest.approx(100 / 5) and p2["carried_share"] == pytest.approx(700 / p2["auc0_last"])
    assert made.loc[("P2", "fold"), "cmax"] == pytest.approx(10)
    assert "baseline" in made.loc[("P3", "fold"), "reason"] and made.loc[("P3", "per_ul"), "cmax"] == 5
    assert made.loc[("P4", "per_ul"), "reason"] == "no blood after infusion"


def test_what_comes_after_an_event_is_no_exposure_to_the_infusion():
    table = series("P1", {-7: 10, 7: 100, 28: 20, 60: 900})
    kinetics = KINETICS.empty().reindex([0])
    kinetics[["modality", "patient", "arm", "population", "censored_day"]] = ["cytof", "P1", "CIML", "NK", 35.0]
    folds = make_folds(ABUNDANCE.check(table), "pre")
    made = make_exposure(
        abundance=table, folds=folds, kinetics=kinetics, patients=pd.DataFrame({"patient": []}), seed=1
    )
    row = made[made["measure"] == "per_ul"].iloc[0]
    assert row["cmax"] == 100 and row["tlast"] == 28 and row["end_day"] == 35


def test_group_test_is_the_exact_rank_test():
    values = np.array([9.0, 8, 7, 1, 2, 3])
    member = np.array([1, 1, 1, 0, 0, 0], bool)
    effect, p, floor, _ = group_test(values, member)
    assert effect == 1.0 and p == floor == pytest.approx(2 / comb(6, 3))
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(3)
    values, member = rng.normal(size=9), np.array([1, 1, 1, 1, 0, 0, 0, 0, 0], bool)
    _, p, _, _ = group_test(values, member)
    assert p == pytest.approx(mannwhitneyu(values[member], values[~member], method="exact").pvalue)
    _, _, tied, _ = group_test(np.array([1.0, 1, 1, 1, 1, 2]), np.array([1, 0, 0, 0, 0, 0], bool))
    assert tied == pytest.approx(1 / 6), "ties: what these values could give"


def test_chance_alone_is_rarely_significant():
    rng = np.random.default_rng(5)
    p = [group_test(rng.normal(size=7), np.array([1, 1, 1, 0, 0, 0, 0], bool))[1] for _ in range(400)]
    assert np.mean(np.array(p) <= 0.0572) <= 0.09  # attainable level .0571; four standard errors above it
    q = [rank_test(rng.normal(size=6), rng.normal(size=6))[1] for _ in range(100)]
    assert np.mean(np.array(q) <= 0.05) <= 0.14


def test_outcomes_name_what_they_cannot_say():
    table = pd.concat([series(f"P{i}", {-7: 10, 7: 10.0 * i, 28: 5}) for i in range(1, 7)])
    made = make_exposure(
        abundance=table, folds=make_folds(ABUNDANCE.check(table), "pre"), kinetics=KINETICS.empty(),
        patients=pd.DataFrame({"patient": []}), seed=1,
    )  # fmt: skip
    people = pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(1, 7)], "response": ["no"] * 3 + ["yes"] * 3, "alike": "x",
            "age": [30, 40, 50, 60, 70, 80],
        }
    )  # fmt: skip
    found = outcomes_of(made, people, ["response", "alike", "age", "not_there"])
    row = found[(found["outcome"] == "response") & (found["parameter"] == "cmax") & (found["measure"] == "per_ul")]
    assert row[["effect", "p", "p_floor", "n_group"]].iloc[0].tolist() == pytest.approx([1.0, 0.1, 0.1, 3])
    assert row["fdr"].isna().all(), "where p cannot go below 0.05 nothing is adjusted"
    assert set(found.loc[found["outcome"] == "alike", "p"].isna()) == {True}
    age = found[(found["outcome"] == "age") & (found["parameter"] == "cmax") & (found["measure"] == "per_ul")].iloc[0]
    assert age["effect"] == pytest.approx(1.0) and age["p"] == pytest.approx(2 / 720)
    assert found.loc[found["p"].isna(), "reason"].notna().all() and "not_there" not in set(found["outcome"])


def test_data_set_reads_like_one(tmp_path):
    table = pd.concat([series("B", {-7: 10, 7: 0, 28: 40}), series("A", {-7: 5, 7: 9}, arm="IL2_only")])
    counts = pd.DataFrame({"patient": ["B", "A"], "day": [1, 3], "il2_dose": [1.0, np.nan]})
    people = pd.DataFrame({"patient": ["A", "B"], "dose_per_kg": [np.nan, 6e6]})
    events, key = make_events(
        table, make_folds(ABUNDANCE.check(table), "pre"), KINETICS.empty(), patients=people, counts=counts
    )
    events.to_csv(tmp_path / "n.csv", index=False)
    text = (tmp_path / "n.csv").read_text().splitlines()
    assert all(float(v) == float(v) for line in text[1:] for v in line.split(",")), "numbers only, none missing"
    assert events.groupby("ID")["TIME"].apply(lambda t: t.is_monotonic_increasing and t.iloc[0] == 0).all()
    number = key[key["kind"] == "patient"].set_index("name")["number"]
    mine = events[events["ID"] == number["B"]]
    dose = mine[mine["EVID"] == 1].set_index("CMT")["AMT"]
    assert dose[1] == 6e6 and dose[3] == 1.0 and (mine.loc[mine["EVID"] == 1, "MDV"] == 1).all()
    censored = mine[mine["CENS"] == 1]
    assert len(censored) == 1 and censored["DV"].iloc[0] == 0.5 and censored["LIMIT"].iloc[0] == 0
    seen = mine[(mine["EVID"] == 0) & (mine["DAY"] == 28)].iloc[0]
    assert seen["DV"] == 40 and seen["LDV"] == pytest.approx(np.log(40)) and seen["SE"] == pytest.approx(0.2, rel=1e-3)
    assert seen["BASE"] == 10 and seen["TIME"] == 35
    other = events[events["ID"] == number["A"]]
    assert (other["EVID"] == 0).all(), "no dose was given"
