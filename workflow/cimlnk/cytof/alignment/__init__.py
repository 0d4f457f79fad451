"""Batch alignment of cells with or without anchor samples (after Van Gassen et al. 2020, Cytometry A 97:268-278)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Alignment": "model",
    "fit_alignment": "model",
    "load_alignment": "model",
    "align_adata": "annotated",
    "sample_distances": "distance",
    "marker_distances": "distance",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
