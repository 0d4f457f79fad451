"""Where files lie: beside the sheets, below a data root, written by the simulation, or downloaded."""

import hashlib
import os
import unicodedata

import pytest


def test_the_data_root_may_hold_a_variable_and_an_unset_one_is_told(folder, monkeypatch):
    (folder.base / "far").mkdir()
    (folder.base / "fcs").rename(folder.base / "far" / "fcs")
    (folder.base / "rna").rename(folder.base / "far" / "rna")
    folder.config["cohort"]["data_root"] = "${FAR_AWAY}/far"
    monkeypatch.delenv("FAR_AWAY", raising=False)
    assert folder.told() == [
        "config: cohort.data_root: found '${FAR_AWAY}/far', expected the environment variable FAR_AWAY to be set: "
        "export FAR_AWAY=/path/to/the/data"
    ]
    monkeypatch.setenv("FAR_AWAY", str(folder.base))
    assert folder.load().samples["path"][0] == str(folder.base / "far/fcs/a_pre.fcs")
    monkeypatch.setenv("FAR_AWAY", str(folder.base / "nowhere"))
    assert "expected a folder, but there is none at" in folder.told()[0]


def test_paths_stay_as_written_where_they_are_right_as_they_stand(folder, monkeypatch):
    monkeypatch.chdir(folder.base)
    assert folder.load().samples["path"][0] == "fcs/a_pre.fcs"


def test_simulated_files_need_not_exist_but_others_do(folder):
    folder.config["simulate"] = {}
    folder.replace("samples", "fcs/a_pre.fcs", "data/test/fcs/a_pre.fcs")
    cohort = folder.load()
    assert cohort.samples["path"][0] == "data/test/fcs/a_pre.fcs" and "a_pre" not in cohort.given
    folder.replace("samples", "data/test/fcs", "data/other/fcs")
    assert "or a path below data/test/, which the simulation writes" in folder.told()[0]


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
    assert "row 2, column sha256" in folder.told()[0] and "64 hexadecimal digits" in folder.told()[0]


def test_samples_of_one_pool_share_a_file_and_a_download(folder):
    (folder.base / "key.csv").write_text("s,102,104\n")
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


def test_the_file_of_another_patient_is_never_suggested(folder):
    (folder.base / "fcs/b_d8.fcs").write_bytes(b"")
    (folder.base / "fcs/a_d77.fcs").write_bytes(b"")
    folder.replace("samples", "fcs/a_d7.fcs", "fcs/a_d8.fcs")
    assert "did you mean 'fcs/a_d" in folder.told()[0] and "b_d8" not in folder.told()[0]
    (folder.base / "fcs/a_d7.fcs").unlink()
    (folder.base / "fcs/a_d77.fcs").unlink()
    assert "did you mean" not in folder.told()[0]


def test_a_name_is_found_whether_its_letters_are_composed_or_not(folder):
    decomposed = unicodedata.normalize("NFD", "fcs/müller.fcs")
    (folder.base / decomposed).write_bytes(b"")
    folder.replace("samples", "fcs/a_d7.fcs", "fcs/müller.fcs")
    assert folder.load().samples["path"][1].endswith(decomposed)


@pytest.mark.parametrize(
    ("path", "words"),
    [("fcs\\a_d7.fcs", "separated by / and not by"), ("fcs/a_{d7}.fcs", "without { and }"), ("x" * 300, "too long"),
     ("http://[::1/a.fcs", "an address that can be read")],
)  # fmt: skip
def test_a_path_that_no_rule_can_use_is_told(folder, path, words):
    folder.replace("samples", "fcs/a_d7.fcs", path)
    assert len(folder.told()) == 1 and words in folder.told()[0]


def test_a_password_in_an_address_is_in_no_message(folder):
    folder.replace("samples", "fcs/a_d7.fcs", "https://me:secret@example.org/a.fcs")
    assert "secret" not in folder.told()[0]


def test_an_id_that_ends_in_a_line_break_is_refused(folder):
    folder.config["cohort"]["id"] = "tiny\n"
    assert "cohort.id" in folder.told()[0]


def no_file(path, kind):
    path.unlink()
    if kind == "loop":
        path.symlink_to(path.name)
    elif kind == "nowhere":
        path.symlink_to("/nowhere/a.fcs")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("loop", "the path of a file (Symlink loop from"),
        ("nowhere", "but it is a link to /nowhere/a.fcs, which is not there"),
        ("device", "but it is a pipe or a device"),
        ("pipe", "but it is a pipe or a device"),
    ],
)
def test_what_only_seems_a_file_is_told_and_never_opened(folder, kind, words):
    no_file(folder.base / "fcs/a_pre.fcs", kind)
    told = folder.told()
    assert len(told) == 1 and words in told[0] and "did you mean" not in told[0], told


@pytest.mark.parametrize("kind", ["nowhere", "device", "pipe"])
def test_a_sheet_that_only_seems_a_file_is_told_without_its_own_name_as_the_nearest(folder, kind):
    no_file(folder.base / "counts.tsv", kind)
    told = folder.told()
    assert len(told) == 1 and "the path of a file, but there is a" in told[0] and "did you mean" not in told[0], told


def test_names_that_cannot_be_typed_are_not_suggested(folder):
    (folder.base / "fcs/a_pre.fcs").unlink()
    for odd in (b"fcs/a_pr\xff.fcs", b"fcs/a_pr\n.fcs"):
        (folder.base / os.fsdecode(odd)).write_bytes(b"")
    told = folder.told()
    assert len(told) == 1 and "a_pr\\" not in told[0], told


def test_hundreds_of_missing_files_are_compared_with_the_names_there_only_so_often(folder, monkeypatch):
    asked = []
    monkeypatch.setattr("cimlnk.common.errors.nearest", lambda name, valid: asked.append(name))
    header, *rows = folder.text("samples").splitlines()
    rows += [f"s{i}\ta\t{8 + i}\tD{8 + i}\tCIML\tblood\tcytof\tfcs/s{i}.fcs\t1" for i in range(200)]
    folder.write("samples", "\n".join([header, *rows]))
    assert any("(200 in all), column path" in line for line in folder.told())
    assert len(asked) < 40
