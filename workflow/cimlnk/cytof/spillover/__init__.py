"""Spillover between mass channels (Chevrier et al. 2018, Cell Systems 6:612-620).

Its modules are loaded on demand, so that other steps do not pay for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "compensate_adata": "compensate",
    "estimate_spillover": "estimate",
    "read_matrix": "matrix",
    "check_matrix": "matrix",
    "adapt_matrix": "matrix",
    "write_matrix": "matrix",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
