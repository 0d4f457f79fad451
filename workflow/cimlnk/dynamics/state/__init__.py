"""What the cells of a population carry: marker and gene levels, tested within patients."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "state_tests": "differential",
    "wide_state": "differential",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
