"""Texts in CSV files that a spreadsheet would take for formulas."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd


def neutral(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with an apostrophe before every text that a spreadsheet would run as a formula (= + - @, tab, return).

    Numbers are left alone, and so are texts that are numbers.
    """
    out = table.copy(deep=False)
    out.columns = [_neutral(c) for c in out.columns]
    for i, kind in enumerate(table.dtypes):
        if isinstance(kind, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(kind):
            out.isetitem(i, table.iloc[:, i].astype(object).map(_neutral))
    return out


def _neutral(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    return value if re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?|[+-]?inf|-", value) else f"'{value}"
