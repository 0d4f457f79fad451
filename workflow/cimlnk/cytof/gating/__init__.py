"""From all events to live single NK cells: thresholds by density, gates in order, GatingML, figures, gates by hand."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "load_gates": "spec",
    "read_sample": "read",
    "gate_sample": "sample",
    "live_events": "sample",
    "make_pool": "pool",
    "write_gatingml": "gatingml",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
