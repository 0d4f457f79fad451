"""Spillover between mass channels (Chevrier et al. 2018, Cell Systems 6:612-620).

Its modules are loaded on demand, so that other steps do not pay for pandas.
"""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "compensate_adata": "compensate",
    "estimate_spillover": "estimate",
    "read_matrix": "matrix",
    "check_matrix": "matrix",
    "adapt_matrix": "matrix",
    "write_matrix": "matrix",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
