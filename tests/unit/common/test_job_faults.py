"""What the machine refuses ends a job in one line; a file that cannot be read leaves out its sample only."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cimlnk.common.job import KEEP_GOING, MEMORY_LIMIT, job
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


def test_memory_that_runs_out_names_the_input(rule, capsys):
    with pytest.raises(SystemExit), job(rule):
        raise MemoryError
    assert "raw.fcs: memory: found no more to be had" in capsys.readouterr().err


RUNAWAY = """
from types import SimpleNamespace
from cimlnk.common.job import job
rule = SimpleNamespace(log=[], params={}, rule="r", input=["raw.fcs"], resources=SimpleNamespace(mem_mb=100))
with job(rule, record=False):
    import numpy as np
    np.ones(1 << 30, np.int8)  # within twice the rule's memory and what the libraries reserve
    print("held", flush=True)
    np.ones(1 << 40, np.int8)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its limit of data")
@pytest.mark.parametrize("limit", ["", "no"])
def test_a_job_is_held_to_its_memory(limit):
    code = RUNAWAY if not limit else RUNAWAY.replace("np.ones(1 << 40, np.int8)", "np.empty(8 << 30, np.int8)")
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, MEMORY_LIMIT: limit}
    )
    assert run.stdout == "held\n"
    if limit:
        assert run.returncode == 0  # eight gigabytes that are reserved and never touched
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
