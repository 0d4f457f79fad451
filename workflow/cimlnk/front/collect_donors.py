"""Warnings about whose cells they are, drawn from the tables of donor calls."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cimlnk.dynamics.chimerism.shares import BEFORE

from .collect import warning

MOST_UNSURE = 0.2  # of the cells: above it the share is mostly what the unsure cells are


def of_donors(matches: pd.DataFrame, comparisons: pd.DataFrame, shares: pd.DataFrame) -> list[dict[str, Any]]:
    """Labels without a person, evidence that disagrees, persons of two patients, unsure cells, early donors."""
    rows = []
    several = matches.groupby("patient")["sample"].transform("nunique") > 1
    for (sample, reason), part in matches[matches["person"].isna() & several].groupby(["sample", "reason"], sort=True):
        labels = ", ".join(map(str, part["label"]))
        conflict = part["conflict"].notna().any()
        kind = "donor evidence disagrees" if conflict else "days not joined by donor"
        rows.append(_row(kind, "serious" if conflict else "caution", f"label {labels}: {reason}", sample=str(sample)))
    for row in matches[matches["person"].notna() & matches["conflict"].notna()].to_dict("records"):
        text = f"label {row['label']}: {row['conflict']}"
        rows.append(_row("donor evidence disagrees", "serious", text, sample=str(row["sample"])))
    patient = matches.drop_duplicates("sample").set_index("sample")["patient"]
    crossed = comparisons[comparisons["same"] & comparisons["other_sample"].notna()]
    for row in crossed.to_dict("records"):
        one, other = patient.get(row["sample"]), patient.get(row["other_sample"])
        if one != other and one is not None and other is not None:
            text = f"label {row['label']} has the genotype of label {row['other']} of {row['other_sample']} ({other})"
            rows.append(_row("one genotype in two patients", "caution", text, sample=str(row["sample"])))
    nk = shares[shares["population"] == "NK"]
    for row in nk.drop_duplicates("sample").to_dict("records"):
        total = row["n_singlets"] + row["n_doublets"] + row["n_unsure"]
        if total and row["n_unsure"] / total > MOST_UNSURE:
            text = f"{row['n_unsure']:,} of {total:,} NK cells have no sure donor call"
            rows.append(_row("donor calls unsure", "caution", text, sample=str(row["sample"])))
    early = nk[(nk["error_source"] == BEFORE) & (nk["day"] < 0) & (nk["share"] >= 0.01)]
    for row in early.to_dict("records"):
        text = f"{row['share']:.1%} of the NK cells are called the donor's {row['person']} on day {row['day']}"
        rows.append(_row("donor before infusion", "caution", text, sample=str(row["sample"])))
    return rows


def _row(kind: str, severity: str, text: str, *, sample: str) -> dict[str, Any]:
    return warning("rna", "dynamics", kind, severity=severity, text=text, sample=sample)
