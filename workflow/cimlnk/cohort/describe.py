"""What a JSON schema expects, in words a user reads in an error message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

WORDS = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys",
    "null": "null",
}


def types(schema: Mapping[str, Any]) -> list[str]:
    """The schema's type keyword as a list."""
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def expectation(schema: Mapping[str, Any]) -> str:
    """Expected type, range, choice or pattern in words (a pattern's words stand in its schema as ``x-words``).

    Examples
    --------
    >>> expectation({"type": "integer", "minimum": 1})
    'an integer >= 1'
    >>> expectation({"enum": ["umap", "jaccard"]})
    "one of 'umap', 'jaccard'"
    """
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(_value(v) for v in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(expectation(option) for option in schema[several])
    kinds = types(schema)
    listed = kinds == ["array", "null"]  # what is said of its items belongs to the list
    text = " or ".join(WORDS[t] for t in (kinds[:1] if listed else kinds)) or "a value"
    for key, sign in (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")):
        if key in schema:
            text += f"{' and' if any(s in text for s in '<>') else ''} {sign} {schema[key]}"
    if "pattern" in schema:
        shown = schema["pattern"].removesuffix(r"\Z")
        text += f" of {schema['x-words']}" if "x-words" in schema else f" like {shown}$"
    if "minLength" in schema and schema["minLength"] > 0:
        text += ", not empty"
    if "maxLength" in schema:
        text += f", at most {schema['maxLength']} characters"
    if "minItems" in schema:
        text += f" of at least {schema['minItems']}"
    if "maxItems" in schema:
        text += f" of at most {schema['maxItems']}"
    if schema.get("uniqueItems"):
        text += ", each once"
    return f"{text}, or null" if listed else text


def hint(value: Any, schema: Mapping[str, Any]) -> str:
    """:func:`expectation`, and how YAML came to read another type than the user meant."""
    text = expectation(schema)
    wanted = types(schema)
    if "string" in wanted and not isinstance(value, str | list | dict | None):
        return f"{text} (put it in quotes, otherwise YAML reads it as {type(value).__name__})"
    if isinstance(value, str) and {"number", "integer"} & set(wanted):
        if re.fullmatch(r"[+-]?[0-9]+[eE][+-]?[0-9]+", value):
            return f"{text} (YAML reads 1e-3 as text: write 1.0e-3 or 0.001)"
        if re.fullmatch(r"[+-]?[0-9.]+,[0-9]+", value):
            return f"{text} (with a decimal point)"
        return f"{text} (without quotes)" if re.fullmatch(r"[+-]?[0-9.]+", value) else text
    if isinstance(value, str) and "boolean" in wanted and value.lower() in ("true", "false", "yes", "no"):
        return f"{text} (without quotes)"
    return text


def _value(value: Any) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value)
