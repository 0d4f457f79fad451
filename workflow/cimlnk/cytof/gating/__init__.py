"""From all events to live single NK cells: thresholds by density, gates in order, GatingML, figures, gates by hand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "load_gates": "spec",
    "read_sample": "read",
    "gate_sample": "sample",
    "live_events": "sample",
    "make_pool": "pool",
    "write_gatingml": "gatingml",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
