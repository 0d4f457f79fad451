"""What a command says when it is interrupted, or when its words cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = {"PYTHONPATH": str(ROOT / "workflow"), "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
LOADING = "import cimlnk\nraise KeyboardInterrupt  # as an import of a library is interrupted\n"


@pytest.mark.parametrize(("place", "said"), [(".snakemake/scripts/tmp.rna_cells.py", False), ("notebook.py", True)])
def test_an_interrupted_job_says_nothing_while_it_loads_and_other_programs_keep_their_traceback(tmp_path, place, said):
    script = tmp_path / place
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(LOADING)
    ended = subprocess.run([sys.executable, str(script)], env=WORKFLOW, capture_output=True, text=True)
    assert ended.returncode != 0 and ("Traceback" in ended.stderr) == said == bool(ended.stderr)


@pytest.mark.parametrize(
    ("words", "library"),
    [("cimlnk check none.yaml", "numpy"), ("cimlnk.common.snakemake --version", "snakemake.cli")],
)
def test_an_interrupted_command_says_so_in_one_line(tmp_path, words, library):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == '{library}': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
    )
    environment = WORKFLOW | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{WORKFLOW['PYTHONPATH']}"}
    command = [sys.executable, "-m", *words.split()]
    if words.startswith("cimlnk "):  # and as the script that an installed package has
        (tmp_path / "cimlnk").write_text("import sys\nfrom cimlnk.__main__ import main\nsys.exit(main())\n")
        script = [sys.executable, str(tmp_path / "cimlnk"), *words.split()[1:]]
    for one in (command, script) if words.startswith("cimlnk ") else (command,):
        ended = subprocess.run(one, env=environment, capture_output=True, text=True)
        assert ended.stderr == "cimlnk: interrupted\n" and ended.returncode != 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_words_that_cannot_be_written_end_in_one_line():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "cimlnk", "help"]
        ended = subprocess.run(command, env=WORKFLOW, stdout=full, stderr=subprocess.PIPE, text=True)
    lines = ended.stderr.splitlines()
    assert ended.returncode == 1 and len(lines) == 1 and lines[0].startswith("cimlnk: error: standard output")


def test_a_reader_that_went_away_ends_a_command_without_words():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "cimlnk", "help"]
    ended = subprocess.run(command, env=WORKFLOW, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert ended.returncode == 141 and ended.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_file_that_cannot_be_written_is_not_told_as_standard_output(tmp_path):
    (tmp_path / "home.py").write_text("def main(words): open('/dev/full', 'w').write('x' * 100_000)\n")
    program = "import cimlnk.__main__ as m; m.VERBS['home'] = ('home', 'main', ''); raise SystemExit(m.main(['home']))"
    environment = WORKFLOW | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{WORKFLOW['PYTHONPATH']}"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1
    assert "standard output" not in ended.stderr and "No space left" in ended.stderr
