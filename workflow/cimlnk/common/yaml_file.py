"""YAML files of the user's, read so that every mistake names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from .errors import Plain, UserError
from .sheet import read_bytes

LARGEST = 4 << 20  # bytes; the largest file of definitions has some ten thousand
DEEPEST = 40


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name, line = key.value if isinstance(key, yaml.ScalarNode) else str(key.value), key.start_mark.line + 1
            if name in lines:
                raise _Twice(name, lines[name], line)
            lines[name] = line
        return super().construct_mapping(node, deep)


class _Twice(Exception):
    def __init__(self, name: str, first: int, second: int) -> None:
        self.name, self.first, self.second = name, first, second


def read_yaml(path: str | Path, file: str | None = None) -> Any:
    """The content of a YAML file.

    Parameters
    ----------
    path
        The file: UTF-8, with or without byte-order mark.
    file
        Its name in messages, `path` by default.

    Returns
    -------
    Any
        What ``yaml.safe_load`` gives; None for an empty file.

    Raises
    ------
    UserError
        With the line: for text that is no YAML or not UTF-8, a tab in the indentation, a key that stands twice in one
        mapping (both lines), aliases that unfold without end, a file that cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".yaml") as twice:
    ...     _ = twice.write(b"rna: {}\\nseed: 1\\nrna: {}\\n")
    ...     twice.flush()
    ...     read_yaml(twice.name, "mine.yaml")
    Traceback (most recent call last):
    ...
    cimlnk.common.errors.UserError: mine.yaml: line 3: found 'rna' a second time, expected every key once (line 1 too)
    """
    shown = str(path) if file is None else file
    text = _text(read_bytes(path, shown, LARGEST), shown)
    for number, line in enumerate(text.splitlines(), start=1):
        # blanks of a word processor or a web page: YAML takes them for letters of the key
        if re.match(r" *[\u00a0\u2000-\u200b\u202f\u3000]", line):
            raise UserError(shown, f"line {number}", Plain("a no-break space before a key"), "plain blanks")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _bounded(node, shown)
        return loader.construct_document(node)
    except _Twice as twice:
        expected = f"every key once (line {twice.first} too)"
        found = Plain(f"{twice.name!r} a second time")
        raise UserError(shown, f"line {twice.second}", found, expected) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "content" if mark is None else f"line {mark.line + 1}"
        line = "" if mark is None else (text.splitlines() or [""])[min(mark.line, len(text.splitlines()) - 1)]
        tab = " (blanks, not tabs, before a key)" if "\t" in re.match(r"\s*", line)[0] else ""  # type: ignore[index]
        words = " ".join(str(error.problem or error.context or "no YAML").split())
        raise UserError(shown, where, Plain(f"{line.strip()[:80]!r} ({words})"), f"valid YAML{tab}") from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise UserError(shown, "content", Plain(words or type(error).__name__), "valid YAML") from None
    finally:
        if loader is not None:
            loader.dispose()


def key_lines(path: str | Path) -> dict[str, int]:
    """``{"cytof.gates": 12, …}``: the line of every key of a YAML file that :func:`read_yaml` can read."""
    try:
        text = _text(read_bytes(path, str(path), LARGEST), str(path))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (UserError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    lines: dict[str, int] = {}
    stack: list[tuple[str, Any]] = [("", node)]
    while stack and len(lines) < 100_000:
        prefix, node = stack.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = f"{prefix}.{key.value}" if prefix else str(key.value)
                if name not in lines:
                    lines[name] = key.start_mark.line + 1
                    stack.append((name, value))
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                lines.setdefault(f"{prefix}[{i}]", value.start_mark.line + 1)
                stack.append((f"{prefix}[{i}]", value))
    return lines


def _text(data: bytes, file: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:200]:
        raise UserError(file, "content", Plain("UTF-16 or binary data"), "a YAML file saved as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        shown = data.splitlines()[line - 1].decode("cp1252", errors="replace").strip()[:80]
        raise UserError(file, f"line {line}", shown, "a YAML file saved as UTF-8 (one letter is not)") from None


def _bounded(root: yaml.Node, file: str) -> None:
    """Refuse what is nested too deep, or has more nodes than any hand wrote once its aliases are unfolded."""
    sizes: dict[int, int] = {}

    def size(node: Any, depth: int) -> int:
        if depth > DEEPEST:
            expected = f"at most {DEEPEST} levels"
            raise UserError(file, f"line {node.start_mark.line + 1}", Plain("deeper nesting, or a loop"), expected)
        if isinstance(node, yaml.ScalarNode) and re.search("[\x00\ud800-\udfff]", node.value):
            # from escapes as "\0" and "\ud800": no file and no page can hold them
            raise UserError(
                file, f"line {node.start_mark.line + 1}", node.value, "text without half characters and \\0"
            )
        if id(node) not in sizes:
            children = node.value if not isinstance(node, yaml.ScalarNode) else []
            flat = [x for pair in children for x in pair] if isinstance(node, yaml.MappingNode) else children
            sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in flat)
        return sizes[id(node)]

    if (n := size(root, 0)) > 1_000_000:
        raise UserError(file, "content", Plain(f"{n:,} values, unfolded"), "at most a million")
