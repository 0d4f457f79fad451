"""Where on the neighbour graph abundance moves, below the named populations. Reads cells and the graph."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "find_neighbourhoods": "sampling",
    "count_samples": "sampling",
    "neighbourhood_tests": "differential",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
