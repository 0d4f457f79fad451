"""The config: one closed schema from the sections' schemas, every mistake reported at once, defaults filled in.

Rules see only what :func:`resolve` returns, so that a default stands in one place and is the same in the main process,
in a cluster job and in a script (``snakemake.utils.validate`` does not promise that).
"""

from __future__ import annotations

import copy
import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.home import locate, why_no_file

from .describe import expectation, hint, types
from .schemas import config_schema

log = logging.getLogger(__name__)
# Keys that had another name in an earlier release: section, old, new.
RENAMED = (("dynamics", "links", "identity"),)
# Keys whose value is the path of a file that must be there before anything is run.
FILES = (
    "cohort.samples",
    "cohort.counts",
    "cohort.patients",
    "cohort.panel",
    "cohort.functional",
    "cohort.overrides",
    "cytof.gates",
    "cytof.manual_gates.file",
    "cytof.spillover.matrix",
    "cytof.spillover.single_stains",
    "cytof.debarcoding.key",
    "flow.panel",
    "flow.compensation.matrix",
    "flow.gates",
    "flow.manual_gates.file",
    "rna.lineages",
    "rna.antibodies",
    "populations.cytof.definitions",
    "populations.rna.definitions",
    "donors.sheet",
    "donors.persons",
    "donors.references",
)


def resolve(config: Mapping[str, Any], base: str | Path, file: str | None = None) -> dict[str, Any]:
    """Validate a config and fill in every default.

    Parameters
    ----------
    config
        The mapping Snakemake read from the YAML file(s) and ``--config``.
    base
        Folder to which paths refer, the working directory of a run; a file that is not there is looked for among those
        shipped with the workflow (:func:`cimlnk.common.home.locate`).
    file
        Name of the config file for messages; ``"config"`` if the caller does not know it.

    Returns
    -------
    dict
        A new mapping with ``seed`` and all sections of :data:`cimlnk.cohort.schemas.SECTIONS`. ``simulate`` is None for
        real data. Paths stay as written, so that nothing in it depends on where the checkout lies.

    Raises
    ------
    UserErrors
        All problems together: unknown keys (with the nearest valid one), wrong types and values, numbers that are not
        finite, sheets that are not there, a key under its old and its new name.

    A key under the name of an earlier release (:data:`RENAMED`) is read as the new one, with a warning in the log.
    """
    from jsonschema import Draft202012Validator

    name = file or "config"
    schema = config_schema()
    problems = Problems()
    if not isinstance(config, Mapping):
        raise UserError(name, "top level", Plain(type(config).__name__), "a mapping of sections (cohort: …)")
    given = _without_null_mappings(_under_new_names(copy.deepcopy(dict(config)), name, problems), schema)
    errors = Draft202012Validator(schema).iter_errors(given)
    for error in sorted(errors, key=lambda e: (key_path(e.absolute_path), e.message)):
        problems.errors.extend(explain(error, name))
    told = {e.where for e in problems.errors}
    for path, value in _leaves(given):
        if isinstance(value, float) and not math.isfinite(value) and key_path(path) not in told:
            problems.add(name, key_path(path), Plain(str(value)), "a finite number")
    problems.raise_if_any()
    full = fill_defaults(given, schema)
    _check_files(full, Path(base), name, problems=problems)
    problems.raise_if_any()
    return full


def fill_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` with the schema's defaults wherever a key is absent, at every level (mappings inside lists included)."""
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        out = {}
        for key, sub in properties.items():
            if key in value:
                out[key] = fill_defaults(value[key], sub)
            elif "default" in sub:
                out[key] = fill_defaults(copy.deepcopy(sub["default"]), sub)
            elif types(sub) == ["object"]:
                out[key] = fill_defaults({}, sub)
        extra = schema.get("additionalProperties")
        for key in [k for k in value if k not in properties]:
            out[key] = fill_defaults(value[key], extra) if isinstance(extra, Mapping) else value[key]
        return out
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [fill_defaults(item, schema["items"]) for item in value]
    return value


def key_path(parts: Iterable[str | int]) -> str:
    """``("cytof", "gates", 0, "low")`` as a user writes it: ``cytof.gates[0].low``; the whole is ``top level``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text or "top level"


def explain(error: Any, file: str) -> Iterator[UserError]:
    """The user errors behind one jsonschema error: one per unknown or missing key, or one for a wrong value."""
    parts = list(error.absolute_path)
    schema, value = error.schema, error.instance
    if error.validator == "additionalProperties" and isinstance(value, Mapping):
        valid = sorted(schema.get("properties", {}))
        patterns = list(schema.get("patternProperties", {}))
        for key in value:
            if key not in valid and not any(re.search(p, str(key)) for p in patterns):
                yield UserError(file, key_path([*parts, str(key)]), key, f"one of the keys {', '.join(valid)}", valid)
    elif error.validator == "required" and isinstance(value, Mapping):
        for key in schema["required"]:
            if key not in value:
                expected = expectation(schema.get("properties", {}).get(key, {}))
                yield UserError(file, key_path([*parts, key]), Plain("no such key"), expected)
    elif error.validator == "type" and types(schema) == ["object"]:
        yield UserError(file, key_path(parts), value, "a mapping of keys, indented below this one")
    else:
        yield UserError(file, key_path(parts), value, hint(value, schema), schema.get("enum"))


def _under_new_names(config: dict[str, Any], file: str, problems: Problems) -> dict[str, Any]:
    """`config` with keys of earlier releases under the names they have now; each is warned of in one line."""
    for section, old, new in RENAMED:
        keys = config.get(section)
        if not isinstance(keys, dict) or old not in keys:
            continue
        if new in keys:
            problems.add(file, f"{section}.{old}", Plain(f"beside {new}"), f"only {section}.{new}, its new name")
            del keys[old]
            continue
        log.warning("cimlnk: %s: %s.%s is now called %s.%s; please rename it", file, section, old, section, new)
        config[section] = {new if key == old else key: value for key, value in keys.items()}
    return config


def _without_null_mappings(value: Any, schema: Mapping[str, Any]) -> Any:
    """`value` without the keys whose mapping is empty (``leiden:`` with nothing below it): the same as not written."""
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    out = {}
    for key, item in value.items():
        sub = properties.get(key, {})
        if item is None and types(sub) == ["object"]:
            continue
        out[key] = _without_null_mappings(item, sub)
    return out


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, i))
    else:
        yield path, value


def _check_files(config: Mapping[str, Any], base: Path, file: str, *, problems: Problems) -> None:
    """Every file named in the config is there; the nearest name in its folder is suggested."""
    for key in FILES:
        value: Any = config
        for part in key.split("."):
            value = value[part]
        if value is None or (value == "" and key.startswith("cytof.")):
            continue
        path = base / value
        if not locate(value, base).is_file():
            there = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
            near = [str(Path(value).parent / name) for name in there]
            # where something stands that is no file, the name was no slip of the pen
            near = [] if path.name in there else near
            problems.add(file, key, value, f"the path of a file, but there {why_no_file(path)}", near)
