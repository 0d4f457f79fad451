"""The package: built, installed into an empty environment, and run from folders that hold nothing of the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import cimlnk
from checkout import ROOT, copy_checkout, copy_compiled, digests

pytestmark = pytest.mark.slow
RESULTS = Path("results/tiny")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_checkout(tmp_path_factory.mktemp("source") / "cimlnk")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run(command, check=True, env=clean())
    return next(folder.glob("cimlnk-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin folder of an environment that holds the wheel and, from this one, the packages it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next((folder / "lib").glob("python3.*")) / "site-packages"
    theirs = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "needed.pth").write_text(theirs + "\n")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    subprocess.run(command, check=True, env=clean())
    copy_compiled(site / "cimlnk_home")
    return folder / "bin"


def clean(**more: str) -> dict[str, str]:
    """This process's environment without its paths to the checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHONPATH", "SNAKEMAKE"))}
    return kept | more


def python(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the environment's Python in `cwd`."""
    return subprocess.run(
        [installed / "python", *words], cwd=cwd, env=clean(), capture_output=True, text=True, timeout=900
    )


def test_wheel_holds_all_that_a_run_reads(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "workflow", "resources", "config", "profiles"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    tracked = [name for name in listing if (ROOT / name).is_file()]
    assert len(tracked) > 300
    assert [name for name in tracked if f"cimlnk_home/{name}" not in names] == []
    assert [n for n in names if "__pycache__" in n or n.endswith(".pyc")] == []


def test_library_and_console_script_work_without_the_checkout(installed, tmp_path):
    code = "from cimlnk.graph import knn, leiden; import cimlnk; print(cimlnk.__file__)"
    found = python(installed, tmp_path, "-c", code)
    assert found.returncode == 0, found.stderr
    assert "cimlnk_home" in found.stdout
    text = python(installed, tmp_path, "-m", "cimlnk", "--help").stdout
    assert "cimlnk run --configfile" in text
    wrong = python(installed, tmp_path, "-m", "cimlnk", "rum")
    assert wrong.returncode == 2 and "did you mean 'run'" in wrong.stderr and "Traceback" not in wrong.stderr


def test_installed_run_finds_own_and_shipped_files(installed, tmp_path):
    text = (ROOT / "config/tiny.yaml").read_text()
    (tmp_path / "sheets").mkdir()
    for kind in ("samples", "counts", "patients"):
        sheet = (ROOT / f"config/{kind}/tiny.tsv").read_text()
        (tmp_path / f"sheets/{kind}.tsv").write_text(sheet)
        text = text.replace(f"config/{kind}/tiny.tsv", f"sheets/{kind}.tsv")
    (tmp_path / "mine.yaml").write_text(text)
    done = python(installed, tmp_path, "-m", "cimlnk", "run", "--configfile", "mine.yaml", "-n", "--quiet", "rules")
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"report_site|report \d", done.stdout + done.stderr)
    missing = python(installed, tmp_path, "-m", "cimlnk", "run", "--configfile", "mien.yaml", "-n")
    assert missing.returncode == 2 and "did you mean 'mine.yaml'" in missing.stderr


MODULE = """
configfile: "config.yaml"

module cimlnk:
    snakefile:
        "git+file://{repository}/workflow/Snakefile@main"
    config:
        config

use rule * from cimlnk
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository with this checkout as its one commit, as a hoster would serve it."""
    folder = copy_checkout(tmp_path_factory.mktemp("hoster") / "cimlnk")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "release"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def test_module_from_a_repository_gives_the_bytes_of_a_clone_on_one_core(installed, repository, tiny_run, tmp_path):
    (tmp_path / "config.yaml").write_text((ROOT / "config/tiny.yaml").read_text())
    (tmp_path / "Snakefile").write_text(MODULE.format(repository=repository))
    done = python(installed, tmp_path, "-m", "snakemake", "--cores", "1")
    assert done.returncode == 0, done.stderr[-4000:]
    first, second = digests(tiny_run / RESULTS), digests(tmp_path / RESULTS)
    assert first.keys() == second.keys()
    assert [k for k in first if first[k] != second[k]] == []
    assert digests(tiny_run / "data") == digests(tmp_path / "data")


def test_module_without_the_package_says_what_to_install(repository, tmp_path):
    (tmp_path / "config.yaml").write_text((ROOT / "config/tiny.yaml").read_text())
    (tmp_path / "Snakefile").write_text(MODULE.format(repository=repository))
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"],
        cwd=tmp_path,
        env=clean(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1
    assert f"expected cimlnk {cimlnk.__version__} (pip install" in run.stderr and "Traceback" not in run.stderr


def test_snakefile_and_package_name_the_same_version():
    text = (ROOT / "workflow/Snakefile").read_text()
    assert re.search(r'^VERSION = "(.+)"$', text, re.M)[1] == cimlnk.__version__
    for file, pattern in (("pyproject.toml", r'^version = "(.+)"$'), ("CITATION.cff", r"^version: (.+)$")):
        assert re.search(pattern, (ROOT / file).read_text(), re.M)[1] == cimlnk.__version__
