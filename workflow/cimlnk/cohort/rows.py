"""From a sheet's text to typed rows that fit the row schema, every wrong cell told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.sheet import MINUS, is_missing, number, read_two_ways

from .describe import expectation
from .read import LINE, REMARKS, Sheet, read_sheet
from .schemas import load_schema

# What spreadsheets leave where a formula failed ("#N/A" says that there is no value).
BROKEN = {"#REF", "#NAME", "#VALUE", "#DIV/0", "#NUM", "#NULL", "#SPILL", "#CALC"}


def read_rows(path: Path, kind: str, file: str, *, problems: Problems) -> pd.DataFrame | None:
    """The sheet at `path` as a typed table, or None if it cannot be read as one at all.

    Parameters
    ----------
    path
        The sheet.
    kind
        Name of the row schema: ``samples``, ``counts``, ``patients`` or ``panel``.
    file
        Name of the sheet in messages.
    problems
        Where mistakes are collected.

    Returns
    -------
    DataFrame
        The schema's columns (absent optional ones filled with their default, None or NaN), then covariates in the
        sheet's order (numbers where all of a column are numbers), and :data:`LINE`, the line in the sheet. Wrong cells
        are left None or NaN, so that the other checks can go on.
    """
    schema = load_schema(kind)
    assert schema is not None, kind
    properties: Mapping[str, Any] = schema["properties"]
    required = schema["required"]
    optional = [c for c in properties if c not in required]
    try:
        sheet = read_sheet(path, required, optional, file=file, closed=schema["additionalProperties"] is False)
    except UserError as error:
        problems.extend(error)
        return None
    for columns in [[c for option in schema["anyOf"] for c in option["required"]]] if "anyOf" in schema else []:
        if not set(columns) & set(sheet.columns):
            problems.add(file, "row 1", Plain("none of the columns " + ", ".join(columns)), "at least one of them")
    table = {
        column: [
            convert(
                cells.get(column, ""),
                column,
                sub,
                required=column in required,
                row=row,
                file=file,
                problems=problems,
                decimal_comma=sheet.decimal_comma,
            )
            for row, cells in sheet.rows
        ]
        for column, sub in properties.items()
    }
    frame = pd.DataFrame(table)
    for column, sub in properties.items():
        kind_of = sub.get("type")
        if kind_of in ("number", "integer"):
            frame[column] = pd.to_numeric(frame[column]).astype("float64")
        else:
            frame[column] = frame[column].astype(object)
    for column in sheet.columns:
        if column not in properties and column != REMARKS:
            frame[column] = _covariate(sheet, column, problems)
    frame[LINE] = [row for row, _ in sheet.rows]
    _tell_thousands(sheet, [c for c in sheet.columns if pd.api.types.is_numeric_dtype(frame.get(c))], problems)
    return frame


def _tell_thousands(sheet: Sheet, columns: list[str], problems: Problems) -> None:
    doubtful = read_two_ways({cells[c] for _, cells in sheet.rows for c in columns}, semicolons=sheet.decimal_comma)
    for row, cells in sheet.rows if doubtful else []:
        for column in columns:
            if cells[column] in doubtful:
                expected = (
                    f"no thousands separator, and a decimal {doubtful[cells[column]]} as the rest of the sheet has"
                )
                problems.add(sheet.file, f"row {row}, column {column}", cells[column], expected)


def convert(
    cell: str,
    column: str,
    schema: Mapping[str, Any],
    *,
    required: bool,
    row: int,
    file: str,
    problems: Problems,
    decimal_comma: bool = False,
) -> Any:
    """One cell as the schema's type: str, int or float; None if it is empty or wrong (which is then in `problems`)."""
    where = f"row {row}, column {column}"
    kind = schema.get("type")
    value: str | int | float | None
    if is_missing(cell):
        if required:
            found = Plain("nothing") if cell == "" else Plain(f"{cell!r}, which says that there is no value")
            problems.add(file, where, found, expectation(schema))
            return None
        return schema.get("default")
    if kind in ("integer", "number"):
        value = _integer(cell) if kind == "integer" else number(cell, decimal_comma)
        if value is None:
            problems.add(file, where, cell, _number_words(cell, expectation(schema)))
            return None
    else:
        value = cell
    return value if _fits(value, schema, where, file=file, problems=problems) else None


def _integer(cell: str) -> int | None:
    text = cell.replace(MINUS, "-")
    # 7.0 is what spreadsheets make of 7
    return int(float(text)) if re.fullmatch(r"[+-]?[0-9]{1,15}(\.0*)?", text) else None


def _number_words(cell: str, expected: str) -> str:
    thousands = r"[0-9]{1,3}(?:([ .,'\u2019])[0-9]{3})(?:\1[0-9]{3})*([.,][0-9]*)?"
    if re.fullmatch(rf"[+-]?(?:{thousands}|[0-9]*,[0-9]+)", cell):
        return f"{expected} (with a decimal point and no thousands separator)"
    if re.fullmatch(r"[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?:[T ].*)?|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{2,4}", cell):
        return f"{expected} (a number, not a date)"
    if re.search(r"[0-9]\s*[^0-9eE.,+-]|^[A-Za-z]+\s*[+\u2212-]?\s*[0-9]", cell):
        return f"{expected} (the number alone)"
    return expected


def _fits(value: Any, schema: Mapping[str, Any], where: str, *, file: str, problems: Problems) -> bool:
    from jsonschema import Draft202012Validator

    if next(Draft202012Validator(schema).iter_errors(value), None) is None:
        return True
    problems.add(file, where, value, expectation(schema), schema.get("enum"))
    return False


def _covariate(sheet: Sheet, column: str, problems: Problems) -> list[Any]:
    """A covariate: numbers if every cell that is there is a number that does not begin with 0 ("001" is a name).

    A column that is numbers but for a decimal comma, a unit or a word would become one category per value and change
    every result that uses it, so that it is told.
    """
    cells = [(row, cells[column]) for row, cells in sheet.rows]
    given = [(row, c) for row, c in cells if not is_missing(c)]
    broken = [(row, c) for row, c in given if c.startswith("#") and c.upper().rstrip("!?") in BROKEN]
    for row, cell in broken:
        problems.add(sheet.file, f"row {row}, column {column}", cell, "a value: a formula broke in the spreadsheet")
    if broken:
        return [None] * len(cells)
    names = any(re.match(r"[+-]?0[0-9]", c) for _, c in given)
    values = {c: number(c, sheet.decimal_comma) for _, c in given}
    if given and not names and None not in values.values():
        return [float("nan") if is_missing(c) else values[c] for _, c in cells]
    odd = [(row, c) for row, c in given if values[c] is None]
    commas = all(re.fullmatch(r"[+-]?[0-9]*,[0-9]+", c) for _, c in odd)
    if odd and not names and (commas or 2 * len(odd) <= len(given)):
        how = "a decimal point" if commas else "the number alone; nothing where it is not known"
        expected = f"numbers in the whole column ({how}), or words in the whole column"
        for row, cell in odd:
            problems.add(sheet.file, f"row {row}, column {column}", cell, expected)
    return [None if c == "" else c for _, c in cells]
