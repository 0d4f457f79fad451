"""Sheets as people save them are read; what is wrong in them is told, all together, with row and column."""

import hashlib
import math

import pytest

from cimlnk.common.errors import UserError, UserErrors


def told(folder):
    with pytest.raises(UserError) as caught:
        folder.load()
    return str(caught.value).splitlines()


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


def test_problems_of_all_sheets_are_told_together(folder):
    folder.replace("samples", "a_d7\ta\t7\tD7", "a_d7\ta\tD7\tD7")
    folder.replace("counts", "500\t900", "950\t900")
    folder.replace("patients", "IL2_only", "IL-2_only")
    folder.replace("panel", "Bi209Di\tCD16", "Bi209Di\tCD56")
    lines = told(folder)
    assert len(lines) == 4  # one line for each mistake
    text = "\n".join(lines)
    assert "samples.tsv: row 3, column day: found 'D7', expected an integer" in text
    assert "counts.tsv: row 3, column nk_per_ul: found 950.0, expected at most the 900 lymphocytes" in text
    assert "patients.tsv: row 3, column arm: found 'IL-2_only', expected one of cohort.arms" in text
    assert "(did you mean 'IL2_only'?)" in text
    assert "panel.tsv: row 6, column marker: found 'CD56', expected every marker once, but row 5 has it too" in text


SAMPLES_FAULTS = [
    ("a_d7\ta\t7", "a_pre\ta\t7", "found 'a_pre', expected every sample once, but this is in row 2 too"),
    ("a_d7\ta\t7", "A_PRE\ta\t7", "the same file name on some systems"),
    ("a_d7\ta\t7", "../a\ta\t7", "row 3, column sample: found '../a', expected text of letters"),
    ("a_d7\ta\t7", "a d7\ta\t7", "found 'a d7'"),
    ("a_d7\ta\t7", "a;rm -rf\ta\t7", "found 'a;rm -rf'"),
    ("a_d7\ta\t7", "<b>a</b>\ta\t7", "found '<b>a</b>'"),
    ("a_d7\ta\t7", "-a\ta\t7", "not beginning with"),
    ("a_d7\ta\t7", ".a\ta\t7", "not beginning with"),
    ("a_d7\ta\t7", "$(x)\ta\t7", "found '$(x)'"),
    ("a_d7\ta\t7", "x" * 101 + "\ta\t7", "at most 100 characters"),
    ("a_d7\ta\t7", "語" * 60 + "\ta\t7", "at most 150 bytes"),
    ("a_d7\ta\t7", "\ta\t7", "row 3, column sample: found nothing"),
    ("a_d7\ta\t7", "a_d7\tA\t7", "expected 'a' as in row 2, or another name"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t7.5\tD7", "row 3, column day: found '7.5', expected an integer"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t\tD7", "row 3, column day: found nothing, expected an integer"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t8\tD7", "found 8, expected day 7, as the other blood samples of time point 'D7'"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t7\tday 7", "expected 'D7' as in row 6"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t7\t<i>D7</i>", "column timepoint: found '<i>D7</i>', expected text of plain words"),
    ("a_d7\ta\t7\tD7", "a_d7\ta\t-6\tpre", "one baseline per patient and modality, but row 2 is the cytof"),
    ("D7\tCIML\tblood\tcytof", "D7\tCIMLL\tblood\tcytof", "(did you mean 'CIML'?)"),
    ("D7\tCIML\tblood\tcytof", "D7\tIL2_only\tblood\tcytof", "since patient a has one arm"),
    ("D7\tCIML\tblood\tcytof", "D7\tCIML\tbloood\tcytof", "one of 'blood', 'product', 'donor' (did you mean 'blood'?)"),
    ("D7\tCIML\tblood\tcytof", "D7\tCIML\tblood\tCyTOF", "one of 'cytof', 'rna' (did you mean 'cytof'?)"),
    ("fcs/a_d7.fcs", "fcs/a_d8.fcs", "row 3, column path: found 'fcs/a_d8.fcs', expected a file or folder below"),
    ("fcs/a_d7.fcs", "fcs/a_d8.fcs", "(did you mean 'fcs/a_d7.fcs'?)"),
    ("fcs/a_d7.fcs", "fcs/a_pre.fcs", "a file of its own for every sample, but row 2 has this one too"),
    ("fcs/a_d7.fcs", "fcs/../fcs/a_pre.fcs", "row 2 has this one too"),
    ("fcs/a_d7.fcs", "rna", "an .fcs file, as the modality is cytof"),
    ("rna/a_d7.h5", "panel.tsv", "an .h5 or .h5ad file or a 10x folder"),
    ("fcs/a_d7.fcs", "s3://bucket/a.fcs", "a local path or an http(s) URL"),
    ("fcs/a_d7.fcs", "https://example.org/a.fcs", "row 3, column sha256: found nothing, expected the sha256"),
    ("fcs/a_d7.fcs\t1\n", "fcs/a_d7.fcs\n", "row 3: found 8 fields, expected 9 fields as in the header, sep"),
    ("fcs/a_d7.fcs\t1\n", "fcs/a_d7.fcs\t1\tx\n", "row 3: found 10 fields"),
    ("fcs/a_d7.fcs\t1\n", 'fcs/a_d7.fcs\t"1\n', "row 3: found a line break inside a cell, expected quotes"),
    ("sample\tpatient", "sample\tpatinet", "row 1, column patinet: found 'patinet', expected the column 'patient'"),
    ("patient\tday", "patient\tpatient", "column 3: found 'patient', expected every column name once"),
    ("\tday\t", "\t", "row 1, column day: found no such column"),
    ("\tday\t", "\t\t", "row 1, column 3: found no name, expected a column name"),
    ("\tbatch\n", "\tbatch\tsha265\n", "found 'sha265', expected one of the columns"),
    ("sample\tpatient", "Sample\tpatient", "expected the column 'sample'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), SAMPLES_FAULTS)
def test_a_fault_of_the_sample_sheet_is_told_with_its_place(folder, old, new, words):
    folder.config["cohort"].update(counts=None, patients=None)
    folder.replace("samples", old, new)
    lines = told(folder)
    assert any(words in line for line in lines), lines
    assert all(line.startswith("samples.tsv: ") for line in lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "row 1: found an empty sheet, expected a header with the columns sample, patient"),
        (b"\n\n# only a comment\n", "an empty sheet"),
        (
            b"PK\x03\x04rest",
            "content: found a spreadsheet workbook, expected a text file: save the sheet as TSV or CSV",
        ),
        (b"\x00\x01\x02\x03", "binary data"),
    ],
)
def test_what_is_no_sheet_is_told(folder, content, words):
    folder.write("samples", content)
    assert any(words in line for line in told(folder))


def test_a_header_without_rows_is_told(folder):
    folder.write("samples", folder.text("samples").splitlines()[0] + "\n")
    assert told(folder) == ["samples.tsv: row 2: found no rows below the header, expected at least one row"]


COUNTS_FAULTS = [
    ("a\t7\t500", "a\t7\t-5", "row 3, column nk_per_ul: found -5.0, expected a number >= 0"),
    ("a\t7\t500", "a\t7\tinf", "found 'inf', expected a number"),
    ("a\t7\t500", "a\t7\t5,5", "(with a decimal point and no thousands separator)"),
    ("a\t7\t500", "a\t7\t500/uL", "(the number alone)"),
    ("a\t7\t500", "c\t7\t500", "row 3, column patient: found 'c', expected a patient of samples.tsv"),
    ("a\t7\t500", "a\t-6\t500", "one row per patient and day, but row 2 is a, day -6, too"),
    ("a\t7\t500\t900", "a\t7\t\t", "row 3: found no count, no dose and no event"),
    ("nk_per_ul\tlymphocytes_per_ul", "nk_per_ml\tlymphocytes_per_ul", "(did you mean 'nk_per_ul'?)"),
    ("patient\tday\tnk_per_ul\tlymphocytes_per_ul", "patient\tday\til2_dose\tevent", "none of the columns nk_per_ul"),
    ("b\t7\t60", "b\tseven\t60", "row 5, column day: found 'seven', expected an integer"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), COUNTS_FAULTS)
def test_a_fault_of_the_counts_is_told_with_its_place(folder, old, new, words):
    folder.replace("counts", old, new)
    lines = told(folder)
    assert any(words in line for line in lines), lines
    assert all(line.startswith("counts.tsv: ") for line in lines)


PANEL_FAULTS = [
    ("Bi209Di\tCD16", "Yb176Di\tCD16", "column channel: found 'Yb176Di', expected every channel once, but row 5"),
    ("CD16\tidentity", "CD16\tidentiy", "(did you mean 'identity'?)"),
    ("Bi209Di\tCD16\tidentity\t5", "Bi209Di\tCD16\tidentity\t0", "row 6, column cofactor: found 0.0, expected"),
    ("Bi209Di\tCD16\tidentity\t5", "Bi209Di\tCD16\tidentity\tx", "column cofactor: found 'x', expected a number > 0"),
    ("\tCD16\t", "\tcd16\t", "found 'cd16', expected 'CD16', the spelling the population definitions use"),
    ("Ir191Di\tDNA1\tdna\t\t", "Ir191Di\tDNA1\tdna\t\tyes", "column cluster: found 'yes', expected no, as the role"),
    ("DNA1\tdna", "DNA1\ttime", "one channel of role time, but row 2 has it too"),
    ("Bi209Di\tCD16\tidentity\t5\tyes", "Bi209Di\tCD16\tidentity\t5\tno", "1 'yes', expected at least two markers"),
    ("Bi209Di\tCD16", "Bi209Di\t<CD16>", "column marker: found '<CD16>'"),
    ("channel\t", "chanel\t", "expected the column 'channel'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), PANEL_FAULTS)
def test_a_fault_of_the_panel_is_told_with_its_place(folder, old, new, words):
    folder.replace("panel", old, new)
    lines = told(folder)
    assert any(words in line for line in lines), lines
    assert all(line.startswith("panel.tsv: ") for line in lines)


def test_a_panel_without_the_nk_marker_names_the_config_key(folder):
    folder.replace("panel", "\tCD56\t", "\tCD7\t")
    assert told(folder) == [
        "config: cytof.nk_identity: found 'CD56', expected a marker of panel.tsv, "
        "since it is the one that tells NK cells (did you mean 'CD16'?)"
    ]
    folder.config["cytof"] = {"nk_identity": "CD7"}
    assert "CD7" in set(folder.load().panel["marker"])


def test_cytof_without_a_panel_and_rna_without_one(folder):
    folder.config["cohort"]["panel"] = None
    assert told(folder) == [
        "config: cohort.panel: found null, expected the path of a panel sheet, as there are cytof samples"
    ]
    folder.config["cohort"].update(counts=None, patients=None)
    header, *_, rna = folder.text("samples").splitlines()
    folder.write("samples", f"{header}\n{rna}\n")
    assert folder.load().panel.empty


def test_a_patient_who_is_not_in_the_patients_sheet(folder):
    folder.replace("patients", "b\tIL2_only", "bb\tIL2_only")
    assert told(folder)[0].startswith(
        "samples.tsv: row 4, column patient: found 'b', expected a patient of patients.tsv"
    )


def test_more_il2_received_than_planned(folder):
    folder.write("patients", "patient\tarm\til2_planned\til2_received\na\tCIML\t7\t8\nb\tIL2_only\t7\t7\n")
    assert told(folder) == ["patients.tsv: row 2, column il2_received: found 8.0, expected at most the 7 doses planned"]


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
    assert "found 11, expected day 7 give or take 3" in told(folder)[0]


def test_the_baseline_must_be_a_time_point_and_not_after_infusion(folder):
    folder.config["dynamics"] = {"baseline_timepoint": "prae"}
    assert "config: dynamics.baseline_timepoint: found 'prae'" in told(folder)[0]
    assert "(did you mean 'pre'?)" in told(folder)[0]
    folder.config["dynamics"] = {"baseline_timepoint": "D7"}
    assert "column day: found 7, expected at most 0, as 'D7' is the baseline" in told(folder)[0]


def test_the_data_root_may_hold_a_variable_and_an_unset_one_is_told(folder, monkeypatch):
    (folder.base / "far").mkdir()
    (folder.base / "fcs").rename(folder.base / "far" / "fcs")
    (folder.base / "rna").rename(folder.base / "far" / "rna")
    folder.config["cohort"]["data_root"] = "${FAR_AWAY}/far"
    monkeypatch.delenv("FAR_AWAY", raising=False)
    assert told(folder) == [
        "config: cohort.data_root: found '${FAR_AWAY}/far', expected the environment variable FAR_AWAY to be set: "
        "export FAR_AWAY=/path/to/the/data"
    ]
    monkeypatch.setenv("FAR_AWAY", str(folder.base))
    assert folder.load().samples["path"][0] == str(folder.base / "far/fcs/a_pre.fcs")
    monkeypatch.setenv("FAR_AWAY", str(folder.base / "nowhere"))
    assert "expected a folder, but there is none at" in told(folder)[0]


def test_paths_stay_as_written_where_they_are_right_as_they_stand(folder, monkeypatch):
    monkeypatch.chdir(folder.base)
    assert folder.load().samples["path"][0] == "fcs/a_pre.fcs"


def test_simulated_files_need_not_exist_but_others_do(folder):
    folder.config["simulate"] = {}
    folder.replace("samples", "fcs/a_pre.fcs", "data/test/fcs/a_pre.fcs")
    cohort = folder.load()
    assert cohort.samples["path"][0] == "data/test/fcs/a_pre.fcs" and "a_pre" not in cohort.given
    folder.replace("samples", "data/test/fcs", "data/other/fcs")
    assert "or a path below data/test/, which the simulation writes" in told(folder)[0]


def test_a_url_is_placed_among_the_downloads(folder):
    digest = hashlib.sha256(b"x").hexdigest()
    lines = folder.text("samples").splitlines()
    lines[0] += "\tsha256"
    lines[1] = (
        lines[1].replace("fcs/a_pre.fcs", "https://example.org/x/some%20file.FCS?download=1") + f"\t{digest.upper()}"
    )
    folder.write("samples", "\n".join(lines))
    cohort = folder.load()
    assert cohort.samples["path"][0] == "data/test/download/a_pre.fcs"
    assert cohort.downloads["a_pre.fcs"].sha256 == digest
    assert cohort.sources["a_pre"].startswith("https://example.org/")
    folder.replace("samples", digest.upper(), digest[:-1])
    assert "row 2, column sha256" in told(folder)[0] and "64 hexadecimal digits" in told(folder)[0]


def test_samples_of_one_pool_share_a_file_and_a_download(folder):
    folder.config["cytof"] = {"debarcoding": {"enabled": True, "key": "key.csv"}}
    digest = hashlib.sha256(b"x").hexdigest()
    lines = folder.text("samples").replace("fcs/a_d7.fcs", "fcs/a_pre.fcs").splitlines()
    for i in (3, 4):
        lines[i] = (
            lines[i].replace(f"fcs/b_{'pre' if i == 3 else 'd7'}.fcs", "http://example.org/pool%202.fcs")
            + f"\t{digest}"
        )
    folder.write(
        "samples",
        "\n".join([lines[0] + "\tsha256", *lines[1:]]).replace(
            "blood\tcytof\tfcs/a_pre.fcs\t1\n", "blood\tcytof\tfcs/a_pre.fcs\t1\t\n"
        ),
    )
    cohort = folder.load()
    assert cohort.samples["path"].tolist()[2:4] == ["data/test/download/pool_2.fcs"] * 2
    assert list(cohort.downloads) == ["pool_2.fcs"]


def test_errors_come_as_one_exception_with_one_line_each(folder):
    folder.replace("samples", "cytof", "cyotf")
    with pytest.raises(UserErrors) as caught:
        folder.load()
    assert len(caught.value.errors) == len(str(caught.value).splitlines()) == 4
