"""Where on the neighbour graph abundance moves, below the named populations. Reads cells and the graph."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "find_neighbourhoods": "sampling",
    "count_samples": "sampling",
    "neighbourhood_tests": "differential",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
