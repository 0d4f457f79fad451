"""Whether the two modalities say the same of the same patients and days."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "agreement": "concordance",
    "matched": "concordance",
    "lin": "concordance",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
