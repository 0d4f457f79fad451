"""The donor sheet and the persons sheet: every mistake in one line, before anything is run."""

from __future__ import annotations

import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.donors.sheet import load_donors

SAMPLES = pd.DataFrame(
    {"sample": ["a_pre", "a_d7", "a_cytof"], "patient": "a", "modality": ["rna", "rna", "cytof"], "day": [-5, 7, 7]}
)
SHEET = "sample\ttool\tcalls\tgenotypes\na_pre\tvireo\tcalls/pre.tsv\t\na_d7\tvireo\tcalls/d7.tsv\tcalls/d7.vcf\n"
PERSONS = "patient\tperson\trole\tsex\na\tA\trecipient\tfemale\na\tB\tdonor\tmale\n"


def load(folder, sheet=SHEET, persons=PERSONS, named="donors.tsv"):
    (folder / "calls").mkdir(exist_ok=True)
    for name in ("pre.tsv", "d7.tsv", "d7.vcf"):
        (folder / "calls" / name).touch()
    (folder / "donors.tsv").write_text(sheet)
    (folder / "persons.tsv").write_text(persons)
    section = {"sheet": named, "persons": "persons.tsv", "references": None}
    return load_donors({"donors": section, "cohort": {"data_root": None}}, folder, SAMPLES)


def test_a_good_sheet_gives_rows_and_files(tmp_path):
    found = load(tmp_path)
    assert [r["sample"] for r in found.rows] == ["a_pre", "a_d7"]
    assert found.rows[0]["genotypes"] is None
    assert set(found.places) == {("a_pre", "calls"), ("a_d7", "calls"), ("a_d7", "genotypes")}
    assert [p["role"] for p in found.persons] == ["recipient", "donor"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("a_pre\tvireo", "a_prae\tvireo"),
            "a sample of the sample sheet (did you mean 'a_pre'?)",
        ),
        (("a_pre\tvireo", "a_cytof\tvireo"), "a sample of modality rna"),
        (("a_d7\tvireo", "a_pre\tvireo"), "one row a sample, but row 2 has it too"),
        (("a_pre\tvireo", "a_pre\tvirio"), "did you mean 'vireo'?"),
        (("calls/pre.tsv", "calls/prae.tsv"), "did you mean 'calls/pre.tsv'?"),
        (("calls/d7.vcf", "calls/d8.vcf"), "row 3, column genotypes"),
        (("\tgenotypes", "\tgenotype"), "did you mean 'genotypes'?"),
        (("sample\ttool", "samples\ttool"), "the column 'sample'"),
    ],
)
def test_a_wrong_donor_sheet_is_told_in_one_line(tmp_path, change, words):
    with pytest.raises(UserError) as caught:
        load(tmp_path, SHEET.replace(*change))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("a\tB", "b\tB"), "a patient of the sample sheet"),
        (("a\tB", "a\tA"), "each person of a patient once"),
        (("donor\tmale", "recipient\tmale"), "one recipient a patient"),
        (("donor\tmale", "giver\tmale"), "one of 'donor', 'recipient'"),
        (("\tmale", "\tm"), "one of 'female', 'male'"),
    ],
)
def test_a_wrong_persons_sheet_is_told_in_one_line(tmp_path, change, words):
    with pytest.raises(UserError) as caught:
        load(tmp_path, persons=PERSONS.replace(*change))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_columns_that_a_tool_has_not_and_tables_that_are_not_given(tmp_path):
    sheet = "sample\ttool\tcalls\tcolumn\tantibody\na_pre\tvireo\tcalls/pre.tsv\tdonor\tHLA-A2\n"
    with pytest.raises(UserError) as caught:
        load(tmp_path, sheet)
    assert "vireo has its own columns" in str(caught.value)
    assert "a file in the column second" in str(caught.value)


def test_persons_without_a_donor_sheet(tmp_path):
    with pytest.raises(UserError, match="a donor sheet, as persons or references are given"):
        load(tmp_path, named=None)
