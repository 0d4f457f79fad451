"""The schemas in ``workflow/schemas``: how they are found, composed into one and kept strict."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from cimlnk.common.home import HOME

from .describe import types

FOLDER = HOME / "workflow" / "schemas"
SECTIONS = (
    "cohort",
    "simulate",
    "cytof",
    "flow",
    "rna",
    "graph",
    "populations",
    "donors",
    "dynamics",
    "claims",
    "export",
    "report",
)


def load_schema(name: str) -> dict[str, Any] | None:
    """The schema ``workflow/schemas/<name>.schema.yaml`` with its local references put in place.

    None if there is no such file. References are put in place so that a section's ``#/$defs/…`` still holds when the
    section becomes a part of the config's schema.
    """
    schema = _load(name)
    return copy.deepcopy(schema)


@cache
def _load(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.schema.yaml"
    if not path.is_file():
        return None
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    definitions = schema.pop("$defs", {})
    return _inline(schema, definitions)


def config_schema() -> dict[str, Any]:
    """The schema of a whole config: the seed, and the sections' schemas side by side."""
    properties: dict[str, Any] = {
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**32 - 1,
            "default": 1,
            "description": "The one random seed; every step and every sample derives its own stream from it.",
        }
    }
    for section in SECTIONS:
        properties[section] = load_schema(f"config/{section}") or {"type": "object", "default": {}}
        if section == "simulate":  # real data have no simulation: absent and null both say that the files are given
            properties[section].update(type=["object", "null"], default=None)
    return {"type": "object", "additionalProperties": False, "required": ["cohort"], "properties": properties}


def faults(schema: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """What a section's schema lacks: open levels, keys without description, optional keys without default."""
    for option in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from faults(option, where)
    if isinstance(schema.get("items"), Mapping):
        yield from faults(schema["items"], f"{where}[]")
    if "object" not in types(schema):
        return
    if "additionalProperties" not in schema or schema["additionalProperties"] is True:
        yield f"{where or 'top level'}: additionalProperties is neither false nor a schema"
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from faults(schema["additionalProperties"], f"{where}.*")
    for key, sub in schema.get("properties", {}).items():
        path = f"{where}.{key}".lstrip(".")
        if not sub.get("description"):
            yield f"{path}: no description"
        if "default" not in sub and key not in schema.get("required", []) and types(sub) != ["object"]:
            yield f"{path}: neither default nor required"
        yield from faults(sub, path)


def _ended(pattern: Any) -> Any:
    """A pattern whose last ``$`` is the end, as JSON schema means it: Python's stands before a last line break, too."""
    return f"{pattern[:-1]}\\Z" if isinstance(pattern, str) and pattern.endswith("$") else pattern


def _inline(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, Mapping):
        if "$ref" in node:
            name = str(node["$ref"]).removeprefix("#/$defs/")
            beside = {k: v for k, v in node.items() if k != "$ref"}
            return _inline({**definitions[name], **beside}, definitions)
        return {k: _ended(v) if k == "pattern" else _inline(v, definitions) for k, v in node.items()}
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    return node
