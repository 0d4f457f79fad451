"""Lineages of live single events, called by clusters in all lineage markers at once.

Arrays, marker names and cofactors in, probabilities out: flow cytometry and antibody-derived tags can use it alike.
"""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "Called": "call",
    "call_lineages": "call",
    "LINEAGES": "markers",
    "LYMPHOCYTES": "markers",
    "lineage_markers": "markers",
    "levels_of": "evidence",
    "Placed": "transfer",
    "place_events": "transfer",
    "lineages_adata": "annotated",
    "load_batch": "batch",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
