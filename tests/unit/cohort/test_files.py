"""Raw files against the panel and the given checksums, with the FCS headers the cytof stage reads."""

import hashlib

import numpy as np
import pytest

from cimlnk.cohort.files import check_files, same_files
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import match_panel

CHANNELS = ["Time", "Ir191Di", "Er170Di", "Yb176Di", "Bi209Di", "Pd102Di"]


def look_up(path, panel):
    return match_panel(read_header(path), panel)


@pytest.fixture
def files(folder):
    """The folder with FCS files that fit the panel."""
    for name in ("a_pre", "a_d7", "b_pre", "b_d7"):
        put(folder, name)
    return folder


def put(folder, name, channels=CHANNELS):
    write_fcs(folder.base / f"fcs/{name}.fcs", np.ones((5, len(channels)), np.float32), channels)


def test_files_that_fit_have_no_problems(files):
    assert check_files(files.load(), look_up).errors == []


def test_every_lacking_channel_of_every_file_is_told(files):
    put(files, "a_d7", [c for c in CHANNELS if c != "Er170Di"])
    put(files, "b_pre", ["Time", "Ir191Di", "Pd102Di"])
    told = [str(p) for p in check_files(files.load(), look_up).errors]
    assert len(told) == 4
    for i, (name, marker) in enumerate([("a_d7", "CD3"), ("b_pre", "CD3"), ("b_pre", "CD56"), ("b_pre", "CD16")]):
        assert told[i].startswith(str(files.base / f"fcs/{name}.fcs: panel channel "))
        assert f"({marker}): found no such channel, expected a channel of the file" in told[i]


def test_ignored_channels_may_be_absent(files):
    files.write("panel", files.text("panel") + "Gd155Di\tempty\tignore\t\t\n")
    assert check_files(files.load(), look_up).errors == []


def test_an_unreadable_file_is_told_beside_the_others(files):
    (files.base / "fcs/a_pre.fcs").write_bytes(b"")
    (files.base / "fcs/b_pre.fcs").write_bytes(b"Sample,Day\n1,2\n")
    put(files, "b_d7", CHANNELS[:-2])
    told = check_files(files.load(), look_up).errors
    assert [e.file for e in told] == [str(files.base / f"fcs/{n}.fcs") for n in ("a_pre", "b_pre", "b_d7")]


def test_simulated_files_are_passed_over_even_if_they_are_there(folder, monkeypatch):
    monkeypatch.chdir(folder.base)
    folder.config["simulate"] = {}
    (folder.base / "data/test").mkdir(parents=True)
    (folder.base / "fcs").rename(folder.base / "data/test/fcs")
    folder.replace("samples", "fcs/", "data/test/fcs/")
    assert check_files(folder.load(), look_up).errors == []  # the files there are empty


def test_a_given_checksum_is_checked(files):
    lines = files.text("samples").splitlines()
    good = hashlib.sha256((files.base / "fcs/a_pre.fcs").read_bytes()).hexdigest()
    bad = hashlib.sha256(b"x").hexdigest()
    column = ["sha256", good, bad, "", "", ""]
    files.write("samples", "\n".join(f"{a}\t{b}" for a, b in zip(lines, column, strict=True)))
    assert [str(p) for p in check_files(files.load(), look_up).errors] == [
        f"fcs/a_d7.fcs: sample a_d7: found sha256 {good}, expected sha256 {bad} as in the sample sheet"
    ]


def test_a_pool_of_barcoded_samples_is_one_file_checked_once(files):
    (files.base / "key.csv").write_text("s,102,104\n")
    files.config["cytof"] = {"debarcoding": {"enabled": True, "key": "key.csv"}}
    for name in ("a_d7", "b_pre", "b_d7"):
        files.replace("samples", f"fcs/{name}.fcs", "fcs/a_pre.fcs")
    seen = []
    assert check_files(files.load(), lambda path, panel: seen.append(path.name)).errors == []
    assert seen == ["a_pre.fcs"]


def test_a_marker_that_decides_nothing_may_be_missing_in_some_files_but_not_in_all(files):
    files.write("panel", files.text("panel") + "Gd155Di\tCD57\tmaturation\t\t\n")
    told = [str(p) for p in check_files(files.load(), look_up).errors]
    assert told == [
        "panel sheet: panel channel Gd155Di (CD57): found in none of the 4 files, expected a channel of the files"
    ]
    put(files, "a_pre", [*CHANNELS, "Gd155Di"])
    assert check_files(files.load(), look_up).errors == []
    assert look_up(files.base / "fcs/b_d7.fcs", files.load().panel).absent == (("Gd155Di", "CD57"),)


def test_copies_of_a_file_are_told(tmp_path):
    for name, content in {"a": b"one", "b": b"one", "c": b"two", "d": b"longer", "e": b""}.items():
        (tmp_path / f"{name}.fcs").write_bytes(content)
    paths = {name: tmp_path / f"{name}.fcs" for name in "abcdef"} | {"pool": tmp_path / "a.fcs"}
    told = same_files(paths)
    assert len(told) == 1 and told[0].startswith("the file of sample b is that of sample a, byte for byte")
    for name, genes in {"x": b"counts", "y": b"counts", "z": b"others"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "matrix.mtx").write_bytes(genes)
    told = same_files({name: tmp_path / name for name in "xyz"})
    assert len(told) == 1 and told[0].startswith("the file of sample y is that of sample x")


def test_files_of_different_size_are_not_read(tmp_path, monkeypatch):
    def fail(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("cimlnk.cohort.files.sha256", fail)
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * (1 + ord(name)))
    assert same_files({name: tmp_path / name for name in "ab"}) == []
