"""What the populations page says of the accuracy of names by RNA."""

from __future__ import annotations

import pandas as pd
import pytest

from checkout import ROOT
from cimlnk.adt.agreement import name_agreement, nk_agreement
from cimlnk.front.collect_populations import of_proteins
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.report.blocks import Site
from cimlnk.report.pages.proteins import UNMEASURED, accuracy_words, section


class Tables:
    def __init__(self, **tables):
        self.tables = tables

    def table(self, name):
        return self.tables.get(name.split("/")[-1].removesuffix(".parquet"), pd.DataFrame())


@pytest.fixture(scope="module")
def measured():
    defs = load_definitions(ROOT / "resources/phenotypes/nk.yaml", infused=False)
    rna = ["CD56bright"] * 30 + ["CD56dim_NKG2A"] * 70
    names = name_agreement(rna, ["CD56bright"] * 3 + ["CD56dim"] * 97, defs)
    sample = pd.Series(["a"] * 120).to_numpy()
    nk = nk_agreement(
        sample, pd.Series([True] * 100 + [False] * 20).to_numpy(), pd.Series(["NK"] * 110 + ["T"] * 10).to_numpy()
    )
    reasons = [None, "three times the usual one is taken"]
    antibodies = pd.DataFrame(
        {"sample": "a", "antibody": ["CD56", "odd"], "marker": ["CD56", "odd"], "kind": "protein",
         "known": [True, False], "background": 1.0, "noise": 2.0, "n_empty": 0, "method": "panel", "reason": reasons}
    )  # fmt: skip
    return Tables(name_agreement=names, nk_agreement=nk, antibodies=antibodies)


def test_without_antibodies_it_says_that_nothing_was_measured(tmp_path):
    assert accuracy_words(Tables()) == UNMEASURED and section(Tables(), Site(tmp_path, "x")) is None


def test_accuracy_and_the_names_not_to_rely_on(measured, tmp_path):
    words = accuracy_words(measured)
    assert "of the NK cells by RNA 100% are NK cells by protein, of those by protein RNA finds 91%" in words
    assert "Names by RNA agree with those by protein in 73%" in words
    assert "Do not rely on CD56bright: 10% are so by protein, most are CD56dim." in words
    assert len(section(measured, Site(tmp_path, "x")).blocks) == 4


def test_a_name_that_protein_contradicts_is_a_warning(measured):
    rows = of_proteins(measured.table("nk_agreement"), measured.table("name_agreement"))
    assert [(r["subject"], r["severity"]) for r in rows] == [("CD56bright", "caution")]
    assert "27 of 30 cells are something else by protein, mostly CD56dim" in rows[0]["text"]
