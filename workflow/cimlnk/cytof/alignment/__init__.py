"""Batch alignment of cells with or without anchor samples (after Van Gassen et al. 2020, Cytometry A 97:268-278)."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "Alignment": "model",
    "fit_alignment": "model",
    "load_alignment": "model",
    "align_adata": "annotated",
    "sample_distances": "distance",
    "marker_distances": "distance",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
