"""How the cells of a patient rise and fall: a curve per patient and population, and what is read off it."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "fit_series": "fit",
    "make_kinetics": "summary",
    "curve": "model",
    "posterior": "model",
    "pool": "model",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
