"""What a script is made of: the modules of this library that it imports, and a hash of them that Snakemake compares.

The imports are read, not run: a script's modules are found by walking the syntax trees from it on, through the
``__init__`` of every package on the way and through imports inside functions. Modules that only type checkers import
do not count, and neither do comments, docstrings and layout, so that a better word re-runs nothing.

Parsing the whole library takes three seconds, of which every call of Snakemake would begin; what was read of a file is
kept by the hash of its bytes, beside this module (or in ``$CIMLNK_CACHE``; where neither can be written, in the user's
cache).
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

LIBRARY = Path(__file__).resolve().parents[1]
MOST = 5000  # files kept on the shelf


class Read(NamedTuple):
    """What one Python file says: a hash of its code, its imports, and its table ``_HOME``.

    An import is ``[level, module, names]``, of which level -1 is ``import module``.
    """

    code: str
    imports: list[tuple[int, str, list[str]]]
    lazy: dict[str, str]


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
    _keep()
    return digest.hexdigest()[:16]


@cache
def _file_hash(file: Path) -> str:
    return _read(file).code if file.suffix == ".py" else hashlib.sha256(file.read_bytes()).hexdigest()


@cache
def _read(file: Path) -> Read:
    text = file.read_bytes()
    key = hashlib.sha256(text).hexdigest()
    known, new = _shelf()
    if key not in known:
        known[key] = new[key] = _parse(text.decode(), str(file))
    return Read(*known[key])


def _parse(text: str, name: str) -> tuple[str, list[tuple[int, str, list[str]]], dict[str, str]]:
    tree = ast.parse(text, filename=name)
    imports: list[tuple[int, str, list[str]]] = []
    for node in _reached(tree):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.Import):
            imports += [(-1, name, []) for name in names]
        else:
            imports.append((node.level, node.module or "", names))
    lazy: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and [getattr(t, "id", None) for t in statement.targets] == ["_HOME"]:
            lazy = ast.literal_eval(statement.value)
    return hashlib.sha256(ast.dump(_Bare().visit(tree)).encode()).hexdigest(), imports, lazy


def _shelf_file() -> Path:
    """Where what was read is kept; another Python has other syntax trees, another version of this file other rules."""
    rules = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    name = f"code-{sys.version_info.major}{sys.version_info.minor}-{rules}.json"
    if "CIMLNK_CACHE" in os.environ:
        return Path(os.environ["CIMLNK_CACHE"]) / name
    if os.access(LIBRARY / "common", os.W_OK):
        return LIBRARY / "common" / "__pycache__" / name
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cimlnk" / name


@cache
def _shelf() -> tuple[dict[str, Any], dict[str, Any]]:
    """What is known of files by the hash of their bytes, and what of it is not kept yet."""
    try:
        return json.loads(_shelf_file().read_text(encoding="utf-8")), {}
    except (OSError, ValueError):  # not there yet, or cut short: it is read again
        return {}, {}


def _keep() -> None:
    """Add what was read again to the file; where nothing can be written, the next process reads it again."""
    known, new = _shelf()
    if not new:
        return
    file = _shelf_file()
    beside = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # of files edited a thousand times only the last states are worth keeping
        beside.write_text(json.dumps(known if len(known) < MOST else new), encoding="utf-8")
        beside.replace(file)
    with contextlib.suppress(OSError):
        beside.unlink()  # of a full disk
    new.clear()


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
    for level, module, members in _read(file).imports:
        if level < 0:
            files |= dict.fromkeys(_files(module.split("."), library, file))
            continue
        if level > len(names):
            continue  # a relative import outside the library
        base = names[: len(names) - level + 1] if level else []
        parts = [*base, *(module.split(".") if module else [])]
        files |= dict.fromkeys(_files(parts, library, file))
        if parts[:1] == [library.name]:
            for member in members:
                files |= dict.fromkeys(_members(parts, member, library))
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
    home = _read(init).lazy.get(name)
    return _files([*parts, *home.split(".")], library, init) if home else []


def _data_of(file: Path) -> Iterator[Path]:
    """Templates and the like in a module's folder and in folders below it that are no packages."""
    for other in sorted(file.parent.iterdir()):
        if other.is_dir() and not (other / "__init__.py").exists() and other.name != "__pycache__":
            yield from (f for f in sorted(other.rglob("*")) if f.is_file() and f.suffix not in (".py", ".pyc"))
        elif other.is_file() and other.suffix not in (".py", ".pyc"):
            yield other
