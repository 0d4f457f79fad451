"""Lineages of live single events, called by clusters in all lineage markers at once.

Arrays, marker names and cofactors in, probabilities out: flow cytometry and antibody-derived tags can use it alike.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Called": "call",
    "call_lineages": "call",
    "LINEAGES": "markers",
    "LYMPHOCYTES": "markers",
    "lineage_markers": "markers",
    "levels_of": "evidence",
    "Placed": "transfer",
    "place_events": "transfer",
    "lineages_adata": "annotated",
    "load_batch": "batch",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use: the graph engine takes a second to import
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
