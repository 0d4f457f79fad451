"""FCS files: header and TEXT (2.0 to 3.2), the events as the instrument wrote them, and files of our own."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "read_header": "header",
    "read_events": "header",
    "iterate_events": "header",
    "write_fcs": "write",
    "read_adata": "annotated",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
