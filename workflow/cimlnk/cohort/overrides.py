"""The one sheet of overrides: names, splits, exclusions and thresholds a person decides, each with its reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.errors import Plain, Problems
from cimlnk.common.home import locate
from cimlnk.common.markers import canonical
from cimlnk.common.provenance import sha256

from .read import LINE, read_sheet
from .rows import read_rows

GROUPS = ("cluster", "population", "cells")
ACTIONS = {
    "cluster": ("rename", "merge", "split", "exclude"),
    "population": ("rename", "merge", "split", "exclude"),
    "cells": ("rename", "merge", "exclude"),
    "threshold": ("set",),
    "sample": ("exclude",),
}
NAME = re.compile(r"^\w[\w.+-]*$")
SPLIT = re.compile(r"^\s*(-?[0-9]+(?:\.[0-9]+)?)[\s:;]+(\w[\w.+-]*)\s*$")
Override = dict[str, Any]


def read_overrides(cfg: Mapping[str, Any], base: str | Path, problems: Problems) -> list[Override]:
    """The rows of ``cohort.overrides``; [] without a sheet, and where it cannot be read (told in `problems`).

    Returns
    -------
    list of dict
        what, key, action, why (or None), row (line of the sheet), and by kind ``modality`` (str or None), ``marker``
        (its usual name), ``number`` (float), ``name`` (str), ``sha256`` of a file of cell ids, ``lines`` (first and
        last row of a selection of single cells), ``sha256_of_ids``. JSON-ready, so that rules can have it as parameter.
    """
    file = cfg["cohort"].get("overrides")
    if file is None:
        return []
    rows = read_rows(locate(file, base), "overrides", file, problems=problems)
    found: list[Override] = []
    for row in [] if rows is None else rows.to_dict("records"):
        if row["what"] is None or row["key"] is None or row["action"] is None:
            continue  # reported already
        override = _override(row, file, Path(base), problems=problems)
        if override is not None:
            found.append(override)
    _contradictions(found, file, problems)
    return _gathered(found)


def _contradictions(overrides: list[Override], file: str, problems: Problems) -> None:
    """One row for each name, exclusion or threshold: of two for the same cells only the last would count.

    Splits may follow each other, and selections of single cells may overlap.
    """
    first: dict[tuple[Any, ...], list[Override]] = {}
    for o in overrides:
        if o["action"] == "split" or (o["what"] == "cells" and o["sha256"] is None):
            continue
        earlier = first.setdefault((o["what"], o["key"], o["marker"]), [])
        same = [e for e in earlier if None in (o["modality"], e["modality"]) or o["modality"] == e["modality"]]
        if same:
            of = f" and marker {o['marker']}" if o["marker"] else ""
            did = (
                f"{same[0]['action']} {shown}" if (shown := same[0]["name"] or same[0]["number"]) else same[0]["action"]
            )
            expected = f"one decision for each {o['what']}{of}, but row {same[0]['row']} is about it too ({did})"
            problems.add(file, f"row {o['row']}, column key", o["key"], expected)
        earlier.append(o)


def _gathered(overrides: list[Override]) -> list[Override]:
    """Rows that name single cells, as the explorer saves a selection, one below the other: one decision each."""
    result: list[Override] = []
    ids: list[str] = []
    alike = ("what", "action", "name", "why")
    for o in overrides:
        single = o["what"] == "cells" and o["sha256"] is None
        last = result[-1] if result else None
        if single and last is not None and last["lines"] and all(o[k] == last[k] for k in alike):
            ids.append(o["key"])
            last["lines"][1] = o["row"]
        else:
            ids = [o["key"]]
            result.append(o | {"lines": [o["row"], o["row"]] if single else None})
        if single:
            one = result[-1]
            one["sha256_of_ids"] = hashlib.sha256("\n".join(ids).encode()).hexdigest()
            one["key"] = ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more"
    return result


def cell_ids(override: Override, base: str | Path, file: str) -> list[str]:
    """The ids a row about cells is about: of its own text file, or of the sheet's rows that name single cells."""
    if override["lines"] is None:
        text = (Path(base) / override["key"]).read_text(encoding="utf-8")
        return [line.strip() for line in text.splitlines() if line.strip()]
    first, last = override["lines"]
    sheet = read_sheet(
        locate(file, base), ["what", "key", "action"], ["marker", "value", "why"], file=file, closed=True
    )
    return [cells["key"] for row, cells in sheet.rows if first <= row <= last]


def excluded_samples(overrides: list[Override]) -> list[str]:
    """Samples that a row takes out of the cohort."""
    return [o["key"] for o in overrides if o["what"] == "sample"]


def names_of(overrides: list[Override], modality: str) -> list[Override]:
    """The rows about names of a modality's cells, in the sheet's order."""
    return [o for o in overrides if o["what"] in GROUPS and o["modality"] in (None, modality)]


def thresholds_of(overrides: list[Override]) -> list[Override]:
    """The rows that set thresholds, in the sheet's order."""
    return [o for o in overrides if o["what"] == "threshold"]


def _override(row: Mapping[str, Any], file: str, base: Path, *, problems: Problems) -> Override | None:
    where, before = f"row {row[LINE]}", len(problems.errors)
    what, action, value = str(row["what"]), str(row["action"]), row["value"]
    if action not in ACTIONS[what]:
        expected = f"{' or '.join(ACTIONS[what])}, as it is about a {what}"
        problems.add(file, f"{where}, column action", action, expected, ACTIONS[what])
        return None
    modality, key = _key(str(row["key"])) if what in GROUPS else (None, str(row["key"]))
    result: Override = {"what": what, "key": key, "action": action, "why": row["why"], "row": int(row[LINE]),
                        "modality": modality, "marker": None, "number": None, "name": None, "sha256": None}  # fmt: skip
    if what == "cluster" and not key.isdigit():
        problems.add(file, f"{where}, column key", row["key"], "the number of a cluster, such as 3 or cytof:3")
    if what in ("threshold",) or action == "split":
        marker = row["marker"]
        if marker is None:
            problems.add(file, f"{where}, column marker", Plain("nothing"), "the marker")
        else:
            result["marker"] = canonical(marker) or marker
    if action in ("rename", "merge"):
        if value is None or not NAME.match(value):
            found = Plain("nothing") if value is None else value
            problems.add(file, f"{where}, column value", found, "a name of letters, digits, _ . + and -")
        result["name"] = value
    elif action == "split":
        hit = SPLIT.match(value or "")
        if hit is None:
            found = Plain("nothing") if value is None else value
            problems.add(file, f"{where}, column value", found, "a number and a name, such as 2.5 CD56dim_CD57")
        else:
            result |= {"number": float(hit[1]), "name": hit[2]}
    elif action == "set":
        try:
            result["number"] = float(value or "")
        except ValueError:
            found = Plain("nothing") if value is None else value
            problems.add(file, f"{where}, column value", found, "a number on the analysis scale")
    if what == "cells":
        path = base / key
        if path.is_file():
            result["sha256"] = sha256(path)
        elif re.fullmatch(r"[^/\\]+:[^:/\\]+", key) is None:
            expected = "the id of a cell (sample:event), or a text file of ids, but there is no such file"
            problems.add(file, f"{where}, column key", key, expected)
    return result if len(problems.errors) == before else None


def _key(text: str) -> tuple[str | None, str]:
    """``cytof:3`` as modality and key; without a modality it is about both."""
    hit = re.match(r"^(cytof|flow|rna):(.+)$", text)
    return (hit[1], hit[2].strip()) if hit else (None, text)
