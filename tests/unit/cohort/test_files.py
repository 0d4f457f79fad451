"""Raw files against the panel and the given checksums; real FCS headers where the cytof stage reads them."""

import hashlib
from types import SimpleNamespace

import pytest

from cimlnk.cohort.files import check_files
from cimlnk.common.errors import UserError

CHANNELS = ["Time", "Ir191Di", "Er170Di", "Yb176Di", "Bi209Di", "Pd102Di"]
MARKERS = ["", "DNA1", "CD3", "CD56", "CD16", ""]


def reader(by_name=None):
    """A header reader that gives the same header for all files but those named (a header or an error)."""

    def read(path):
        special = (by_name or {}).get(path.name, (CHANNELS, MARKERS))
        if isinstance(special, UserError):
            raise special
        return SimpleNamespace(channels=special[0], markers=special[1])

    return read


def test_files_that_fit_have_no_problems(folder):
    assert check_files(folder.load(), reader()).errors == []


def test_every_lacking_channel_of_every_file_is_told(folder):
    renamed = [c.replace("Er170Di", "Er168Di") for c in CHANNELS]
    moved = [c.replace("Yb176Di", "Yb174Di") for c in CHANNELS]
    problems = check_files(
        folder.load(), reader({"a_d7.fcs": (renamed, [""] * 6), "b_pre.fcs": (moved, MARKERS)})
    ).errors
    assert [str(p) for p in problems] == [
        "fcs/a_d7.fcs: sample a_d7, channels ($PnN): found no such channel, "
        "expected the panel's channel 'Er170Di' (CD3); the nearest channel of the file is 'Er168Di'",
        "fcs/b_pre.fcs: sample b_pre, channels ($PnN): found no such channel, "
        "expected the panel's channel 'Yb176Di' (CD56); marker CD56 stands on 'Yb174Di'",
    ]


def test_ignored_channels_may_be_absent(folder):
    folder.write("panel", folder.text("panel") + "Gd155Di\tempty\tignore\t\t\n")
    assert check_files(folder.load(), reader()).errors == []


def test_an_unreadable_file_is_told_beside_the_others(folder):
    broken = UserError("a_pre.fcs", "HEADER", "", "FCS2.0 to FCS3.2")
    problems = check_files(folder.load(), reader({"a_pre.fcs": broken, "b_d7.fcs": (CHANNELS[:-2], MARKERS[:-2])}))
    assert [e.file for e in problems.errors] == ["a_pre.fcs", "fcs/b_d7.fcs"]


def test_simulated_files_are_passed_over_even_if_they_are_there(folder, monkeypatch):
    monkeypatch.chdir(folder.base)
    folder.config["simulate"] = {}
    (folder.base / "data/test").mkdir(parents=True)
    (folder.base / "fcs").rename(folder.base / "data/test/fcs")
    folder.replace("samples", "fcs/", "data/test/fcs/")

    def refuse(path):
        raise AssertionError(f"{path} was read")

    assert check_files(folder.load(), refuse).errors == []


def test_a_given_checksum_is_checked(folder):
    lines = folder.text("samples").splitlines()
    good, bad = hashlib.sha256(b"").hexdigest(), hashlib.sha256(b"x").hexdigest()
    folder.write(
        "samples", "\n".join(f"{a}\t{b}" for a, b in zip(lines, ["sha256", good, bad, "", "", good], strict=True))
    )
    problems = check_files(folder.load(), reader()).errors
    assert [str(p) for p in problems] == [
        f"fcs/a_d7.fcs: sample a_d7: found sha256 {good}, expected sha256 {bad} as in the sample sheet"
    ]


def test_a_real_header_is_read(folder):
    fcs = pytest.importorskip("cimlnk.cytof.fcs")
    problems = check_files(folder.load(), fcs.read_header).errors  # the files of the folder are empty
    assert len(problems) == 4 and {p.file for p in problems} == {
        str(folder.base / f"fcs/{n}.fcs") for n in ("a_pre", "a_d7", "b_pre", "b_d7")
    }
