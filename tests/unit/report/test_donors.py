"""The page "Whose cells": what the design allows, days that are not joined, shares that are."""

from __future__ import annotations

import pandas as pd
import pytest

from cimlnk.common.tables import Schema, write_table
from cimlnk.donors.tables import COMPARISONS, MATCHES
from cimlnk.dynamics.chimerism.tables import SHARES
from cimlnk.front.collect_donors import of_donors
from cimlnk.report.blocks import Figure, Site, Text
from cimlnk.report.pages.donors import course_blocks, page
from cimlnk.report.run import Run


def filled(schema: Schema, rows: list[dict]) -> pd.DataFrame:
    blank = {"str": "x", "str?": None, "int": 10, "float": float("nan"), "bool": True}
    empty = {c: blank[kind] for c, (kind, _) in schema.columns.items()}
    return schema.check(pd.DataFrame([empty | r for r in rows]))


def tables(named: bool):
    """Two days of one patient, with and without evidence."""
    shares, matches = [], []
    for sample, day, donor in (("s14", 14, 0.03), ("s19", 19, 0.22)):
        for label, person, role, share in (("0", "Ada", "recipient", 1 - donor), ("1", "Bo", "donor", donor)):
            who = person if named else f"{sample} label {label}"
            shares.append({"sample": sample, "patient": "P1", "day": day, "tissue_or_product": "blood", "share": share,
                           "population": "NK", "person": who, "named": named, "role": role if named else None,
                           "share_low": share * 0.9, "share_high": share, "n_unsure": 1})  # fmt: skip
            matches.append({"sample": sample, "patient": "P1", "day": day, "label": label,
                            "person": person if named else None, "method": "genotype" if named else "none",
                            "reason": None if named else "no genotypes: <numbers> are drawn again"})  # fmt: skip
    return filled(MATCHES, matches), filled(SHARES, shares)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site", "t")


def run_of(tmp_path, design, made=None):
    files = []
    for name, table, schema in zip(
        ("donors/matches", "dynamics/donor_shares"), made or (), (MATCHES, SHARES), strict=False
    ):
        path = tmp_path / f"{name}.parquet"
        write_table(table, path, schema)
        files.append(path)
    return Run(tmp_path, files, {"donors": {"design": design}})


def words(blocks):
    return " ".join(b.body for b in blocks if isinstance(b, Text))


def test_the_design_says_what_cannot_be_told(tmp_path, site):
    made = page(run_of(tmp_path, "graft_donor"), site)
    assert "cannot be distinguished from those of the graft" in words(made.sections[0].blocks)
    assert page(run_of(tmp_path, "not_stated"), site) is None


def test_without_evidence_the_report_refuses_to_join_days(tmp_path, site):
    run = run_of(tmp_path, "third_party", tables(named=False))
    told = words(course_blocks(run, site, "P1"))
    assert "Days are not joined" in told and "must not be compared" in told
    assert "&lt;numbers&gt;" in told, "texts of the tables are escaped"
    assert (site.folder / "figures" / "patient_P1_donors.svg").is_file()


def test_with_evidence_donor_and_recipient_have_a_course(tmp_path, site):
    run = run_of(tmp_path, "third_party", tables(named=True))
    made = page(run, site)
    blocks = [b for s in made.sections for b in s.blocks]
    assert "not joined" not in words(blocks) and any(isinstance(b, Figure) for b in blocks)
    assert course_blocks(run, site, "P2") == []


def test_warnings_name_what_is_not_joined_and_what_disagrees():
    matches, shares = tables(named=False)
    kinds = [r["kind"] for r in of_donors(matches, COMPARISONS.empty(), shares)]
    assert kinds == ["days not joined by donor"] * 2
    matches, shares = tables(named=True)
    assert of_donors(matches, COMPARISONS.empty(), shares) == []
    matches.loc[0, "conflict"] = "Ada by named, but genotype: Bo"
    assert [r["severity"] for r in of_donors(matches, COMPARISONS.empty(), shares)] == ["serious"]
    assert [r["kind"] for r in of_donors(matches, COMPARISONS.empty(), shares.assign(n_unsure=90))][1:] == [
        "donor calls unsure"
    ] * 2
    crossed = filled(COMPARISONS, [{"sample": "s14", "other_sample": "s19"}])
    other = matches.assign(patient=["P1", "P1", "P2", "P2"], conflict=None)
    assert [r["kind"] for r in of_donors(other, crossed, shares)] == ["one genotype in two patients"]
