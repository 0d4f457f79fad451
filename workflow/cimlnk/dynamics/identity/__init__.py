"""Which cluster of one day is which of the next: links, events, ancestry. Reads cells and the graph."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "link": "links",
    "events": "links",
    "summarise": "links",
    "tracks": "course",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
