"""Counts in 10⁹/L beside counts per microlitre are told; the course of a transplant is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.cohort.read import LINE
from cimlnk.cohort.units import odd_units

ROOT = Path(__file__).resolve().parents[3]
DAYS = np.array([-7, 0, 3, 7, 14, 28, 60, 100])


def course(seed: int = 1, patients: int = 6) -> pd.DataFrame:
    """Lymphodepletion from some 1,200 lymphocytes per microlitre to some 5 and back, patients 3-fold apart."""
    rng = np.random.default_rng(seed)
    shape = np.array([1200.0, 20.0, 5.0, 60.0, 300.0, 500.0, 900.0, 1100.0])
    parts = [
        pd.DataFrame(
            {
                "patient": f"P{k}",
                "day": DAYS,
                "lymphocytes_per_ul": shape * rng.lognormal(0, 0.5) * rng.lognormal(0, 0.4, 8),
            }
        )
        for k in range(patients)
    ]
    table = pd.concat(parts, ignore_index=True)
    table["nk_per_ul"] = table["lymphocytes_per_ul"] * rng.uniform(0.05, 0.6, len(table))
    table[LINE] = np.arange(2, len(table) + 2)
    return table


def test_courses_over_three_orders_of_magnitude_are_not_told():
    assert [w for seed in range(8) for w in odd_units(course(seed), "counts.tsv")] == []


@pytest.mark.parametrize("sheet", sorted(p.name for p in (ROOT / "config/counts").glob("*.tsv")))
def test_shipped_sheets_are_not_told(sheet):
    table = pd.read_csv(ROOT / "config/counts" / sheet, sep="\t", comment="#")
    table = table.reindex(columns=["patient", "day", "lymphocytes_per_ul", "nk_per_ul"])
    assert odd_units(table.assign(**{LINE: range(2, len(table) + 2)}), sheet) == []


def test_a_patient_in_another_unit_is_told_and_no_other():
    table = course()
    table.loc[table["patient"] == "P3", ["lymphocytes_per_ul", "nk_per_ul"]] /= 1000
    words = odd_units(table, "counts.tsv")
    assert len(words) == 2 and all("patient P3 has values" in w and "10^9 per litre" in w for w in words)
    table = course()
    table.loc[table["patient"] == "P3", "nk_per_ul"] *= 1000
    assert ["patient P3" in w and "per millilitre" in w for w in odd_units(table, "counts.tsv")] == [True]


def test_a_whole_sheet_in_another_unit_is_told_once_a_column():
    table = course()
    table[["lymphocytes_per_ul", "nk_per_ul"]] /= 1000
    assert ["no value is above" in w for w in odd_units(table, "counts.tsv")] == [True, True]


def test_one_row_in_another_unit_is_told_with_its_row():
    table = course()
    at = table.index[(table["patient"] == "P2") & (table["day"] == 60)][0]
    table.loc[at, "lymphocytes_per_ul"] /= 1000
    (words,) = odd_units(table, "counts.tsv")
    assert f"patient P2, row {at + 2}: " in words and "on day 60" in words


def test_nothing_is_said_of_zeros_and_gaps():
    table = course()
    table["nk_per_ul"] = np.nan
    table.loc[table["day"] == 3, "lymphocytes_per_ul"] = 0
    assert odd_units(table, "counts.tsv") == []


def test_a_whole_sheet_per_millilitre_or_litre_is_said_with_its_unit():
    for factor, unit in ((1_000, "per millilitre"), (1_000_000, "per litre")):
        table = course()
        table["nk_per_ul"] *= factor
        (words,) = odd_units(table, "counts.tsv")
        assert "column nk_per_ul: the median is" in words and f"if they are {unit}" in words
        assert f"divided by {factor:,}" in words


@pytest.mark.parametrize("column", ["lymphocytes_per_ul", "nk_per_ul"])
def test_of_three_patients_the_one_per_millilitre_is_named(column):
    table = course(patients=3)
    table.loc[table["patient"] == "P1", column] *= 1000
    (words,) = odd_units(table, "counts.tsv")
    assert "patient P1 has values up to" in words and "per millilitre" in words


def test_neither_of_two_that_agree_is_named_for_a_third():
    """Of days after conditioning alone the odd one's values are as low as blood may have."""
    table = course(patients=3)
    table = table[table["day"] == 3]
    table.loc[table["patient"] == "P1", "nk_per_ul"] *= 500
    assert ["patient P1 has values" in w for w in odd_units(table, "counts.tsv")] == [True]


def test_two_of_five_patients_per_millilitre_are_one_line():
    table = course(patients=5)
    table.loc[table["patient"].isin(["P1", "P4"]), "nk_per_ul"] *= 1000
    (words,) = odd_units(table, "counts.tsv")
    assert "patients P1 and P4 have values up to" in words


def test_one_row_per_millilitre_is_said_with_its_row():
    table = course()
    at = table.index[(table["patient"] == "P2") & (table["day"] == 100)][0]
    table.loc[at, "nk_per_ul"] *= 1000
    (words,) = odd_units(table, "counts.tsv")
    assert f"patient P2, row {at + 2}: " in words and "on day 100" in words
