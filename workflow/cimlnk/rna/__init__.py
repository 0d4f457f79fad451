"""Single-cell RNA: from 10x counts to clean NK cells."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "read_counts": "read",
    "find_doublets": "doublets",
    "estimate_ambient": "ambient",
    "harmonise": "integrate",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
