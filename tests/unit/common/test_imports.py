"""A script's hash follows what it imports, however it imports it, and nothing else."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cimlnk.common import imports
from cimlnk.common.imports import LIBRARY, code_hash, modules_of

FILES = {
    "__init__.py": "",
    "a/__init__.py": "from .face import shown",
    "a/face.py": "shown = 1",
    "a/uses.py": "def f():\n    from ..b import late\n    return late",
    "a/templates/page.html": "<p>",
    "b/__init__.py": "_HOME = {'late': 'lazy'}\ndef __getattr__(name): ...",
    "b/lazy.py": "late = 1",
    "b/other.py": "import lib.c",
    "b/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib.b import other\nx = 1",
    "c.py": "'''Words.'''\nx = 1  # why\n",
}


def library(folder: Path, **changed: str) -> Path:
    for name, text in (FILES | changed).items():
        (folder / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "lib" / name).write_text(text)
    return folder / "lib"


def reached(folder: Path, script: str) -> set[str]:
    lib = library(folder)
    (folder / "script.py").write_text(script)
    return {f.relative_to(lib).as_posix() for f in modules_of(folder / "script.py", lib)}


A = {"__init__.py", "a/__init__.py", "a/face.py", "a/templates/page.html"}
B = {"__init__.py", "b/__init__.py"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import os, numpy", set()),
        ("import lib.a.face", A),
        ("from lib.a import uses", A | B | {"a/uses.py", "b/lazy.py"}),
        ("from lib import b", B),
        ("from lib.b import late", B | {"b/lazy.py"}),
        ("def f():\n    if 1:\n        from lib.b.other import x", B | {"b/other.py", "c.py"}),
        ("import lib.b.typed", B | {"b/typed.py"}),
    ],
)
def test_every_way_of_importing_is_followed(tmp_path, script, expected):
    assert reached(tmp_path, script) == expected


def test_a_module_that_is_not_there_is_no_silence(tmp_path):
    with pytest.raises(ImportError, match=r"lib\.b\.gone, which is not there"):
        reached(tmp_path, "from lib.b.gone import x")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("'''Other words.'''\n\nx = 1\n", True),
        ("x = 1", True),
        ("x = 2", False),
        ("x = 1\ny = 1", False),
    ],
)
def test_code_counts_and_words_do_not(tmp_path, text, same):
    hashes = []
    for name, changed in (("before", {}), ("after", {"c.py": text})):
        lib = library(tmp_path / name, **changed)
        (tmp_path / name / "script.py").write_text("import lib.c")
        hashes.append(code_hash(tmp_path / name / "script.py", lib))
    assert (hashes[0] == hashes[1]) is same


def test_what_was_read_is_kept_and_an_edit_is_seen_all_the_same(tmp_path, monkeypatch):
    """Each call as a new process would make it: with an empty memory, by what lies on the disk."""
    lib = library(tmp_path)
    script = tmp_path / "script.py"
    script.write_text("from lib.a import uses\nimport lib.c")
    shelf = tmp_path / "cache"
    monkeypatch.setenv("CIMLNK_CACHE", str(shelf))

    def fresh() -> str:
        for cached in (code_hash, imports._file_hash, imports._read, imports._shelf, imports.imported):
            cached.cache_clear()
        return code_hash(script, lib)

    first = fresh()
    (kept,) = shelf.iterdir()
    monkeypatch.setattr(ast, "parse", None)  # whoever parses now fails
    assert fresh() == first
    monkeypatch.undo()
    monkeypatch.setenv("CIMLNK_CACHE", str(shelf))
    (lib / "b/lazy.py").write_text("late = 2")
    changed = fresh()
    assert changed != first, "an edited file is read again"
    kept.write_text(kept.read_text()[:100])
    assert fresh() == changed, "a file that is cut short is made again"
    monkeypatch.setenv("CIMLNK_CACHE", str(script))
    assert fresh() == changed, "where nothing can be written, nothing is kept"
    for cached in (code_hash, imports._file_hash, imports._read, imports._shelf, imports.imported):
        cached.cache_clear()


@pytest.mark.parametrize("script", ["cytof_normalise", "populations_state", "graph_figure", "report_site"])
def test_all_that_python_really_loads_is_found(script):
    """The other side of the truth: what a fresh interpreter has loaded after the script's imports."""
    path = LIBRARY.parent / "scripts" / f"{script}.py"
    imports = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
    lines = [ast.unparse(n) for n in imports]
    tell = "import sys; print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'cimlnk'))"
    done = subprocess.run([sys.executable, "-c", "\n".join([*lines, tell])], capture_output=True, text=True, check=True)
    assert {Path(f) for f in done.stdout.split()} <= set(modules_of(path))


def test_the_hash_knows_no_place(tmp_path):
    for name in ("one", "two"):
        shutil.copytree(LIBRARY, tmp_path / name / "cimlnk", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(LIBRARY.parent / "scripts/claims_evaluate.py", tmp_path / name)
    one, two = (code_hash(tmp_path / n / "claims_evaluate.py", tmp_path / n / "cimlnk") for n in ("one", "two"))
    assert one == two
