"""What is wrong in sheets is told, all together, with row and column."""

import pytest

from cimlnk.cohort.alike import alike
from cimlnk.common.errors import UserErrors


def test_problems_of_all_sheets_are_told_together(folder):
    folder.replace("samples", "a_d7\ta\t7\tD7", "a_d7\ta\tD7\tD7")
    folder.replace("counts", "500\t900", "950\t900")
    folder.replace("patients", "IL2_only", "IL-2_only")
    folder.replace("panel", "Bi209Di\tCD16", "Bi209Di\tCD56")
    lines = folder.told()
    assert len(lines) == 4  # one line for each mistake
    text = "\n".join(lines)
    assert "samples.tsv: row 3, column day: found 'D7', expected an integer" in text
    assert "counts.tsv: row 3, column nk_per_ul: found 950.0, expected at most the 900 lymphocytes" in text
    assert "patients.tsv: row 3, column arm: found 'IL-2_only', expected one of cohort.arms" in text
    assert "(did you mean 'IL2_only'?)" in text
    assert "panel.tsv: row 6, column marker: found 'CD56', expected every marker once, but row 5 has it too" in text


def test_arms_left_to_the_sheet_are_its_words_and_slips_of_the_pen_are_told(folder):
    folder.config["cohort"].update(arms=None, counts=None)
    for sheet in ("samples", "patients"):
        folder.replace(sheet, "CIML", "mild")
    assert set(folder.load().samples["arm"]) == {"mild", "IL2_only"}
    folder.replace("patients", "a\tmild", "a\tsevere")
    (said,) = folder.told()
    assert "column arm: found 'mild', expected 'severe' as patients.tsv says of patient a" in said
    folder.config["cohort"]["patients"] = None
    folder.replace("samples", "IL2_only", "Mild")
    assert all("column arm: found 'Mild', expected 'mild' as in row 2" in line for line in folder.told())


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
    ("D7\tCIML\tblood\tcytof", "D7\tCIML\tblood\tCyTOF", "one of 'cytof', 'flow', 'rna' (did you mean 'cytof'?)"),
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
    lines = folder.told()
    assert any(words in line for line in lines), lines
    assert all(line.startswith("samples.tsv: ") for line in lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "row 1: found an empty sheet, expected a header with the columns sample, patient"),
        (b"\n\n# only a comment\n", "an empty sheet"),
        (b"PK\x03\x04rest", "content: found a damaged workbook"),
        (b"\x00\x01\x02\x03", "binary data"),
    ],
)
def test_what_is_no_sheet_is_told(folder, content, words):
    folder.write("samples", content)
    assert any(words in line for line in folder.told())


def test_a_header_without_rows_is_told(folder):
    folder.write("samples", folder.text("samples").splitlines()[0] + "\n")
    assert folder.told() == ["samples.tsv: row 2: found no rows below the header, expected at least one row"]


COUNTS_FAULTS = [
    ("a\t7\t500", "a\t7\t-5", "row 3, column nk_per_ul: found -5.0, expected a number >= 0"),
    ("a\t7\t500", "a\t7\tinf", "found 'inf', expected a number"),
    ("a\t7\t500", "a\t7\t5,5", "(with a decimal point and no thousands separator)"),
    ("a\t7\t500", "a\t7\t1.500,5", "(with a decimal point and no thousands separator)"),
    ("a\t7\t500", "a\t7\t1'500", "(with a decimal point and no thousands separator)"),
    ("a\t7\t500", "a\t7\t1 500", "(with a decimal point and no thousands separator)"),
    ("a\t7\t500", "a\t7\t500/uL", "(the number alone)"),
    ("a\t7\t500", "a\tD+7\t500", "column day: found 'D+7', expected an integer >= -3650 and <= 36500 (the number"),
    ("a\t7\t500", "a\t2026-01-07\t500", "(a number, not a date)"),
    ("a\t7\t500", "a\t7.1.26\t500", "(a number, not a date)"),
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
    lines = folder.told()
    assert any(words in line for line in lines), lines
    assert all(line.startswith("counts.tsv: ") for line in lines)


PANEL_FAULTS = [
    ("Bi209Di\tCD16", "Yb176Di\tCD16", "column channel: found 'Yb176Di', expected every channel once, but row 5"),
    ("CD16\tidentity", "CD16\tidentiy", "(did you mean 'identity'?)"),
    ("Bi209Di\tCD16\tidentity\t5", "Bi209Di\tCD16\tidentity\t0", "row 6, column cofactor: found 0.0, expected"),
    ("Bi209Di\tCD16\tidentity\t5", "Bi209Di\tCD16\tidentity\tx", "column cofactor: found 'x', expected a number > 0"),
    ("\tCD16\t", "\tNCAM1\t", "'NCAM1', expected every marker once, but row 5 has 'CD56', the same marker, too"),
    ("Ir191Di\tDNA1\tdna\t\t", "Ir191Di\tDNA1\tdna\t\tyes", "column cluster: found 'yes', expected no, as the role"),
    ("DNA1\tdna", "DNA1\ttime", "one channel of role time, but row 2 has it too"),
    ("Bi209Di\tCD16\tidentity\t5\tyes", "Bi209Di\tCD16\tidentity\t5\tno", "1 'yes', expected at least two markers"),
    ("Bi209Di\tCD16", "Bi209Di\t<CD16>", "column marker: found '<CD16>'"),
    ("channel\t", "chanel\t", "expected the column 'channel'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), PANEL_FAULTS)
def test_a_fault_of_the_panel_is_told_with_its_place(folder, old, new, words):
    folder.replace("panel", old, new)
    lines = folder.told()
    assert any(words in line for line in lines), lines
    assert all(line.startswith("panel.tsv: ") for line in lines)


def test_a_panel_without_the_nk_marker_names_the_config_key(folder):
    folder.replace("panel", "\tCD56\t", "\tCD7\t")
    assert folder.told() == [
        "config: cytof.nk_identity: found 'CD56', expected a marker of panel.tsv, "
        "since it is the one that tells NK cells (did you mean 'CD16'?)"
    ]
    folder.config["cytof"] = {"nk_identity": "CD7"}
    assert "CD7" in set(folder.load().panel["marker"])


def test_cytof_without_a_panel_and_rna_without_one(folder):
    folder.config["cohort"]["panel"] = None
    assert folder.told() == [
        "config: cohort.panel: found null, expected the path of a panel sheet, as there are cytof samples"
    ]
    folder.config["cohort"].update(counts=None, patients=None)
    header, *_, rna = folder.text("samples").splitlines()
    folder.write("samples", f"{header}\n{rna}\n")
    assert folder.load().panel.empty


def test_a_patient_who_is_not_in_the_patients_sheet(folder):
    folder.replace("patients", "b\tIL2_only", "bb\tIL2_only")
    assert folder.told()[0].startswith(
        "samples.tsv: row 4, column patient: found 'b', expected a patient of patients.tsv"
    )


def test_more_il2_received_than_planned(folder):
    folder.write("patients", "patient\tarm\til2_planned\til2_received\na\tCIML\t7\t8\nb\tIL2_only\t7\t7\n")
    assert folder.told() == [
        "patients.tsv: row 2, column il2_received: found 8.0, expected at most the 7 doses planned"
    ]


def test_the_baseline_must_be_a_time_point_and_not_after_infusion(folder):
    folder.config["dynamics"] = {"baseline_timepoint": "prae"}
    assert "config: dynamics.baseline_timepoint: found 'prae'" in folder.told()[0]
    assert "(did you mean 'pre'?)" in folder.told()[0]
    folder.config["dynamics"] = {"baseline_timepoint": "D7"}
    assert "column day: found 7, expected at most 0, as 'D7' is the baseline" in folder.told()[0]


def test_a_cohort_without_blood_before_infusion_is_no_mistake(folder):
    header, *rows = folder.text("samples").splitlines()
    later = [r.replace("\t-6\tpre\t", "\t28\tD28\t") for r in rows]
    assert later != rows
    folder.write("samples", "\n".join([header, *later]) + "\n")
    assert any("no blood sample at day 0 or before (the first is 'D7')" in w for w in folder.load().warnings)


def test_errors_come_as_one_exception_with_one_line_for_each_kind(folder):
    folder.replace("samples", "cytof", "cyotf")
    folder.replace("samples", "a_d7\ta", "a d7\ta")
    with pytest.raises(UserErrors) as caught:
        folder.load()
    assert len(caught.value.errors) == len(str(caught.value).splitlines()) == 2
    assert "rows 2, 3, 4, 5, column modality: found 'cyotf', expected one of" in str(caught.value)


@pytest.mark.parametrize("cell", ["#REF!", "#1", "# 1"])
def test_a_row_that_begins_with_a_hash_does_not_vanish(folder, cell):
    """Comments stand above the header; below it, a formula that broke or a running number must not lose a sample."""
    header, *rows = folder.text("samples").splitlines()
    cells = [cell, *(f"T{i}" for i in range(2, len(rows) + 1))]
    rows = [f"{first}\t{row}" for first, row in zip(cells, rows, strict=True)]
    folder.write("samples", "# from the freezer list\n" + "\n".join([f"tube\t{header}", *rows]) + "\n")
    if cell == "#REF!":
        assert folder.told() == [
            "samples.tsv: row 3, column tube: found '#REF!', expected a value: a formula broke in the spreadsheet"
        ]
    else:
        assert list(folder.load().samples["sample"]) == [row.split("\t")[1] for row in rows]


def test_a_header_may_begin_with_a_hash(folder):
    folder.write("samples", "#" + folder.text("samples"))
    assert len(folder.load().samples) == 5


@pytest.mark.parametrize("odd", ["54,5", ">90", "54 y", "n.d."])
def test_a_covariate_that_is_numbers_but_for_a_cell_is_told(folder, odd):
    """It would be one category a value, and change what it explains."""
    folder.write("patients", f"patient\tarm\tage\na\tCIML\t61.2\nb\tIL2_only\t{odd}\n")
    assert len(folder.told()) == 1
    assert f"patients.tsv: row 3, column age: found {odd!r}, expected numbers in the whole column" in folder.told()[0]


def test_a_covariate_of_decimal_commas_is_told_but_where_semicolons_separate_it_is_numbers(folder):
    text = "patient\tarm\tage\na\tCIML\t61,2\nb\tIL2_only\t54,5\n"
    folder.write("patients", text)
    assert "rows 2, 3, column age: found '61,2', '54,5', expected numbers" in folder.told()[0]
    folder.write("patients", text.replace("\t", ";"))
    assert list(folder.load().patients["age"]) == [61.2, 54.5]


@pytest.mark.parametrize(
    ("first", "second", "separator", "sign"),
    [
        ("369,5", "1.491", ";", "comma"),  # a spreadsheet program of a country with decimal commas
        ("369", "1.491", ";", "comma"),
        ("369,5", "1.491", "\t", "comma"),  # pasted from it
        ("369.5", "1,491", ";", "point"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_a_thousandfold_apart_is_told(folder, first, second, separator, sign):
    text = f"patient\tday\tnk_per_ul\na\t-6\t{first}\na\t7\t{second}\nb\t-6\t20\n"
    folder.write("counts", text.replace("\t", separator))
    expected = f"no thousands separator, and a decimal {sign} as the rest of the sheet has"
    assert f"counts.tsv: row 3, column nk_per_ul: found {second!r}, expected {expected}" in folder.told()


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["1.491", "0.25"], "\t"),
        (["1.491", "0.25"], ";"),
        (["1.491", "12.5"], ";"),
        (["1,491", "0,25"], ";"),
        (["1,491", "20"], ";"),
        (["1.491", "20"], "\t"),
    ],
)
def test_three_decimals_of_the_one_sign_a_sheet_has_are_decimals(folder, cells, separator):
    text = "patient\tday\tnk_per_ul\na\t-6\t{}\na\t7\t{}\n".format(*cells)
    folder.write("counts", text.replace("\t", separator))
    assert list(folder.load().counts["nk_per_ul"]) == [float(c.replace(",", ".")) for c in cells]


@pytest.mark.parametrize("words", [["A", "B"], ["001", "2b"], ["2a", "3b"], ["D7", "D14"]])
def test_a_covariate_of_words_stays_words(folder, words):
    folder.write("patients", "patient\tarm\tkind\na\tCIML\t{}\nb\tIL2_only\t{}\n".format(*words))
    assert list(folder.load().patients["kind"]) == words


def test_a_covariate_called_row_is_kept(folder):
    folder.write("patients", "patient\tarm\trow\na\tCIML\tx\nb\tIL2_only\ty\n")
    assert list(folder.load().patients["row"]) == ["x", "y"]


def test_a_matrix_in_the_place_of_a_sheet_is_one_line(folder):
    header, *rows = folder.text("samples").splitlines()
    wide = ["\t".join([header, *(f"GENE{i}" for i in range(2000))]), *(row + "\t1" * 2000 for row in rows)]
    folder.write("samples", "\n".join(wide))
    assert folder.told() == [
        "samples.tsv: row 1: found 2,009 columns, expected at most 1000: is this the sheet, or a matrix?"
    ]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("P1", "Ρ1", True), ("P1", "P01", True), ("P_1", "P-1", True), ("P 1", "P_1", True), ("Zoë", "Zoe", True),
        ("PO1", "P01", True), ("I1", "l1", True), ("АК7", "AK7", True), ("P1\u200b", "P1", True),
        ("P1", "P2", False), ("P1", "P11", False), ("P1-1", "P11", False), ("S1.1", "S1.10", False),
        ("D7", "D70", False), ("Pro1", "Pr1", False), ("pre", "post", False), ("run1", "run10", False),
        ("p1", "P1", True),
    ],
)  # fmt: skip
def test_names_that_people_take_for_one_are_alike(one, other, told):
    assert bool(alike([one, "another", other])) == told


def test_a_patient_typed_in_another_script_is_told_with_rows_and_the_letter(folder):
    folder.replace("samples", "a_d7\ta\t", "a_d7\t\u0430\t")
    folder.config["cohort"] |= {"counts": None, "patients": None}
    (told,) = [w for w in folder.load().warnings if "alike" in w]
    assert told.startswith("samples.tsv: column patient: ") and "'a' in row 2" in told
    assert "(cyrillic small letter a) in row 3" in told
