"""FCS files: header and TEXT (2.0 to 3.2), the events as the instrument wrote them, and files of our own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "read_header": "header",
    "read_events": "header",
    "iterate_events": "header",
    "write_fcs": "write",
    "read_adata": "annotated",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
