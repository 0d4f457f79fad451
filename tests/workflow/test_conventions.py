"""The house rules that a reader relies on: one stem names a thing, scripts stay thin, stages look left only."""

from __future__ import annotations

import ast
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "workflow"
LIBRARIES = ["common", "stats", "graph"]  # known to every stage, knowing none
STAGES = [
    "cohort",
    "simulate",
    "cytof",
    "rna",
    "populations",
    "adt",
    "donors",
    "dynamics",
    "claims",
    "export",
    "report",
    "front",
    "scenarios",
]
RULES = {
    match[1]: text
    for path in sorted((WORKFLOW / "rules").glob("*.smk"))
    for text in re.split(r"^(?=\s*rule |\s*use rule )", path.read_text(), flags=re.M)
    if (match := re.match(r"\s*rule (\w+):", text))
}
LIBRARY = sorted((WORKFLOW / "cimlnk").rglob("*.py"))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_rule_is_complete(rule):
    text = RULES[rule]
    for directive in ("log:", "benchmark:", "threads:", "resources:", "conda:"):
        assert re.search(rf"^\s+{directive}", text, re.M), f"rule {rule} has no {directive}"
    script = re.search(r'"\.\./scripts/(\w+)\.py"', text)
    assert script and (WORKFLOW / "scripts" / f"{script[1]}.py").is_file()
    assert script[1] == rule
    assert f'code=code("{rule}")' in text, f"rule {rule} does not depend on the library it runs"


@pytest.mark.parametrize("script", sorted(p.name for p in (WORKFLOW / "scripts").glob("*.py")))
def test_script_only_binds(script):
    text = (WORKFLOW / "scripts" / script).read_text()
    assert len(text.splitlines()) <= 30
    assert not re.search(r"^\s*(def|class|while) ", text, re.M)
    assert "job(snakemake" in text


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(WORKFLOW / "cimlnk")))
def test_stage_imports_only_what_is_left_of_it(path):
    stage = path.relative_to(WORKFLOW / "cimlnk").parts[0]
    order = LIBRARIES if stage in LIBRARIES else [*LIBRARIES, *STAGES]
    if stage in ("__init__.py", "__main__.py"):
        return  # the console script knows them all
    allowed = set(order[: order.index(stage) + 1])
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "cimlnk" and len(parts) > 1:
                assert parts[1] in allowed, f"{path.name} imports {name}"
            if stage == "dynamics":
                assert parts[0] not in ("anndata", "scanpy"), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(WORKFLOW / "cimlnk")))
def test_module_says_what_it_is_for_and_swallows_nothing(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), path
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}: bare except"
            assert not (len(node.body) == 1 and isinstance(node.body[0], ast.Pass)), f"{path}: swallowed exception"


def undocumented(tree: ast.Module) -> list[str]:
    """Public functions and classes of a module that have no docstring; their methods may do without."""
    defined = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    return [n.name for n in defined if not n.name.startswith("_") and not ast.get_docstring(n)]


def test_every_public_function_and_class_says_what_it_does():
    told = ast.parse("def told():\n    'x'\n\ndef _inner(): ...\n\nclass Bare: ...\n\ndef bare(): ...")
    assert undocumented(told) == ["Bare", "bare"]
    found = {str(p.relative_to(ROOT)): undocumented(ast.parse(p.read_text())) for p in LIBRARY}
    assert {path: names for path, names in found.items() if names} == {}


def test_every_schema_is_closed_and_explains_every_key():
    def walk(node, where):
        if node.get("type") == "object":
            assert "additionalProperties" in node, where
            assert node["additionalProperties"] is not True, where
        for key, child in node.get("properties", {}).items():
            assert child.get("description"), f"{where}.{key} has no description"
            walk(child, f"{where}.{key}")

    for path in sorted((WORKFLOW / "schemas" / "config").glob("*.schema.yaml")):
        walk(yaml.safe_load(path.read_text()), path.stem)


def test_no_path_of_one_machine_in_tracked_files():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    pattern = re.compile(r"(?<![\w.])/(work|farm|root|home/\w+)/")
    hits = []
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if path.suffix in (".py", ".smk", ".md", ".yaml", ".toml", ".tsv", "") and path.is_file():
            if path.name != "test_conventions.py" and pattern.search(path.read_text(errors="ignore")):
                hits.append(name)
    assert hits == []


def test_every_caption_named_by_a_rule_exists():
    for rule, text in RULES.items():
        for caption in re.findall(r'caption="\.\./report/([\w.]+)"', text):
            assert (WORKFLOW / "report" / caption).is_file(), (rule, caption)


def imports_between(files: list[Path], library: Path = WORKFLOW / "cimlnk") -> dict[Path, set[Path]]:
    """What each module of the library imports, the ``__init__`` of packages on the way left out."""
    from cimlnk.common.imports import imported

    return {f: {g for g in imported(f, library) if g.name != "__init__.py"} for f in files}


def circle(graph: dict) -> list:
    """One circle of a directed graph, empty if there is none."""
    done: set = set()
    for start in graph:
        stack, path = [(start, iter(sorted(graph.get(start, ()))))], [start]
        while stack:
            node, rest = stack[-1]
            for other in rest:
                if other in path:
                    return [*path[path.index(other) :], other]
                if other not in done:
                    stack.append((other, iter(sorted(graph.get(other, ())))))
                    path.append(other)
                    break
            else:
                done.add(node)
                stack.pop()
                path.pop()
    return []


def test_no_modules_import_each_other_in_a_circle():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert circle(imports_between(LIBRARY)) == []


def packages_between(library: Path, files: list[Path], depth: int) -> dict[Path, set[Path]]:
    """What the packages of one depth import: packages at that depth, and modules that stand higher by themselves."""

    def place(file: Path) -> Path:
        inside = file.relative_to(library)
        return inside if len(inside.parts) <= depth else Path(*inside.parts[:depth])

    graph: dict[Path, set[Path]] = {}
    for file, others in imports_between(files, library).items():
        graph.setdefault(place(file), set()).update(p for other in others if (p := place(other)) != place(file))
    return graph


@pytest.mark.parametrize("depth", range(1, max(len(f.relative_to(WORKFLOW / "cimlnk").parts) for f in LIBRARY)))
def test_no_packages_import_each_other_in_a_circle(depth):
    assert circle(packages_between(WORKFLOW / "cimlnk", LIBRARY, depth)) == []


def test_a_circle_through_a_module_above_two_packages_is_found(tmp_path):
    for name, text in {
        "lib/__init__.py": "",
        "lib/stage/__init__.py": "",
        "lib/stage/left/__init__.py": "",
        "lib/stage/left/read.py": "def late():\n    from lib.stage.cells import make",
        "lib/stage/left/other.py": "",
        "lib/stage/cells.py": "from .left.other import x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    files = sorted((tmp_path / "lib").rglob("*.py"))
    assert circle(imports_between(files, tmp_path / "lib")) == []
    left, cells = Path("stage/left"), Path("stage/cells.py")
    assert circle(packages_between(tmp_path / "lib", files, 2)) in ([left, cells, left], [cells, left, cells])


@pytest.mark.parametrize("question", ["abundance", "kinetics", "state", "agreement"])
def test_questions_about_tables_read_no_cells_and_no_graph(question):
    files = sorted((WORKFLOW / "cimlnk/dynamics" / question).glob("*.py"))
    assert len(files) > 2
    for file, others in imports_between(files).items():
        stages = {other.relative_to(WORKFLOW / "cimlnk").parts[0] for other in others}
        assert not stages & {"graph", "populations", "cytof", "rna"}, file


def test_no_file_is_called_deep():
    assert [str(p) for p in WORKFLOW.rglob("*deep*") if p.suffix in (".py", ".smk")] == []


DECISION = re.compile(r"## (\d{4}-\d\d-\d\d) · ([a-z0-9]+(?:-[a-z0-9]+)*) · (\S.*)")
FORM = "expected one heading an entry, `## 2026-11-27 · some-id · Title`, and its text below"


def decision_faults(text: str) -> list[str]:
    """What in a list of decisions does not have the form, line by line."""
    faults, seen, entry = [], set(), None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            match = DECISION.fullmatch(line)
            if number == 1:
                continue
            if not match:
                faults.append(f"line {number}: found {line!r}, {FORM}")
                continue
            date.fromisoformat(match[1])
            if match[2] in seen:
                faults.append(f"line {number}: the id {match[2]} stands twice")
            if entry == "":
                faults.append(f"line {number}: the entry above it has no text")
            seen.add(match[2])
            entry = ""
        elif re.match(r"(- )?\*\*", line):
            faults.append(f"line {number}: found a title in bold, {FORM}")
        elif entry is not None and line.strip():
            entry += line
    return faults


def test_every_decision_has_an_id_and_a_date():
    text = (ROOT / "docs/decisions.md").read_text()
    assert decision_faults(text) == []
    assert len(DECISION.findall(text)) >= 60


@pytest.mark.parametrize(
    "appended",
    [
        "## A title alone\n\ntext",
        "**A title in bold.** text",
        "- **An item** text",
        "## 2026-11-27 · one-reader · Twice\n\nx",
    ],
)
def test_another_form_is_told(appended):
    text = (ROOT / "docs/decisions.md").read_text()
    assert len(decision_faults(f"{text}\n{appended}\n")) == 1
