"""The documents: the index is complete, links lead somewhere."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from cimlnk.common.tables import Schema

ROOT = Path(__file__).resolve().parents[2]
CIMLNK = ROOT / "workflow/cimlnk"


def test_the_index_names_every_document():
    index = (ROOT / "docs/README.md").read_text()
    linked = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\]\(([^)#]+)", index)}
    pages = {p for p in (ROOT / "docs").rglob("*.md") if p.name != "README.md"}
    assert sorted(str(p.relative_to(ROOT)) for p in pages - linked) == []


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("config/*.md")]


@pytest.mark.parametrize("page", sorted(p.relative_to(ROOT) for p in PAGES), ids=str)
def test_links_between_documents_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.S)
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in t]
    missing = [t for t in targets if not ((ROOT / page).parent / t).exists()]
    assert missing == []


def index_faults(text: str) -> list[str]:
    """What the table at the head of the decisions and their headings do not have in common."""
    head, _, entries = text.partition("\n## ")
    rows = [line.strip("| ").split(" | ")[-1] for line in head.splitlines() if line.startswith("| ")]
    named = [i for row in rows[2:] for i in row.split(" · ")]
    headed = re.findall(r"^## \S+ · (\S+) · ", f"## {entries}", re.M)
    faults = [
        f"{i} is in no row of the table at the head: add ` · {i}` to the part it is about"
        for i in headed
        if i not in named
    ]
    faults += [f"the table names {i}, which is no entry" for i in named if i not in headed]
    return faults + [f"the table names {i} twice" for i in sorted(set(named)) if named.count(i) > 1]


def test_decisions_are_named_once_in_the_table_at_their_head():
    assert index_faults((ROOT / "docs/decisions.md").read_text()) == []


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("## 2026-11-25 · least-split · ", "## 2026-11-25 · a-new-one · New\n\ntext\n\n## 2026-11-25 · least-split · "),
        ("own-doublets · harmony-by-design", "own-doublets"),
        ("own-doublets · harmony-by-design", "own-doublets · harmony-by-design · no-such-entry"),
        ("own-doublets · harmony-by-design", "own-doublets · own-doublets · harmony-by-design"),
    ],
)
def test_an_entry_that_the_table_lacks_or_has_too_many_is_told(now, then):
    text = (ROOT / "docs/decisions.md").read_text()
    assert text.count(now) == 1
    assert len(index_faults(text.replace(now, then))) == 1


def named_and_not_there(package: Path) -> list[str]:
    """Modules (in double backticks) and packages (in single ones) that a docstring names and that are not there."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    modules = [name for name in re.findall(r"``([a-z_0-9]+)``", text) if not (package / f"{name}.py").is_file()]
    listed = "\n".join(re.findall(r"^- .*(?:\n  .*)*", text.replace("``", ""), re.M))
    return modules + [name for name in re.findall(r"`([a-z]+)`", listed) if not (package / name).is_dir()]


@pytest.mark.parametrize("package", sorted(p.parent.relative_to(ROOT) for p in CIMLNK.rglob("__init__.py")), ids=str)
def test_docstrings_of_packages_name_modules_that_are_there(package):
    assert named_and_not_there(ROOT / package) == []


def test_paths_of_the_architecture_are_there():
    """Its table "Where a thing is done": a name alone lies beside the path before it."""
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.search(r"## Where a thing is done\n(.*?)\n## ", text, re.S)[1].split("| --- | --- |")[1]
    missing, folder, seen = [], CIMLNK, 0
    for path in re.findall(r"`([^`]+)`", rows):
        places = [ROOT / path, CIMLNK / path, folder / path]
        found = [hit for place in places for hit in place.parent.glob(place.name)]
        missing += [] if found else [path]
        folder, seen = (found[0].parent if found else folder), seen + 1
    assert missing == [] and seen > 40


def test_tables_of_the_architecture_are_those_of_the_code():
    """Each row of its table of schemas names all columns of one, and nothing else."""
    known = {}
    for file in sorted((ROOT / "workflow/cimlnk").rglob("tables.py")):
        if file.parent.name not in ("common", "simulate"):  # a truth table may be called as what is found
            module = import_module(".".join(file.relative_to(ROOT / "workflow").with_suffix("").parts))
            found = {name: value for name, value in vars(module).items() if isinstance(value, Schema)}
            known = found | known  # RNA has fewer columns of GATES and SUMMARY than cytometry, which comes first
    text = (ROOT / "docs/architecture.md").read_text()
    told = dict(re.findall(r"^\| ([A-Z_]+) \| (.*) \|$", text, re.M))
    assert len(told) > 20
    wrong = {}
    for name, words in told.items():
        plain = re.sub(r"\([^()]*\)", "", words).split(":")[0].split(" + ")[0]
        stated = [word.strip() for word in plain.split(",")]
        if stated != list(known[name].columns):
            wrong[name] = sorted({*stated} ^ {*known[name].columns}) or "another order"
    assert wrong == {}


def test_all_that_state_the_version_agree():
    citation = (ROOT / "CITATION.cff").read_text()
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    release = re.search(r"^## (\d+\.\d+\.\d+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    said = {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "__init__": re.search(r'^__version__ = "(.+)"$', (ROOT / "workflow/cimlnk/__init__.py").read_text(), re.M)[1],
        "Snakefile": re.search(r'^VERSION = "(.+)"$', (ROOT / "workflow/Snakefile").read_text(), re.M)[1],
        "CITATION.cff": re.search(r"^version: (.+)$", citation, re.M)[1],
        ".zenodo.json": zenodo["version"],
        "CHANGELOG.md": release[1],
    }
    assert len(set(said.values())) == 1, said
    days = {re.search(r"^date-released: (.+)$", citation, re.M)[1], zenodo["publication_date"], release[2]}
    assert len(days) == 1 and date.fromisoformat(days.pop())
    hosted = re.search(r"^repository-code: (.+)$", citation, re.M)
    named = [i["identifier"] for i in zenodo["related_identifiers"] if i["relation"] == "isSupplementTo"]
    assert [hosted[1]] == named if hosted else named == []


def test_pictures_of_the_readme_are_those_that_a_command_makes(tmp_path):
    shown = set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text()))
    program = ROOT / "docs/pictures.py"
    assert shown == set(re.findall(r'"(docs/images/[^"]+)":', program.read_text())) and shown
    config = tmp_path / "c.yaml"
    config.write_text("cohort: {id: never-run}\n")
    command = [sys.executable, str(program), "--config", str(config), "--to", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "expected a finished run" in done.stderr
