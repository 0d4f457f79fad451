"""A config file that is not there is reported in one line, before Snakemake is started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cimlnk.cohort.command_line import check_config_files, check_folder, check_results, config_files, placed
from cimlnk.common.errors import UserError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ("--cores 4", []),
        ("--cores 4 --configfile a.yaml", ["a.yaml"]),
        ("--configfile=a.yaml -n b", ["a.yaml"]),
        ("--configfiles a.yaml b.yaml --cores 1 target", ["a.yaml", "b.yaml"]),
        ("--configfile a.yaml -- target", ["a.yaml"]),
        ("target --configfile a.yaml --configfile b.yaml", ["a.yaml", "b.yaml"]),
        ("-- --configfile a.yaml", []),
        ("--config a=--configfile b", []),
    ],
)
def test_config_files_are_told_from_other_words_as_snakemake_does(arguments, files):
    assert config_files(arguments.split()) == files


@pytest.fixture
def base(tmp_path):
    (tmp_path / "config").mkdir()
    for name in ("config/tiny.yaml", "config/README.md", "mine.yml"):
        (tmp_path / name).write_text("cohort: {}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("config/tyni.yaml", "but there is no such file (did you mean 'config/tiny.yaml'?)"),
        ("tiny.yaml", "but there is no such file (did you mean 'config/tiny.yaml'?)"),
        ("mine.yaml", "but there is no such file (did you mean 'mine.yml'?)"),
        ("config", "but there is a folder"),
        ("nowhere/qqq.yaml", "but there is no such file"),
        ("results/a/b.svg", "put -- before targets"),
    ],
)
def test_a_missing_config_file_is_told_with_the_nearest_one(base, given, words):
    with pytest.raises(UserError) as caught:
        check_config_files(["--configfile", "mine.yml", given], base)
    text = str(caught.value)
    assert text.startswith(f"command line: --configfile: found '{given}', expected the path of a config file, ")
    assert words in text and "README" not in text and "\n" not in text


def test_config_files_that_are_there_pass(base):
    check_config_files(["--configfile", "mine.yml", str(base / "config/tiny.yaml"), "-n"], base)


@pytest.fixture
def checkout(tmp_path):
    """`run` with an environment that counts as set up, whose Snakemake only tells what it is given."""
    for name in ("run", "requirements/lock-py311.txt", "config/tiny.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    shutil.copy(ROOT / "requirements/lock-py311.txt", tmp_path / ".venv/.cimlnk-lock")
    python = f"""case "$*" in
    "-m cimlnk.common.snakemake "*) shift 2; exec "$(dirname "$0")/snakemake" "$@" ;;
    *) exec "{sys.executable}" "$@" ;;
esac"""
    for name, text in {"python": python, "snakemake": 'echo "snakemake: $*"'}.items():
        (binaries / name).write_text(f"#!/bin/sh\n{text}\n")
        (binaries / name).chmod(0o755)
    return tmp_path


def run(checkout, *arguments, **more):
    environment = {k: v for k, v in os.environ.items() if k not in ("CIMLNK_VENV", "CORES", "PYTHONPATH")} | more
    return subprocess.run([checkout / "run", *arguments], capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize("command", ["snakemake", "cohort"])
def test_run_stops_before_snakemake_at_a_missing_config_file(checkout, command):
    done = run(checkout, command, "-n", "--configfile", "config/tyni.yaml")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "cimlnk: error in the input, nothing was run:\n"
        "command line: --configfile: found 'config/tyni.yaml', expected the path of a config file, "
        "but there is no such file (did you mean 'config/tiny.yaml'?)\n"
    )


@pytest.mark.parametrize(("command", "before"), [("snakemake", ""), ("cohort", "--logger cimlnk --cores all ")])
def test_run_hands_every_argument_on_where_the_config_file_is_there(checkout, command, before):
    done = run(checkout, command, "-n", "--configfile", "config/tiny.yaml", "--", "a target")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"snakemake: {before}-n --configfile config/tiny.yaml -- a target\n"


def test_a_config_with_a_section_twice_is_told_with_both_lines(tmp_path):
    (tmp_path / "mine.yaml").write_text("rna: {}\nseed: 1\nrna: {}\n")
    with pytest.raises(UserError, match=r"mine.yaml: line 3: found 'rna' a second time, .*line 1"):
        check_config_files(["--configfile", "mine.yaml"], tmp_path)


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n", "id: M\xfcnchen\n", "a:\n\tb: 1\n"])
def test_a_config_that_is_no_mapping_or_no_yaml_is_told(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        check_config_files(["--configfile", "mine.yaml"], tmp_path)
    assert str(caught.value).startswith("mine.yaml: ") and len(str(caught.value).splitlines()) == 1


def test_a_message_on_the_config_names_its_file_and_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("cohort:\n  id: a\ngraph:\n  k: x\n")
    error = UserError("config", "graph.k", "x", "an integer")
    assert placed(error, [str(tmp_path / "mine.yaml")]).endswith(
        "mine.yaml: line 4, graph.k: found 'x', expected an integer"
    )
    assert placed(error, []) == str(error)


def test_a_folder_that_cannot_be_written_or_is_full_is_one_line(tmp_path, monkeypatch):
    check_folder(["--cores", "1"], tmp_path)
    monkeypatch.setattr("cimlnk.cohort.command_line.shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(UserError, match="folder of the run: found 10 bytes free, expected a disk with room"):
        check_folder(["--cores", "1"], tmp_path)
    (tmp_path / "there").mkdir()
    monkeypatch.setattr("cimlnk.cohort.command_line.os.access", lambda path, how: Path(path).name != "there")
    for words in (["--directory", "there"], ["-d", "there"], ["--directory=there", "-n"]):
        with pytest.raises(UserError, match=f"{tmp_path}/there: folder of the run: found no permission to write"):
            check_folder(words, tmp_path)


def test_results_that_cannot_be_written_are_told_before_anything_runs(tmp_path, monkeypatch):
    closed = tmp_path / "results/mine/cytof/samples"
    closed.mkdir(parents=True)
    check_results(["results/mine", "data/mine"], ["--cores", "1"], tmp_path)
    monkeypatch.setattr("cimlnk.cohort.command_line.os.access", lambda path, how: Path(path) != closed)
    with pytest.raises(UserError, match=rf"{closed}: folder of the results: found no permission to write"):
        check_results(["results/mine"], ["--cores=1"], tmp_path)
    check_results(["results/other", "data/mine"], [], tmp_path)
    for words in (["-n"], ["--dry-run"], ["--unlock"]):
        check_results(["results/mine"], words, tmp_path)
    monkeypatch.setattr("cimlnk.cohort.command_line.os.access", lambda path, how: Path(path) != tmp_path / "results")
    with pytest.raises(UserError, match=f"{tmp_path}/results: folder of the results"):
        check_results(["results/new"], [], tmp_path)


def test_a_brace_in_the_path_of_the_run_is_one_line(tmp_path):
    (tmp_path / "a{x}").mkdir()
    with pytest.raises(UserError, match=r"folder of the run: found a brace in its path, expected a path without"):
        check_folder(["--cores", "1"], tmp_path / "a{x}")


def test_run_takes_no_other_libraries_and_no_notebook_backend(checkout):
    """What a notebook or a cluster's modules leave in the environment."""
    (checkout / "other").mkdir()
    (checkout / "other/yaml.py").write_text("raise ImportError('another library')")
    (checkout / ".venv/bin/snakemake").write_text('#!/bin/sh\necho "$MPLBACKEND $PYTHONPATH ${PYTHONHOME-none}"\n')
    left = {"PYTHONPATH": str(checkout / "other"), "PYTHONHOME": "/nowhere", "MPLBACKEND": "module://inline"}
    done = run(checkout, "snakemake", "-n", "--configfile", "config/tiny.yaml", **left)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Agg {checkout}/workflow none\n"
    assert done.stderr == f"run: PYTHONPATH ({checkout}/other) is left out: only the locked libraries are used\n"


@pytest.mark.parametrize(("kind", "words"), [("file", "there is a file"), ("link", "there is a link to /nowhere")])
@pytest.mark.parametrize("name", ["results", ".snakemake"])
def test_what_stands_in_the_place_of_a_folder_is_one_line(tmp_path, kind, words, name):
    if kind == "file":
        (tmp_path / name).write_text("x")
    else:
        (tmp_path / name).symlink_to("/nowhere")
    with pytest.raises(UserError, match=f"{name}: folder of the .*: found {words}.*, expected a folder"):
        check_folder(["--cores", "1"], tmp_path) if name != "results" else check_results(["results/a"], [], tmp_path)
