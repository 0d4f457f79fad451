"""The tables of the user manual (config/README.md), written from the schemas so that they cannot go out of step.

    python -m cimlnk.cohort.manual config/README.md            # rewrite the tables in place
    python -m cimlnk.cohort.manual config/README.md --check    # exit 1 if they are out of step

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; the text around it is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .describe import expectation, types
from .schemas import SECTIONS, config_schema, load_schema

SHEETS = ("samples", "counts", "patients", "panel", "functional", "overrides", "antibodies", "donors_sheet", "persons")
BLOCK = re.compile(r"<!-- begin ([\w/-]+) -->\n.*?<!-- end \1 -->", re.DOTALL)


def fill_manual(text: str) -> str:
    """`text` with every marked block replaced by its table.

    Raises
    ------
    ValueError
        If a section or sheet has no block, or a block no schema: a fault of the manual.
    """
    tables = {section: section_table(section) for section in SECTIONS} | {sheet: sheet_table(sheet) for sheet in SHEETS}
    found = BLOCK.findall(text)
    if sorted(found) != sorted(tables):
        raise ValueError(f"blocks {sorted(set(found) ^ set(tables))} are in the manual or in the schemas only")
    return BLOCK.sub(lambda m: f"<!-- begin {m[1]} -->\n{tables[m[1]]}<!-- end {m[1]} -->", text)


def section_table(section: str) -> str:
    """Key, value, default and meaning of every key of a config section, nested keys with dots."""
    schema = config_schema()["properties"][section]
    rows = [_row("key", "value", "default", "meaning"), "| --- | --- | --- | --- |\n"]
    for key, sub in _keys(schema):
        default = f"`{json.dumps(sub['default'], ensure_ascii=False)}`" if "default" in sub else "(needed)"
        rows.append(_row(f"`{key}`", expectation(sub), default, _words(sub)))
    if len(rows) == 2:
        return "No keys.\n"
    return "".join(rows)


def sheet_table(sheet: str) -> str:
    """Column, need, value and meaning of every column of a sheet."""
    schema = load_schema(sheet.removesuffix("_sheet"))  # the config section has the same name
    assert schema is not None, sheet
    rows = [_row("column", "needed", "value", "meaning"), "| --- | --- | --- | --- |\n"]
    for column, sub in schema["properties"].items():
        need = "yes" if column in schema["required"] else "no"
        rows.append(_row(f"`{column}`", need, expectation(sub), _words(sub)))
    if schema["additionalProperties"]:
        rows.append(_row("any other", "no", "text or numbers", "A covariate, kept and usable in models."))
    return "".join(rows)


def _keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    required = schema.get("required", [])
    for key, sub in schema.get("properties", {}).items():
        if "object" in types(sub) and sub.get("properties"):
            yield from _keys(sub, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", {k: v for k, v in sub.items() if k != "default" or key not in required}


def _words(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Rewrite the manual named first; with ``--check`` only say whether it is in step."""
    path = Path(arguments[0])
    old = path.read_text(encoding="utf-8")
    new = fill_manual(old)
    if "--check" in arguments:
        if new != old:
            print(
                f"{path} is out of step with workflow/schemas: python -m cimlnk.cohort.manual {path}", file=sys.stderr
            )
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
