"""What a script is made of: the modules of this library that it imports, and a hash of them that Snakemake compares.

The imports are read, not run: a script's modules are found by walking the syntax trees from it on, through the
``__init__`` of every package on the way and through imports inside functions. Modules that only type checkers import
do not count, and neither do comments, docstrings and layout, so that a better word re-runs nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]


def modules_of(script: str | Path, library: str | Path = LIBRARY) -> list[Path]:
    """The files of the library that a script depends on, itself excluded.

    Parameters
    ----------
    script
        A Python file.
    library
        Folder of the package, whose name is the package's.

    Returns
    -------
    list of pathlib.Path
        Sorted; modules, the ``__init__`` of their packages, and files that are no Python below those packages
        (templates).

    Raises
    ------
    ImportError
        If a module of the library is imported that is not there.
    """
    library = Path(library)
    found: set[Path] = set()
    waiting = [Path(script)]
    while waiting:
        for file in imported(waiting.pop(), library):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found | {data for file in found for data in _data_of(file)})


@cache
def code_hash(script: str | Path, library: str | Path = LIBRARY) -> str:
    """Hash (16 hexadecimal digits) of what a script depends on; it changes with the code, not with its description.

    Examples
    --------
    >>> script = LIBRARY.parent / "scripts" / "graph_cluster.py"
    >>> code_hash(script) == code_hash(script)
    True
    """
    digest = hashlib.sha256()
    for file in modules_of(script, library):
        digest.update(f"{file.relative_to(library).as_posix()}\0{_file_hash(file)}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


@cache
def _file_hash(file: Path) -> str:
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return hashlib.sha256(ast.dump(_Bare().visit(ast.parse(file.read_text(encoding="utf-8")))).encode()).hexdigest()


class _Bare(ast.NodeTransformer):
    """A tree without docstrings and other bare strings."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        bare = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if bare else self.generic_visit(node)


@cache
def imported(file: Path, library: Path) -> tuple[Path, ...]:
    """The library's files that one file imports, directly or as a package on the way (see :func:`modules_of`)."""
    inside = file.is_relative_to(library)
    names = [library.name, *file.parent.relative_to(library).parts] if inside else []
    files: dict[Path, None] = {}
    for node in _reached(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                files |= dict.fromkeys(_files(alias.name.split("."), library, file))
            continue
        if node.level > len(names):
            continue  # a relative import outside the library
        base = names[: len(names) - node.level + 1] if node.level else []
        parts = [*base, *(node.module.split(".") if node.module else [])]
        files |= dict.fromkeys(_files(parts, library, file))
        if parts[:1] == [library.name]:
            for alias in node.names:
                files |= dict.fromkeys(_members(parts, alias.name, library))
    files.pop(file, None)
    return tuple(files)


def _reached(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements, those of ``if TYPE_CHECKING:`` excepted."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from _reached(ast.Module([other], []))
        else:
            yield from _reached(node)


def _files(parts: list[str], library: Path, source: Path) -> list[Path]:
    """A module's file and the ``__init__`` of its packages; nothing for modules of other libraries."""
    if parts[0] != library.name:
        return []
    packages = [library.joinpath(*parts[1:i]) for i in range(1, len(parts))]
    files = [p / "__init__.py" for p in packages if (p / "__init__.py").is_file()]
    place = library.joinpath(*parts[1:])
    for last in (place / "__init__.py", place.with_suffix(".py")):
        if last.is_file():
            return [*files, last]
    if place.is_dir():
        return files  # a folder without __init__
    raise ImportError(f"{source}: imports {'.'.join(parts)}, which is not there")


def _members(parts: list[str], name: str, library: Path) -> list[Path]:
    """The file of ``from parts import name`` where `name` is a module, or is loaded on first use by the package."""
    folder = library.joinpath(*parts[1:])
    for file in (folder / name / "__init__.py", folder / f"{name}.py"):
        if file.is_file():
            return [file]
    init = folder / "__init__.py"
    if not init.is_file():
        return []
    home = _lazy(init).get(name)
    return _files([*parts, *home.split(".")], library, init) if home else []


@cache
def _lazy(init: Path) -> dict[str, str]:
    """Names that a package's ``__getattr__`` loads on first use: those of its table ``_HOME``."""
    for node in _tree(init).body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", None) for t in node.targets] == ["_HOME"]:
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    return {}


def _data_of(file: Path) -> Iterator[Path]:
    """Templates and the like in a module's folder and in folders below it that are no packages."""
    for other in sorted(file.parent.iterdir()):
        if other.is_dir() and not (other / "__init__.py").exists() and other.name != "__pycache__":
            yield from (f for f in sorted(other.rglob("*")) if f.is_file() and f.suffix not in (".py", ".pyc"))
        elif other.is_file() and other.suffix not in (".py", ".pyc"):
            yield other
