"""From clusters to named NK subsets, the same names in both modalities."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "load_definitions": "definitions",
    "protein_thresholds": "positivity",
    "gene_thresholds": "positivity",
    "fraction_positive": "positivity",
    "cluster_distances": "distances",
    "name_clusters": "naming",
    "profile": "name",
    "name_agreement": "neighbours",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
