"""Sheets as people save them are read: any encoding, separator and line end, ids as text, blanks left out."""

import math

import pytest


def test_the_plain_cohort_is_read(folder):
    cohort = folder.load()
    assert list(cohort.samples["sample"]) == ["a_pre", "a_d7", "b_pre", "b_d7", "a_rna"]
    assert cohort.samples["day"].tolist() == [-6, 7, -6, 7, 7] and cohort.samples["day"].dtype == "int64"
    assert list(cohort.samples["path"])[0] == str(folder.base / "fcs/a_pre.fcs")
    assert cohort.sources["a_pre"] == "fcs/a_pre.fcs"
    assert cohort.given == {"a_pre", "a_d7", "b_pre", "b_d7", "a_rna"}
    row = cohort.counts.set_index(["patient", "day"]).loc[("b", -6)]
    assert math.isnan(row["nk_per_ul"]) and row["lymphocytes_per_ul"] == 300 and row["event"] is None
    assert cohort.patients["dose_per_kg"].tolist()[0] == 7e6
    panel = cohort.panel.set_index("marker")
    assert panel.loc["CD3", "cofactor"] == 5 and panel.loc["CD3", "cluster"] == "no"
    assert cohort.warnings == ["patient a has no rna blood sample at pre: folds only from the counts sheet"]


def as_(text, encoding="utf-8", newline="\n", delimiter="\t", bom=b""):
    return bom + text.replace("\n", newline).replace("\t", delimiter).encode(encoding)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
@pytest.mark.parametrize(
    ("encoding", "bom"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("latin-1", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
    ],
)
def test_line_ends_separators_and_encodings_change_nothing(folder, newline, delimiter, encoding, bom):
    folder.replace("patients", "AML", "Leukämie")
    plain = folder.load()
    for sheet in ("samples", "counts", "patients", "panel"):
        folder.write(sheet, as_(folder.text(sheet), encoding, newline, delimiter, bom))
    bent = folder.load()
    for table in ("samples", "counts", "patients", "panel"):
        assert getattr(bent, table).equals(getattr(plain, table)), table
    assert bent.patients["disease"][0] == "Leukämie"


def test_ids_that_look_like_numbers_stay_strings(folder):
    for sheet in ("samples", "counts", "patients"):
        text = folder.text(sheet)
        lines = [
            line if i == 0 else "\t".join({"a": "001", "b": "1e5"}.get(c, c) for c in line.split("\t"))
            for i, line in enumerate(text.splitlines())
        ]
        folder.write(sheet, "\n".join(lines) + "\n")
    cohort = folder.load()
    assert set(cohort.samples["patient"]) == set(cohort.counts["patient"]) == {"001", "1e5"}


def test_blanks_comments_quotes_and_cut_off_optional_cells_are_no_matter(folder):
    text = folder.text("samples").replace("\tD7\t", '\t" D7\u00a0"\t').replace("a_pre\ta", " a_pre \t a\u200b ")
    folder.write("samples", "# our cohort\n\n" + text.replace("batch", "batch\tsha256") + "\t\t\t\n")
    cohort = folder.load()
    assert set(cohort.samples["timepoint"]) == {"pre", "D7"}
    assert cohort.samples["sample"][0] == "a_pre" and cohort.samples["patient"][0] == "a"
    assert cohort.samples["sha256"].tolist() == [None] * 5


def test_covariates_are_kept_numbers_as_numbers_and_names_as_names(folder):
    lines = folder.text("samples").splitlines()
    cells = ["age\tplate\tkit", "61\t01\tv2", "61\t02\tv2", "\t03\t", "33.5\t04\tv3", "61\t05\tv2"]
    folder.write("samples", "\n".join(f"{a}\t{b}" for a, b in zip(lines, cells, strict=True)))
    samples = folder.load().samples
    assert samples["age"].tolist()[:2] == [61, 61] and math.isnan(samples["age"][2])
    assert samples["plate"].tolist() == ["01", "02", "03", "04", "05"]
    assert samples["kit"].tolist() == ["v2", "v2", None, "v3", "v2"]


def test_umlauts_in_ids_are_one_character_whatever_the_system_made_of_them(folder):
    folder.replace("samples", "a_pre\t", "mu\u0308ller_pre\t")
    assert folder.load().samples["sample"][0] == "m\u00fcller_pre"


def test_without_counts_and_patients_the_tables_are_there_and_empty_of_facts(folder):
    folder.config["cohort"].update(counts=None, patients=None)
    cohort = folder.load()
    assert cohort.counts.empty and list(cohort.counts.columns)[:3] == ["patient", "day", "nk_per_ul"]
    assert cohort.patients[["patient", "arm"]].values.tolist() == [["a", "CIML"], ["b", "IL2_only"]]
    assert cohort.patients["dose_per_kg"].isna().all()


def test_a_blood_sample_without_a_count_is_a_warning(folder):
    folder.replace("counts", "b\t7\t60\t500\n", "")
    assert "counts.tsv has no count of patient b on day 7: no absolute numbers" in folder.load().warnings


def test_labels_may_spread_over_the_window_the_config_gives(folder):
    folder.config["cohort"].update(timepoint_window=3, counts=None)
    folder.replace("samples", "a_d7\ta\t7\tD7", "a_d7\ta\t9\tD7")
    assert folder.load().samples["day"].tolist() == [-6, 9, -6, 7, 7]
    folder.replace("samples", "a_d7\ta\t9\tD7", "a_d7\ta\t11\tD7")
    assert "found 11, expected day 7 give or take 3" in folder.told()[0]


def test_patients_without_baseline_are_one_line_a_modality(folder):
    folder.replace("samples", "a_pre\ta\t-6\tpre\tCIML\tblood\tcytof\tfcs/a_pre.fcs\t1\n", "")
    assert "patient a has no cytof blood sample at pre: folds only from the counts sheet" in folder.load().warnings
    folder.replace("counts", "a\t-6\t20\t400\n", "a\t-6\t\t400\n")  # lymphocytes, but no file to say how many are NK
    text = "patient a has no cytof blood sample at pre: no NK count before infusion either, so no folds"
    assert text in folder.load().warnings


def test_files_after_infusion_alone_have_folds_of_the_nk_counts_before_it(folder):
    header, *rows = folder.text("samples").splitlines()
    folder.write("samples", "\n".join([header, *(row for row in rows if "\t-6\t" not in row)]) + "\n")
    words = "no blood sample at day 0 or before (the first is 'D7'): no baseline, so no folds but those of NK counts"
    assert any(text.startswith(words) for text in folder.load().warnings)
