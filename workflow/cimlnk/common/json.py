"""JSON that reads the same everywhere: keys sorted, NumPy's types as plain ones, what is not finite as null."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """A value as JSON knows it, containers included.

    Parameters
    ----------
    value
        Mapping, list, tuple, array, NumPy scalar or anything JSON has.

    Returns
    -------
    object
        Dicts with string keys, lists, and Python's own scalars; NaN and infinities are None.

    Examples
    --------
    >>> plain({1: np.float32(0.5), "x": np.array([1.0, np.nan])})
    {'1': 0.5, 'x': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_json(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a record as sorted, indented JSON with a newline at its end; folders are made.

    Parameters
    ----------
    path
        File to write, UTF-8.
    content
        The record; see :func:`plain` for what becomes of NumPy's types and of NaN.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(content), indent=1, sort_keys=True, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> dict[str, Any]:
    """Content of a file written by :func:`write_json`."""
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content
