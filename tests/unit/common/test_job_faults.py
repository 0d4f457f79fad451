"""What the machine refuses ends a job in one line; a file that cannot be read leaves out its sample only."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cimlnk.common.errors import LeftOutBefore, Plain, UserError
from cimlnk.common.job import INTERRUPTED, KEEP_GOING, MEMORY_LIMIT, job
from cimlnk.common.provenance import fingerprint


@pytest.fixture
def rule(tmp_path):
    (tmp_path / "raw.fcs").write_bytes(b"x")
    return SimpleNamespace(
        log=[str(tmp_path / "log")], params={}, rule="cytof_cells", input=[str(tmp_path / "raw.fcs")]
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_refusal_of_the_system_is_one_line(rule, capsys, number):
    with pytest.raises(SystemExit), job(rule):
        raise OSError(number, os.strerror(number), "raw.fcs")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("cimlnk: error: raw.fcs: the file: found ")


def test_a_file_that_cannot_be_read_is_left_out_and_a_full_disk_stops(rule, monkeypatch, capsys):
    monkeypatch.setenv(KEEP_GOING, "1")
    told: list[str] = []
    with job(rule, leave_out=lambda error: told.append(str(error))):
        raise PermissionError(errno.EACCES, "Permission denied", "raw.fcs")
    assert len(told) == 1 and "Permission denied" in told[0]
    with pytest.raises(SystemExit), job(rule, leave_out=lambda error: told.append(str(error))):
        raise OSError(errno.ENOSPC, "No space left on device", "out.h5ad")
    assert len(told) == 1


WORDS = "Unable to synchronously write data (file write failed: errno = 28, error message = 'No space left on device')"


@pytest.mark.parametrize("error", [OSError(WORDS), RuntimeError(WORDS), OSError("4000 requested and 17 written")])
def test_a_full_disk_is_told_where_a_library_says_it_in_words(rule, monkeypatch, capsys, error):
    monkeypatch.setenv(KEEP_GOING, "1")
    left_out: list[object] = []
    with pytest.raises(SystemExit), job(rule, leave_out=left_out.append):
        try:
            raise error
        except (OSError, RuntimeError) as first:
            raise ValueError("could not write 'X'") from first
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["cimlnk: error: rule cytof_cells: the file: found No space left on device, "
                     "expected a working disk with free space"]  # fmt: skip
    assert not left_out


def test_a_disk_too_full_for_the_empty_results_is_one_line(rule, monkeypatch, capsys):
    monkeypatch.setenv(KEEP_GOING, "1")

    def leave_out(error: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out.h5ad")

    with pytest.raises(SystemExit), job(rule, leave_out=leave_out):
        raise PermissionError(errno.EACCES, "Permission denied", "raw.fcs")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("cimlnk: error: out.h5ad: the file: found No space left")


SLOW = """
import sys, time
from pathlib import Path
from pathlib import Path
from types import SimpleNamespace
from cimlnk.common.job import job
base, own, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
with job(SimpleNamespace(log=[str(base / "log")], params={}, rule="r", input=[]), record=False):
    (base / f"{own}.began").touch()
    time.sleep(seconds)
    with (base / "out").open("a") as out:
        out.write(own)
"""


def test_a_job_waits_for_the_same_job_of_a_killed_run(tmp_path):
    orphan = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path), "a", "1.5"])
    while not (tmp_path / "a.began").exists():
        time.sleep(0.01)
    second = subprocess.run([sys.executable, "-c", SLOW, str(tmp_path), "b", "0"], capture_output=True, text=True)
    assert orphan.wait() == 0 and second.returncode == 0
    assert (tmp_path / "out").read_text() == "ab"
    assert second.stderr == f"cimlnk: rule r waits: a job of an earlier run is still at it ({tmp_path}/log)\n"


def test_memory_that_runs_out_names_the_input(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        raise MemoryError
    assert "raw.fcs: memory: found no more to be had" in capsys.readouterr().err


RUNAWAY = """
from pathlib import Path
from types import SimpleNamespace
from cimlnk.common.job import job
rule = SimpleNamespace(log=[], params={}, rule="r", input=["raw.fcs"], resources=SimpleNamespace(mem_mb=100))
with job(rule, record=False):
    import numpy as np
    np.ones(1 << 30, np.int8)  # within twice the rule's memory and what the libraries reserve
    print("held", flush=True)
    np.empty(8 << 30, np.int8)  # never touched: had without a limit
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its limit of data")
@pytest.mark.parametrize("limit", ["", "no"])
def test_a_job_is_held_to_its_memory(limit):
    run = subprocess.run(
        [sys.executable, "-c", RUNAWAY], capture_output=True, text=True, env={**os.environ, MEMORY_LIMIT: limit}
    )
    assert run.stdout == "held\n"
    if limit:
        assert run.returncode == 0
        return
    lines = run.stderr.splitlines()
    assert run.returncode == 1 and len(lines) == 1 and lines[0].startswith("cimlnk: error: raw.fcs: memory: found")


def test_other_errors_stay_what_they_are(rule):
    with pytest.raises(FileNotFoundError), job(rule):
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")


def test_a_fingerprint_is_of_the_content_alone(tmp_path):
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "raw.fcs").write_bytes(b"1" * 1000)
    os.utime(tmp_path / "raw.fcs", (1, 1))
    first = fingerprint(tmp_path / "raw.fcs")
    assert first == fingerprint(tmp_path / "a/raw.fcs")
    (tmp_path / "raw.fcs").write_bytes(b"1" * 999 + b"2")
    os.utime(tmp_path / "raw.fcs", (1, 1))
    assert fingerprint(tmp_path / "raw.fcs") != first
    assert fingerprint(tmp_path / "none") != first


def test_what_is_kept_of_a_left_out_sample_tells_no_folder(rule, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(KEEP_GOING, "1")
    raw = tmp_path / "raw.fcs"
    told: list[UserError] = []
    with job(rule, leave_out=told.append) as record:
        assert list(record["inputs"]) == ["raw.fcs"]
        raise UserError(raw, f"beside {raw.parent}/panel.tsv", Plain("nothing"), "something")
    assert str(told[0]) == "raw.fcs: beside panel.tsv: found nothing, expected something"
    assert str(tmp_path) in capsys.readouterr().err, "the console says where"


def test_a_file_left_out_by_an_earlier_step_keeps_its_reason_and_is_told_once(rule, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(KEEP_GOING, "1")
    told: list[UserError] = []
    with job(rule, leave_out=told.append):
        raise LeftOutBefore(tmp_path / "compensated/raw.fcs", "raw.fcs: events: found none, expected some")
    assert str(told[0]) == "raw.fcs: events: found none, expected some"
    assert capsys.readouterr().err == ""


def test_a_file_that_was_removed_meanwhile_leaves_out_its_sample(rule, monkeypatch):
    monkeypatch.setenv(KEEP_GOING, "1")
    told: list[str] = []
    with job(rule, leave_out=lambda error: told.append(str(error))):
        os.unlink(rule.input[0])
        open(rule.input[0])  # noqa: SIM115
    assert len(told) == 1 and told[0].startswith("raw.fcs: the run: found it is not there any more")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "a/b.parquet"), OSError("errno = 2, no file")])
def test_results_that_were_removed_meanwhile_are_one_line(rule, tmp_path, capsys, error):
    rule.output = [str(tmp_path / "results/lab/b.parquet")]
    with pytest.raises(SystemExit), job(rule):
        raise error
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"cimlnk: error: {tmp_path}/results/lab: the run: found it is not")


def test_a_file_of_the_program_that_is_missing_stays_a_fault_of_the_program(rule):
    with pytest.raises(FileNotFoundError), job(rule):
        open("/nowhere/a")  # noqa: SIM115


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ELOOP, errno.ETIMEDOUT])
def test_other_refusals_of_the_system(rule, capsys, number):
    with pytest.raises(SystemExit), job(rule):
        raise OSError(number, os.strerror(number), "raw.fcs")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_ctrl_c_ends_a_job_without_words(rule, capsys):
    with pytest.raises(SystemExit) as ended, job(rule):
        raise KeyboardInterrupt
    assert ended.value.code == 130 and capsys.readouterr().err == ""
    assert Path(rule.log[0]).read_text().endswith(f"{INTERRUPTED}\n"), "by which the console knows it for no failure"
