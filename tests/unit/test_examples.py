"""The functions a notebook calls: named in docs/api, found at the face of their package, with examples that run."""

from __future__ import annotations

import ast
import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = re.findall(r"^\| \{py:func\}`(cimlnk[\w.]+)", (ROOT / "docs/api/index.md").read_text(), re.M)
FACES = sorted(
    p.parent for p in (ROOT / "workflow/cimlnk").rglob("__init__.py") if re.search(r"^_HOME = ", p.read_text(), re.M)
)


def test_there_are_twenty():
    assert len(VERBS) == len(set(VERBS)) >= 20


@pytest.mark.parametrize("verb", VERBS)
def test_example_runs_as_it_stands(verb):
    package, name = verb.rsplit(".", 1)
    function = getattr(import_module(package), name)
    assert function.__module__.startswith(package)
    found = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert sum(len(test.examples) for test in found) > 1, f"{verb} has no example"
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    for test in found:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize("folder", FACES, ids=lambda p: p.name)
def test_face_shows_what_it_names(folder):
    parts = folder.relative_to(ROOT / "workflow").parts
    package = import_module(".".join(parts))
    inside = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.iterdir() if p.is_dir()}
    for node in ast.parse((folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOME":
            home = ast.literal_eval(node.value)
    # a function called like a module of the package would be hidden by it once that is imported
    assert set(home) & inside == set()
    assert set(dir(package)) >= set(home) and set(package.__all__) >= set(home)
    assert all(getattr(package, name) is not None for name in home)
    with pytest.raises(AttributeError):
        package.nothing_of_that_name  # noqa: B018


def test_notebook_page_runs_as_it_stands():
    page = (ROOT / "docs/notebook.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/notebook.md", "exec"), names)
