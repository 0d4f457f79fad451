"""The caller of a Snakemake hands signals on and waits; a user's file is not taken for a library."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
CHILD = """
import os, signal, sys, time
from pathlib import Path
told = Path("told")
signal.signal(signal.SIGTERM, lambda *_: (told.open("a").write("TERM\\n"), os._exit(3)))
Path("ready").touch()
ended = time.time() + 30
while time.time() < ended:
    try:
        time.sleep(0.05)
    except KeyboardInterrupt:
        told.open("a").write("INT\\n")
        ended = time.time() + 0.5  # a second one would be told, too
sys.exit(7)
"""
CALLER = """
import sys
from cimlnk.common import snakemake
snakemake.COMMAND = (sys.executable, "child.py")
sys.exit(snakemake.run_snakemake([]))
"""


def hear():
    """Signals as a terminal's programs have them: what runs in the background may have been told to ignore some."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def called(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    how = {"cwd": tmp_path, "env": WORKFLOW, "stderr": subprocess.PIPE, "start_new_session": True, "preexec_fn": hear}
    caller = subprocess.Popen([sys.executable, "-c", CALLER], **how)
    for _ in range(300):
        if (tmp_path / "ready").exists():
            return caller
        time.sleep(0.05)
    raise AssertionError("the called program did not start")


@pytest.mark.parametrize("whole_group", [False, True], ids=["kill -INT", "Ctrl-C"])
def test_an_interruption_reaches_the_called_program_once_and_is_waited_for(tmp_path, whole_group):
    caller = called(tmp_path)
    (os.killpg if whole_group else os.kill)(caller.pid, signal.SIGINT)
    _, words = caller.communicate(timeout=20)
    assert (tmp_path / "told").read_text() == "INT\n"
    assert caller.returncode != 0 and b"KeyboardInterrupt" in words


def test_an_end_that_is_asked_for_reaches_the_called_program_and_its_code_is_returned(tmp_path):
    caller = called(tmp_path)
    caller.terminate()
    caller.communicate(timeout=20)
    assert (tmp_path / "told").read_text() == "TERM\n" and caller.returncode == 3


def test_a_quit_does_not_leave_the_called_program_behind(tmp_path):
    caller = called(tmp_path)
    caller.send_signal(signal.SIGQUIT)
    caller.communicate(timeout=20)
    assert caller.returncode == -signal.SIGQUIT % 256, "that of the called program, in whose place it is told"


def test_a_program_called_without_a_signal_returns_its_code(tmp_path):
    (tmp_path / "child.py").write_text("raise SystemExit(5)")
    assert subprocess.run([sys.executable, "-c", CALLER], cwd=tmp_path, env=WORKFLOW).returncode == 5


def test_a_file_of_the_working_folder_is_not_taken_for_a_library(tmp_path):
    (tmp_path / "yaml.py").write_text("raise SystemExit('the wrong yaml')")
    called = "import sys; from cimlnk.common.snakemake import run_snakemake; sys.exit(run_snakemake(['--version']))"
    script = tmp_path / "bin/program.py"  # as a console script: its own folder is first on the path
    script.parent.mkdir()
    script.write_text(called)
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=WORKFLOW, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_scenarios_are_asked_of_the_libraries_whatever_lies_in_the_working_folder(tmp_path):
    (tmp_path / "yaml.py").write_text("raise SystemExit('the wrong yaml')")
    called = "import sys; from cimlnk.simulate.recovery import main; sys.exit(main(['--scenarios', '--only', '0']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", called], cwd=tmp_path, env=WORKFLOW, capture_output=True, text=True
    )
    assert done.returncode == 2 and "--only: found 0, expected any of 1," in done.stderr, done.stderr


def test_a_package_that_lies_in_the_working_folder_is_found_by_what_it_calls():
    called = "import sys; from cimlnk.common.snakemake import run_snakemake; sys.exit(run_snakemake(['--version']))"
    bare = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    how = {"cwd": ROOT / "workflow", "env": bare, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", called], **how)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
